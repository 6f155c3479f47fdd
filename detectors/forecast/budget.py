"""When a budget will be exhausted, and what will be left of it: a forecast with intervals. It alerts nobody.

Method: paths of events and bad events (:mod:`detectors.forecast.paths`) are added to what the window holds already. A
rolling window loses at every step what is older than its length, so a bad day that leaves it gives budget back. Of a
calendar period the budget is that of the whole period: its events so far and those that a path adds; spent once, it
stays spent.

    rolling   exhausted at t:  bad(t - W, t] >= (1 - objective) total(t - W, t]
    calendar  exhausted at t:  bad(start, t] >= (1 - objective) total(start, end]

The forecast of one SLO, group and minute is always the same: its seed is their hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.forecast.history import DAY_HOURS, Floats, Times, hourly, too_short
from detectors.forecast.interval import COVERAGE, Interval
from detectors.forecast.paths import LEAST_DAYS, PATHS, WEEK_DAYS, Paths, reach_ns, simulate
from detectors.forecast.usual import against_usual
from telemetry.windows import NANOS

LEAST_EVENTS: Final = 100
"""Events in the history below which nothing is said."""
CHANGED: Final = 0.8
"""Probability from which on a change of level is spoken of, if it is one by ``MARKED`` at least."""
MARKED: Final = 1.5


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known of one budget: (k,) buckets at most an hour wide, ascending; ``bad`` of ``total`` events."""

    starts_ns: Times
    total: Floats
    bad: Floats


@dataclass(frozen=True, slots=True)
class Change:
    """The level of bad events is another since ``since_ns``: ``times`` what it was."""

    probability: float
    since_ns: int
    times: float


