"""Error budgets: what share of the bad events that an objective allows is still unspent. It forecasts nothing.

budget = (1 - objective) x total; remaining = 1 - bad / budget, negative once it is overspent. Without events there is
no budget to spend, and the answer is NaN inside and null outside, never 100 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.slo.allowance import Allowance
from detectors.slo.burn import burn_rates
from detectors.slo.ledger import Ledger
from detectors.slo.spec import Slo
from detectors.slo.tier import Counts


def remaining(good: Counts, total: Counts, error_budget: ArrayLike) -> NDArray[np.float64]:
    """Share of the budget that is left, same shape; NaN where there were no events."""
    allowed = np.asarray(error_budget) * np.asarray(total, dtype=np.float64)
    spent = np.divide(total - good, allowed, out=np.full(np.shape(total), np.nan), where=allowed > 0)
    return np.asarray(1.0 - spent)


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """The budget of one group at one time.

    Attributes:
        time_ns: end of the step.
        good, total: events of the step.
        burn: burn rate of the step; None without events.
        remaining: share of the budget left, over the SLO's window up to ``time_ns``; None without events, and in
            calendar periods whose beginning is no longer held.
    """

    time_ns: int
    good: int
    total: int
    remaining: float | None
    burn: float | None


def curve(
    ledger: Ledger,
    group: int,
    *,
    slo: Slo,
    start_ns: int,
    end_ns: int,
    step_ns: int,
) -> list[BudgetPoint]:
    """The budget at the end of every step from ``start_ns`` to ``end_ns``, from what the ledger still holds."""
    times = range(start_ns + step_ns, end_ns + 1, step_ns)
    # At the moment in which a period ends, its own budget is what is shown, not the next one's.
    begins = [slo.window_start_ns(time_ns if slo.calendar is None else time_ns - 1) for time_ns in times]
    starts, good, total = ledger.series(group, min([start_ns, *begins]), end_ns)
    sums_good = np.concatenate([[0], np.cumsum(good)])
    sums_total = np.concatenate([[0], np.cumsum(total)])
    points = []
    for time_ns, begin_ns in zip(times, begins, strict=True):
        step_low, window_low, high = np.searchsorted(starts, [time_ns - step_ns, begin_ns, time_ns])
        window_good = sums_good[high] - sums_good[window_low]
        window_total = sums_total[high] - sums_total[window_low]
        step_good, step_total = sums_good[high] - sums_good[step_low], sums_total[high] - sums_total[step_low]
        if slo.allowance is None:
            left = float(remaining(window_good, window_total, slo.error_budget))
            burn = float(burn_rates(step_good, step_total, slo.error_budget))
        else:
            allowance = Allowance(slo.allowance, slo.period_ns(time_ns - 1))
            left = float(allowance.remaining(window_total))
            burn = float(allowance.burn(step_total[None, None], [step_ns])[0, 0])
        if slo.calendar is not None and begin_ns < ledger.oldest_ns:
            left = math.nan
        points.append(
            BudgetPoint(
                time_ns, int(step_good), int(step_total), None if np.isnan(left) else left,
                burn if step_total else None,
            )
        )  # fmt: skip
    return points
