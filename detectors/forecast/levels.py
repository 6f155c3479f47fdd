"""Levels at which consumption ran in the past, and those to come, where the history shows that levels change.

Method: the days' logarithms of consumption per exposure, running medians of three (so that an incident of a day is no
level), are parted into stretches of one mean each by optimal partitioning (Jackson et al. 2005) under a Gaussian cost;
the noise is that of differences between neighbours (MAD), and a change must be worth ``_PENALTY`` ln n. Where there is
one stretch only, levels are not known to change and nothing is drawn.

Else changes go on to come: as a Poisson process whose rate has the Gamma posterior of the K changes that T hours showed
(Jeffreys' prior). The level that runs now lasts as :mod:`detectors.forecast.change` says. Each later one is drawn from
the predictive distribution of the past ones' logarithms, a Student t (conjugate normal model; Gelman et al. 2013,
section 3.3) with the prior that a level is, as often as not, within a factor of ``exp(_SPREAD x 0.7)`` of their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from detectors.forecast.history import DAY_HOURS, Floats, Hourly

_PENALTY: Final = 3.0
_LEAST_STRETCH: Final = 2
"""Days that a level must have lasted."""
_LEAST_SHIFT: Final = 0.2
"""Of the logarithm: neighbours that differ by less are one level."""
_SPREAD: Final = 0.7
_PRIOR_LEVELS: Final = 2.0
_MOST_CHANGES: Final = 100


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of the past.

    Attributes:
        of_day: (days,) logarithm of the level of each past day, the newest first.
        stretches: (k,) the levels, the newest first; one where they are not known to change.
        lasted: hours since the last change.
    """

    of_day: Floats
    stretches: Floats
    lasted: float

    @property
    def change(self) -> bool:
        """Whether the past shows that levels change."""
        return len(self.stretches) > 1

    def course(self, low: Floats, luck: Floats, rng: np.random.Generator) -> Floats:
        """(paths, steps) the logarithm of the level in steps that begin at ``low`` (hours from now).

        ``luck``: (paths,) how long the present level lasts, within (0, 1): ``lasted`` (1 / luck - 1) hours.
        """
        paths, changes = len(luck), len(self.stretches) - 1
        rate = rng.standard_gamma(changes + 0.5, paths) / (DAY_HOURS * len(self.of_day))
        until = self.lasted * (1 / np.maximum(luck, 1e-12) - 1)
        course = np.full((paths, len(low)), self.stretches[0])
        for _ in range(_MOST_CHANGES):
            if not (until < low[-1]).any():
                break
            course = np.where(low[None, :] >= until[:, None], self._drawn(paths, rng)[:, None], course)
            until = until + rng.standard_exponential(paths) / rate
        return course

    def _drawn(self, paths: int, rng: np.random.Generator) -> Floats:
        n = len(self.stretches)
        free = _PRIOR_LEVELS + n - 1
        squares = float(((self.stretches - self.stretches.mean()) ** 2).sum())
        scale = np.sqrt((_PRIOR_LEVELS * _SPREAD**2 + squares) / free * (1 + 1 / n))
        return np.asarray(self.stretches.mean() + scale * rng.standard_t(free, paths))


def levels_of(history: Hourly, least_dispersion: float) -> Levels:
    """The levels of a history of at least two days."""
    exposure, consumed = history.exposure.sum(axis=1)[::-1], history.consumed.sum(axis=1)[::-1]
    usual = float(np.median(consumed))
    floor = 0.5 * max(least_dispersion, 1e-3 * usual)
    logs = np.log((consumed + floor) / np.maximum(exposure, 1e-300))
    noise = 1.4826 * float(np.median(np.abs(np.diff(logs)))) / np.sqrt(2)
    noise = max(noise, np.sqrt(max(least_dispersion, 0.0) / (usual + floor)), 1e-3)
    bounds = _merged(logs, _parted(_medians(logs), noise))
    of_day = np.concatenate([np.full(end - start, np.median(logs[start:end])) for start, end in pairwise(bounds)])
    stretches = np.asarray([of_day[start] for start in bounds[:-1]])[::-1]
    return Levels(of_day[::-1], stretches, float(DAY_HOURS * (bounds[-1] - bounds[-2])))


def _medians(values: Floats) -> Floats:
    """(n,) running medians of three; the ends stay."""
    if len(values) < 3:
        return values
    inner = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return np.concatenate([values[:1], inner, values[-1:]])


def _parted(values: Floats, noise: float) -> list[int]:
    """Bounds of the stretches, from 0 to n, by optimal partitioning."""
    n = len(values)
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (values, values**2))
    penalty = _PENALTY * np.log(n)
    best, before = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.intp)
    best[0] = -penalty
    for end in range(_LEAST_STRETCH, n + 1):
        starts = np.arange(0, end - _LEAST_STRETCH + 1)
        mean_square = (sums[end] - sums[starts]) ** 2 / (end - starts)
        costs = best[starts] + (squares[end] - squares[starts] - mean_square) / noise**2 + penalty
        before[end] = starts[np.argmin(costs)]
        best[end] = costs.min()
    bounds = [n]
    while bounds[-1] > 0:
        bounds.append(int(before[bounds[-1]]))
    return bounds[::-1]


def _merged(logs: Floats, bounds: list[int]) -> list[int]:
    """``bounds`` without those between neighbours that hardly differ."""
    kept = list(bounds)
    place = 1
    while place < len(kept) - 1:
        earlier, later = (np.median(logs[kept[i] : kept[i + 1]]) for i in (place - 1, place))
        if abs(earlier - later) < _LEAST_SHIFT:
            del kept[place]
        else:
            place += 1
    return kept
