"""What will have been spent when a period ends: a forecast with an interval, of money or anything that adds up.

Method: as :mod:`detectors.forecast.paths`, with money in place of bad events. Its exposure is what a usual hour spends:
the mean of the hour of the day in the history, by how busy the day of the week is, so that a change of level is one
against the usual course of a week.
Spending grows with traffic, which may grow or fall; that is seen as a change of level once it has happened, and not
before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.forecast.budget import TooLittle, seed_of
from detectors.forecast.history import DAY_HOURS, HOUR_NS, Floats, Times, hourly, too_short
from detectors.forecast.interval import COVERAGE, Interval
from detectors.forecast.paths import LEAST_DAYS, PATHS, WEEK_DAYS, reach_ns, simulate
from detectors.forecast.usual import against_usual
from telemetry.windows import NANOS


@dataclass(frozen=True, slots=True)
class SpendForecast:
    """What may have been spent at the end.

    Attributes:
        now_ns: when it was made.
        start_ns, end_ns: the period.
        horizon_ns: how far it reaches: to the end, or as far as the history permits.
        history_ns: the length of the history it rests on.
        weekly: whether the history tells the days of the week apart.
        so_far: spent within the period until now.
        total: spent within the period at the horizon; ``expected`` its mean.
        p_over: probability that it is more than the limit; None without one.
        ends_ns, low, median, high: (steps,) the course of the sum.
    """

    now_ns: int
    start_ns: int
    end_ns: int
    horizon_ns: int
    history_ns: int
    weekly: bool
    so_far: float
    total: Interval
    expected: float
    p_over: float | None
    ends_ns: Times
    low: Floats
    median: Floats
    high: Floats

    def to_json(self) -> dict[str, Any]:
        """The forecast as the API shows it."""
        return {
            "enough_data": True, "reason": None, "at": self.now_ns / NANOS, "start": self.start_ns / NANOS,
            "end": self.end_ns / NANOS, "horizon": self.horizon_ns / NANOS, "history_s": self.history_ns / NANOS,
            "seasonality": "hour of the week" if self.weekly else "hour of the day", "coverage": COVERAGE,
            "so_far": self.so_far, "total": {**self.total.to_json(), "expected": self.expected},
            "p_over": self.p_over,
            "fan": [
                {"t": end / NANOS, "low": low, "median": median, "high": high}
                for end, low, median, high in zip(
                    self.ends_ns.tolist(), self.low.tolist(), self.median.tolist(), self.high.tolist(), strict=True
                )
            ],
        }  # fmt: skip


def forecast_spend(
    starts_ns: Times,
    spent: Floats,
    *,
    now_ns: int,
    start_ns: int,
    end_ns: int,
    seed: str,
    limit: float | None = None,
    paths: int = PATHS,
) -> SpendForecast | TooLittle:
    """The forecast of what is spent from ``start_ns`` to ``end_ns``.

    ``starts_ns`` and ``spent`` are (k,): buckets at most an hour wide, ascending, from before the period where
    possible; those that begin after ``now_ns`` are not known yet. ``seed`` names what is forecast; ``limit`` is what
    shall not be exceeded.
    """
    known = starts_ns <= now_ns
    starts_ns, spent = starts_ns[known], spent[known]
    seen = hourly(starts_ns, spent, spent, now_ns)
    if seen.days < LEAST_DAYS:
        return TooLittle(now_ns, too_short(LEAST_DAYS, "costs", starts_ns, now_ns))
    if not seen.consumed.any():
        return TooLittle(now_ns, "nothing was spent in the history")
    history = against_usual(seen)
    horizon_ns = min(end_ns, now_ns + reach_ns(history))
    rng = np.random.default_rng(seed_of(seed, now_ns))
    drawn = simulate(history, now_ns, horizon_ns, rng, least_dispersion=0, paths=paths)
    so_far = float(spent[starts_ns >= start_ns].sum())
    course = so_far + np.cumsum(drawn.consumed, axis=1)
    low, median, high = np.quantile(course, [0.1, 0.5, 0.9], axis=0)
    final = course[:, -1]
    return SpendForecast(
        now_ns=now_ns, start_ns=start_ns, end_ns=end_ns, horizon_ns=horizon_ns,
        history_ns=history.days * DAY_HOURS * HOUR_NS, weekly=history.days >= WEEK_DAYS, so_far=so_far,
        total=Interval.of(final), expected=float(final.mean()),
        p_over=None if limit is None else float((final > limit).mean()),
        ends_ns=drawn.ends_ns, low=low, median=median, high=high,
    )  # fmt: skip
