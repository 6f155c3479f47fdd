"""Paths of exposure and consumption in the time to come, drawn from the past; what they mean is for who asked.

Method: days of the past are drawn as blocks for the days to come, hour of the day on hour of the day (seasonal block
bootstrap: Dudek et al. 2014), so that clusters of bad events within a day stay clusters. Each path first draws weights
of the past days of its own, from a Dirichlet distribution (Bayesian bootstrap: Rubin 1981), so that the interval holds
what is not known of the level, too, and not only the noise around it. Recent days weigh more, half as much every
``HALF_LIFE_DAYS`` back. With two weeks of history, days are scaled by how busy their day of the week is (hour of the
week in effect); with less than one, the week is not known, and forecasts reach no further than the history is long.

Each of n past days is the worst with equal probability, so one to come is worse than all of them with probability
1 / (n + 1) (Hill 1968): such a day is the worst one, times a Pareto factor whose index the worst fifth of the days tell
(Hill 1975). Days that resemble the day before them count for fewer than there are: their weights are as uneven as those
of n (1 - r) / (1 + r) days, r being the correlation of a day with the next. How often days come that are worse than any
is hardly known from one week: their share differs more between paths than that of days that were seen.

A level that changed lately (:mod:`detectors.forecast.change`) goes on for a time that each path draws; then days of the
past follow. Where the past shows that levels change (:mod:`detectors.forecast.levels`), they go on to change in each
path, to levels that need not have been seen, and the days drawn are scaled to them. What never happened may: a path's
rate has a floor of half an event in the whole history (Jeffreys).

Assumptions: days are exchangeable but for their age and weekday; no trend beyond changes of level; nothing is
known of events that never happened before. Source of the overdispersion: the days themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.forecast.change import LastChange, last_change
from detectors.forecast.history import DAY_HOURS, HOUR_NS, Floats, Hourly
from detectors.forecast.levels import Levels, levels_of

LEAST_DAYS: Final = 2
WEEK_DAYS: Final = 14
"""Whole weeks that a day of the week must have been seen in before it counts: two."""
PATHS: Final = 400
HALF_LIFE_DAYS: Final = 14.0
_FINE_HOURS: Final = 48
_WEEK_HOURS: Final = 7 * DAY_HOURS
_MONTH_HOURS: Final = 35 * DAY_HOURS
_WORST: Final = 1e3
_UNSEEN: Final = 1.5
"""The weight of days that are worse than any, by that of a day that was seen: one (Hill), and as much again as half."""
_UNSEEN_SHAPE: Final = 0.4
"""... of which each path draws its own share, so uneven: in most there are none, in some there are many."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Simulated courses.

    Attributes:
        ends_ns: (steps,) where each step ends; the first begins now.
        exposure, consumed: (paths, steps) what each step adds.
        change: what was believed of the last change of level.
    """

    ends_ns: NDArray[np.int64]
    exposure: Floats
    consumed: Floats
    change: LastChange


def reach_ns(history: Hourly) -> int:
    """How far a forecast may reach: as long as the history within its first week, four times as long later."""
    span_ns = history.days * DAY_HOURS * HOUR_NS
    return span_ns if history.days < _WEEK_HOURS // DAY_HOURS else 4 * span_ns


def simulate(
    history: Hourly, now_ns: int, end_ns: int, rng: np.random.Generator, *, least_dispersion: float, paths: int = PATHS
) -> Paths:
    """Draw ``paths`` courses from ``now_ns`` to ``end_ns``.

    ``least_dispersion``: variance by mean of consumption below which nothing can be: 1 for counts, 0 for money.
    """
    bounds = _bounds((now_ns - history.end_ns) / HOUR_NS, (end_ns - history.end_ns) / HOUR_NS)
    low, high = bounds[:-1], bounds[1:]
    day = (low // DAY_HOURS).astype(np.intp)
    levels = levels_of(history, least_dispersion)
    chosen, scale, worst = _days(history, levels, int(day[-1]) + 1, rng, paths)
    luck = rng.random(paths)
    steps = np.arange(len(day))
    drawn, factor = chosen[:, day], scale[:, day]
    exposure = _cut(history.exposure, low, high, day)[drawn, steps] * factor
    consumed = _cut(history.consumed, low, high, day)[drawn, steps] * factor * worst[:, day]
    if levels.change:
        consumed = consumed * np.exp(levels.course(low, luck, rng) - levels.of_day[drawn])
    if least_dispersion > 0:
        unseen = rng.standard_gamma(0.5, paths) * least_dispersion / max(float(history.exposure.sum()), 1e-300)
        consumed = consumed + exposure * unseen[:, None]
    change = last_change(history, least_dispersion)
    consumed = _go_on(change, exposure, consumed, low, luck, rng)
    if least_dispersion > 0:
        consumed = np.minimum(consumed, exposure)
    return Paths(history.end_ns + (high * HOUR_NS).astype(np.int64), exposure, consumed, change)


def _bounds(start: float, end: float) -> Floats:
    """Steps in hours since the running hour began: an hour long, later three, six and 24; none crosses a day."""
    grid = np.concatenate(
        [
            np.arange(1, _FINE_HOURS), np.arange(_FINE_HOURS, _WEEK_HOURS, 3), np.arange(_WEEK_HOURS, _MONTH_HOURS, 6),
            np.arange(_MONTH_HOURS, max(end, _MONTH_HOURS) + DAY_HOURS, DAY_HOURS),
        ]
    )  # fmt: skip
    return np.concatenate([[start], grid[(grid > start) & (grid < end)], [end]])


def _days(
    history: Hourly, levels: Levels, days: int, rng: np.random.Generator, paths: int
) -> tuple[NDArray[np.intp], Floats, Floats]:
    """(paths, days) which past day each coming one is drawn from, what it is scaled by, and its consumption besides."""
    ratio = history.consumed.sum(axis=1) / np.maximum(history.exposure.sum(axis=1), 1e-300)
    if levels.change:
        ratio = ratio / np.exp(levels.of_day - levels.stretches[0])
    age = 0.5 ** (np.arange(history.days) / HALF_LIFE_DAYS)
    alike = _independence(ratio)
    weights = rng.standard_gamma(age * alike, (paths, history.days))
    worse = rng.standard_gamma(_UNSEEN_SHAPE * _UNSEEN * age.mean() * alike, paths) / _UNSEEN_SHAPE
    weights = np.column_stack([weights, worse])
    bounds = np.cumsum(np.maximum(weights, 1e-200), axis=1)
    # One search serves all paths: path p's bounds lie between p and p + 1.
    scaled = bounds / bounds[:, -1:] * (1 - 1e-9) + np.arange(paths)[:, None]
    wanted = rng.random((paths, days)) + np.arange(paths)[:, None]
    found = np.searchsorted(scaled.ravel(), wanted.ravel()).reshape(paths, days)
    chosen = np.clip(found - np.arange(paths)[:, None] * (history.days + 1), 0, history.days)
    beyond = chosen == history.days
    worst = np.where(beyond, rng.random((paths, days)) ** (-1 / _tail_index(ratio, rng, paths)[:, None]), 1.0)
    chosen = np.where(beyond, int(np.argmax(ratio)), chosen)
    busy = weekdays(history.exposure.sum(axis=1))
    return chosen, busy[-np.arange(days) % 7] / busy[(chosen + 1) % 7], np.minimum(worst, _WORST)


def _independence(ratio: Floats) -> float:
    """Independent days by days, within (0, 1]: (1 - r) / (1 + r), r the correlation of a day with the next."""
    logs = np.log(ratio + 0.1 * ratio.mean() + 1e-300)
    spread = logs - logs.mean()
    norm = float(spread @ spread)
    if norm <= 0:
        return 1.0
    r = float(spread[1:] @ spread[:-1]) / norm * len(ratio) / (len(ratio) + 4)
    return (1 - max(r, 0.0)) / (1 + max(r, 0.0))


def _tail_index(ratio: Floats, rng: np.random.Generator, paths: int) -> Floats:
    """(paths,) Pareto indices of days worse than any: Hill's estimator over the worst fifth, with a prior of 2."""
    ordered = np.sort(ratio + 1e-300)[::-1]
    count = max(min(len(ordered) - 1, 3), len(ordered) // 5)
    excess = float(np.log(ordered[:count] / ordered[count]).sum())
    return rng.standard_gamma(1.3 + count, paths) / (1.0 + min(excess, 50.0))


def weekdays(total: Floats) -> Floats:
    """(7,) how busy a day of the week is, by the (days,) sums of days back from now; 0 is the day that begins now.

    Drawn towards 1 with the weight of one day.
    """
    days = len(total)
    if days < WEEK_DAYS:
        return np.ones(7)
    mean = max(float(total.mean()), 1e-300)
    kind = (np.arange(days) + 1) % 7
    return np.asarray((np.bincount(kind, total / mean, 7) + 1) / (np.bincount(kind, minlength=7) + 1))


def _cut(hours: Floats, low: Floats, high: Floats, day: NDArray[np.intp]) -> Floats:
    """(past days, steps) what each past day has in the hours of each step."""
    sums = np.concatenate([np.zeros((len(hours), 1)), np.cumsum(hours, axis=1)], axis=1)

    def until(bound: Floats) -> Floats:
        place = bound - day * DAY_HOURS
        whole = np.minimum(place.astype(np.intp), DAY_HOURS - 1)
        part = place - whole
        return np.asarray(sums[:, whole] * (1 - part) + sums[:, whole + 1] * part)

    return until(high) - until(low)


def _go_on(
    change: LastChange, exposure: Floats, consumed: Floats, low: Floats, luck: Floats, rng: np.random.Generator
) -> Floats:
    """Consumption with the level since the last change in place of the past days', as long as it lasts."""
    paths = len(exposure)
    which = rng.choice(len(change.weights), size=paths, p=change.weights)
    since = change.lengths[which]
    lasts = since * (1 / np.maximum(luck, 1e-12) - 1)
    rate = rng.standard_gamma(change.shape[which]) / change.rate[which]
    place, step = np.nonzero((low[None, :] < lasts[:, None]) & (since > 0)[:, None])
    if not len(place):
        return consumed
    mean = exposure[place, step] * change.profile[(low[step] % DAY_HOURS).astype(np.intp)] * rate[place]
    spread = change.dispersion[which][place]
    level = consumed.copy()
    level[place, step] = rng.standard_gamma(mean / spread) * spread
    return level
