"""Whether consumption runs at another level since some hour, and since which: a posterior over the last change.

Method: one change point at an unknown hour (Smith 1975; Raftery & Akman 1986), with the geometric prior of Bayesian
online change point detection (Adams & MacKay 2007). Before a change at k the rate (consumed by exposure) is known from
the hours before k, after it the rate is new, with the prior of half an event's worth. The weight of k is
hazard (1 - hazard)^L times the ratio of the two predictive probabilities of the L hours since k (Gamma-Poisson), that
of no change (1 - hazard)^T.

Assumption: hours are overdispersed Poisson; counts and exposure are divided by the dispersion (the usual
quasi-likelihood: Wedderburn 1974), which is Pearson's chi-squared per degree of freedom: that of the hours before k,
towards a stretch of a day that of whole days; or that of the hours since k where it is larger, since an incident that
is over is no new level. The rate's course over the hours of the day is taken out first.

How long the present level lasts is not known; that it began L hours ago says P(it lasts r more hours) = L / (L + r)
(Gott 1993: the scale-free prior). Checked as part of the forecasts' coverage (benchmarks/forecast.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy

from detectors.forecast.history import DAY_HOURS, Floats, Hourly

HAZARD: Final = 1 / (14 * DAY_HOURS)
"""A change every two weeks, before anything was seen."""
_PRIOR: Final = 0.5
_EVEN: Final = 1e-3
"""No hour is known better than to a thirtieth of itself."""
_PROFILE_WEIGHT: Final = 20.0
"""Consumption, in units of its dispersion, that a course over the day needs to be believed half."""


@dataclass(frozen=True, slots=True)
class LastChange:
    """Candidates for the last change, and what is known of each.

    Attributes:
        lengths: (k,) hours since the change; the last entry, 0, is no change.
        weights: (k,) posterior, sums to 1.
        shape, rate: (k,) the Gamma posterior of consumption per ``exposure`` since the change.
        dispersion: (k,) variance by mean of an hour's consumption.
        times: (k,) the level since the change by the one before it.
        profile: (24,) factor on exposure by hour of the day, counted from ``Hourly.end_ns``.
    """

    lengths: Floats
    weights: Floats
    shape: Floats
    rate: Floats
    dispersion: Floats
    times: Floats
    profile: Floats

    @property
    def probability(self) -> float:
        """That the level changed at all within the history."""
        return float(1 - self.weights[-1])

    @property
    def likeliest(self) -> int:
        """Index of the likeliest change."""
        return int(np.argmax(self.weights[:-1]))


def last_change(history: Hourly, least_dispersion: float) -> LastChange:
    """The posterior of the last change; at least two days of history."""
    profile = _day_profile(history, least_dispersion)
    exposure, consumed = history.hours
    exposure = exposure * np.tile(profile, history.days)
    size = len(exposure)
    least_dispersion = max(least_dispersion, _EVEN * float(consumed.mean()))
    lengths = np.arange(1, min(size - DAY_HOURS, 21 * DAY_HOURS) + 1)
    past = size - lengths
    sums_e, sums_x = np.concatenate([[0], np.cumsum(exposure)]), np.concatenate([[0], np.cumsum(consumed)])
    past_x, past_e = sums_x[past], np.maximum(sums_e[past], 1e-300)
    level = np.maximum((past_x + _PRIOR * least_dispersion) / past_e, 1e-300)
    dispersion = np.maximum(_dispersion(exposure, consumed, level, past), least_dispersion)
    daily = _dispersion(_by_day(exposure), _by_day(consumed), level, past // DAY_HOURS)
    dispersion = dispersion + np.maximum(daily - dispersion, 0) * np.minimum(lengths / DAY_HOURS, 1)
    dispersion = np.maximum(dispersion, _dispersion_since(exposure, consumed, lengths))
    seen = (sums_x[size] - past_x) / dispersion
    expected = level * (sums_e[size] - sums_e[past]) / dispersion
    known = _PRIOR + past_x / dispersion
    log_ratio = _log_predictive(seen, expected, np.full_like(known, _PRIOR)) - _log_predictive(seen, expected, known)
    log_prior = np.log(HAZARD) + lengths * np.log1p(-HAZARD)
    log_weights = np.append(log_ratio + log_prior, size * np.log1p(-HAZARD))
    weights = np.exp(log_weights - log_weights.max())
    return LastChange(
        np.append(lengths, 0).astype(np.float64),
        weights / weights.sum(),
        np.append(_PRIOR + seen, 1.0),
        np.append((_PRIOR + expected) / level, 1.0),
        np.append(dispersion, 1.0),
        np.append((_PRIOR + seen) / (_PRIOR + expected), 1.0),
        profile,
    )


def _log_predictive(seen: Floats, expected: Floats, shape: Floats) -> Floats:
    """Log probability of ``seen`` under Poisson of ``expected`` times a Gamma(shape, shape) level, up to seen! ."""
    rising = scipy.special.gammaln(shape + seen) - scipy.special.gammaln(shape)
    return np.asarray(shape * np.log(shape) + rising - (shape + seen) * np.log(shape + expected))


def _dispersion(exposure: Floats, consumed: Floats, level: Floats, counts: np.ndarray) -> Floats:
    """(k,) Pearson's dispersion of the first ``counts`` entries around each of ``level``; 0 where there are too few."""
    busy = exposure > 0
    squares = np.divide(consumed**2, exposure, out=np.zeros_like(exposure), where=busy)
    of_squares, of_x, of_e, of_n = (
        np.concatenate([[0], np.cumsum(part)]) for part in (squares, consumed * busy, exposure, busy.astype(float))
    )
    free = of_n[counts] - 1
    chi = of_squares[counts] / level - 2 * of_x[counts] + level * of_e[counts]
    return np.asarray(np.divide(chi, free, out=np.zeros_like(chi), where=free > 1))


def _dispersion_since(exposure: Floats, consumed: Floats, lengths: np.ndarray) -> Floats:
    """(k,) Pearson's dispersion of the last ``lengths`` hours around their own level; 0 for fewer than three."""
    busy = exposure > 0
    squares = np.divide(consumed**2, exposure, out=np.zeros_like(exposure), where=busy)
    of_squares, of_x, of_e = (np.cumsum(part[::-1])[lengths - 1] for part in (squares, consumed * busy, exposure))
    chi = of_squares * np.divide(of_e, of_x, out=np.zeros_like(of_x), where=of_x > 0) - of_x
    return np.where(lengths >= 3, chi / np.maximum(lengths - 1, 1), 0.0)


def _by_day(hours: Floats) -> Floats:
    return np.asarray(hours.reshape(-1, DAY_HOURS).sum(axis=1))


def _day_profile(history: Hourly, least_dispersion: float) -> Floats:
    """(24,) how consumption per exposure goes over the day, drawn towards 1 as far as little was seen."""
    exposure, consumed = history.exposure.sum(axis=0), history.consumed.sum(axis=0)
    level = consumed.sum() / max(float(exposure.sum()), 1e-300)
    expected = level * exposure
    spread = np.divide(
        (history.consumed - level * history.exposure) ** 2, level * history.exposure,
        out=np.zeros_like(history.exposure), where=level * history.exposure > 0,
    ).mean()  # fmt: skip
    weight = _PROFILE_WEIGHT * max(float(spread), least_dispersion)
    return np.asarray((consumed + weight) / (expected + weight))