@dataclass(frozen=True, slots=True)
class BudgetForecast:
    """What may become of a budget.

    Attributes:
        now_ns: when it was made.
        horizon_ns: how far it reaches: to ``window_end_ns``, or as far as the history permits.
        window_end_ns: the calendar period's end, or one window's length from now.
        history_ns: the length of the history it rests on.
        weekly: whether the history tells the days of the week apart.
        remaining_now: share of the budget left.
        p_exhausted: probability that nothing is left at some time until the horizon; 1 when nothing is left now.
        p_exhausted_at_end: that nothing is left at the horizon.
        exhaustion_ns: when, over all paths; infinite on those where never.
        at_end: share that is left at the horizon.
        expected: its mean.
        ends_ns, low, median, high: (steps,) what is left at each step's end.
        change: a change of level lately, if one is likely.
    """

    now_ns: int
    horizon_ns: int
    window_end_ns: int
    history_ns: int
    weekly: bool
    remaining_now: float
    p_exhausted: float
    p_exhausted_at_end: float
    exhaustion_ns: Interval
    at_end: Interval
    expected: float
    ends_ns: Times
    low: Floats
    median: Floats
    high: Floats
    change: Change | None

    def to_json(self) -> dict[str, Any]:
        """The forecast as the API shows it: seconds since the epoch, shares, null for never."""
        change = self.change
        return {
            "enough_data": True, "reason": None, "at": self.now_ns / NANOS, "horizon": self.horizon_ns / NANOS,
            "window_end": self.window_end_ns / NANOS, "history_s": self.history_ns / NANOS,
            "seasonality": "hour of the week" if self.weekly else "hour of the day", "coverage": COVERAGE,
            "remaining": self.remaining_now, "p_exhausted": self.p_exhausted,
            "p_exhausted_at_end": self.p_exhausted_at_end,
            "exhaustion": Interval(*(at / NANOS for at in _of(self.exhaustion_ns))).to_json(),
            "remaining_at_end": {**self.at_end.to_json(), "expected": self.expected},
            "change": None if change is None else {
                "probability": change.probability, "since": change.since_ns / NANOS, "times": change.times,
            },
            "fan": [
                {"t": end / NANOS, "low": low, "median": median, "high": high}
                for end, low, median, high in zip(
                    self.ends_ns.tolist(), self.low.tolist(), self.median.tolist(), self.high.tolist(), strict=True
                )
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class TooLittle:
    """No forecast, and why."""

    now_ns: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The refusal as the API shows it."""
        return {"enough_data": False, "reason": self.reason, "at": self.now_ns / NANOS}


def forecast_budget(
    counts: Counts,
    *,
    error_budget: float,
    now_ns: int,
    window_ns: int | None,
    period: tuple[int, int] | None,
    seed: str,
    allowance: float | None = None,
    paths: int = PATHS,
) -> BudgetForecast | TooLittle:
    """The forecast of one budget.

    Args:
        counts: what is known, from before the window where possible.
        error_budget: 1 - objective.
        now_ns: buckets that begin later are not known yet.
        window_ns: length of a rolling window; None for a calendar period.
        period: start and end of the running calendar period; None for a rolling window.
        seed: names of the SLO and group.
        allowance: the budget where it is an amount; ``counts.bad`` is then what was spent, and a share means nothing.
        paths: how many courses are drawn.
    """
    known = counts.starts_ns <= now_ns
    counts = Counts(counts.starts_ns[known], counts.total[known], counts.bad[known])
    history = hourly(counts.starts_ns, counts.total, counts.bad, now_ns)
    if history.days < LEAST_DAYS:
        return TooLittle(now_ns, too_short(LEAST_DAYS, "counts", counts.starts_ns, now_ns))
    events = float(history.exposure.sum())
    if allowance is None and events < LEAST_EVENTS:
        return TooLittle(now_ns, f"a forecast needs {LEAST_EVENTS} events, and the history has {events:.0f}")
    if allowance is not None:
        if not history.consumed.any():
            return TooLittle(now_ns, "nothing was spent in the history")
        history = against_usual(history)
    window_end_ns = now_ns + window_ns if window_ns is not None else _end(period)
    horizon_ns = min(window_end_ns, now_ns + reach_ns(history))
    rng = np.random.default_rng(seed_of(seed, now_ns))
    drawn = simulate(history, now_ns, horizon_ns, rng, least_dispersion=1 if allowance is None else 0, paths=paths)
    start_ns = now_ns - window_ns if window_ns is not None else _start(period)
    total_now, bad_now = (_within(counts.starts_ns, part, start_ns) for part in (counts.total, counts.bad))
    total, bad = np.cumsum(drawn.exposure, axis=1), np.cumsum(drawn.consumed, axis=1)
    if window_ns is not None:
        starts = drawn.ends_ns - window_ns
        total = total + _since(counts.starts_ns, counts.total, starts)
        bad = bad + _since(counts.starts_ns, counts.bad, starts)
        allowed = error_budget * total
    else:
        total, bad = total + total_now, bad + bad_now
        # Of a period that the forecast does not reach the end of, the rest is taken to be as busy as what it reaches.
        beyond = (window_end_ns - horizon_ns) / max(horizon_ns - now_ns, 1)
        allowed = error_budget * (total[:, -1:] + beyond * (total[:, -1:] - total_now))
    shown, shown_now = error_budget * total, error_budget * total_now
    if allowance is not None:
        allowed, shown, shown_now = np.full((1, 1), allowance), np.full_like(bad, allowance), allowance
    remaining = _remaining(bad, shown)
    remaining_now = float(_remaining(np.asarray(bad_now), np.asarray(shown_now)))
    gone = bad >= np.maximum(allowed, 1e-300)
    out_now = remaining_now <= 0 if window_ns is not None else False
    times = np.full(paths, float(now_ns)) if out_now else _first(gone, drawn.ends_ns, now_ns)
    low, median, high = np.quantile(remaining, [0.1, 0.5, 0.9], axis=0)
    return BudgetForecast(
        now_ns=now_ns, horizon_ns=horizon_ns, window_end_ns=window_end_ns,
        history_ns=history.days * DAY_HOURS * 3600 * NANOS, weekly=history.days >= WEEK_DAYS,
        remaining_now=remaining_now, p_exhausted=float(np.isfinite(times).mean()),
        p_exhausted_at_end=float(gone[:, -1].mean()), exhaustion_ns=Interval.of(times),
        at_end=Interval.of(remaining[:, -1]), expected=float(remaining[:, -1].mean()),
        ends_ns=drawn.ends_ns, low=low, median=median, high=high, change=_change(drawn, history.end_ns),
    )  # fmt: skip


def seed_of(text: str, now_ns: int) -> int:
    """A seed that is the same for the same names and the same minute."""
    minute = now_ns // (60 * NANOS)
    return int.from_bytes(hashlib.blake2b(f"{text} {minute}".encode(), digest_size=8).digest(), "big")


def _remaining(bad: Floats, allowed: Floats) -> Floats:
    return np.asarray(1 - np.divide(bad, allowed, out=np.zeros(np.shape(bad)), where=allowed > 0))


def _within(starts_ns: Times, values: Floats, from_ns: int) -> float:
    return float(values[np.searchsorted(starts_ns, from_ns) :].sum())


def _since(starts_ns: Times, values: Floats, from_ns: Times) -> Floats:
    """(steps,) what lies in known buckets that begin at or after each time."""
    sums = np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])
    return np.asarray(sums[np.searchsorted(starts_ns, from_ns)])


def _first(gone: NDArray[np.bool_], ends_ns: Times, now_ns: int) -> Floats:
    """(paths,) the middle of the step in which a path's budget goes, infinite where it stays."""
    starts = np.concatenate([[now_ns], ends_ns[:-1]])
    middle = (starts + (ends_ns - starts) / 2).astype(np.float64)
    return np.where(gone.any(axis=1), middle[gone.argmax(axis=1)], np.inf)


def _change(drawn: Paths, end_ns: int) -> Change | None:
    change = drawn.change
    if change.probability < CHANGED:
        return None
    best = change.likeliest
    if 1 / MARKED < change.times[best] < MARKED:
        return None
    lasted_ns = int(change.lengths[best]) * 3600 * NANOS
    return Change(change.probability, end_ns - lasted_ns, float(change.times[best]))


def _of(interval: Interval) -> tuple[float, float, float]:
    return interval.low, interval.median, interval.high


def _start(period: tuple[int, int] | None) -> int:
    assert period is not None
    return period[0]


def _end(period: tuple[int, int] | None) -> int:
    assert period is not None
    return period[1]
