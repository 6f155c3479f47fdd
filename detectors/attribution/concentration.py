"""Is a slice's share of the bad events more than its share of a general deterioration: a scan statistic per slice.

Expected without trouble: the sum a_s of the expected rates of the slice's records, calibrated by how the slice did in
the baseline against the same expectation: e_s = a_s (b_s + kappa) / (c_s + kappa), with b_s bad and c_s expected events
of the baseline (a standardised ratio, shrunk to 1 by kappa events; its relative variance is 1 / (b_s + kappa)).

Were the excess of all traffic spread evenly, every event would have the same part d of it. The null of "no slice in
particular" thus gives slice s the share

    w_s = (e_s + n_s d) / (e_s + n_s d + e_o + n_o d)                    (o: all events outside s)

of the B bad events. Score: the log-likelihood ratio B_s ln(B_s / B w) + (B - B_s) ln((B - B_s) / B (1 - w)).
Evidence: P(binomial(B, w) >= B_s), with counts divided by 1 + (variance from estimating e) / (binomial variance), so
that a short or thin baseline weakens the evidence instead of making it up; times the number of slices (Bonferroni).

Assumes: bad events independent given the rates. Events that fail in clusters within one slice (one bad batch) make
p-values too small; the material conditions of the search stand beside them.
Guarantee: when the excess is spread evenly, P(any p <= alpha) <= alpha, up to the moment-matched correction above.

Source: Kulldorff, "A spatial scan statistic", Communications in Statistics 1997; Neill, "Expectation-based scan
statistics for monitoring spatial time series data", Int. J. Forecasting 2009; the shrunk ratio: Clayton, Kaldor,
Biometrics 1987.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from detectors.attribution.tallies import Tallies

SHRINKAGE: Final = 5.0
"""kappa: slices of one stratum are taken to differ by about 1 / sqrt(5) = 45 % before the baseline says otherwise."""
SUPPORT: Final = 5
"""Events that a slice, and all events outside it, need for the slice to be considered: below, no p-value convinces a
person. The evidence itself is judged by the p-value, so the first seconds of an outage can name a slice."""


@dataclass(frozen=True, slots=True, eq=False)
class Concentration:
    """(slices,) arrays.

    Attributes:
        supported: enough events inside and outside.
        expected: bad events without trouble.
        excess: bad events beyond those.
        rate_outside: excess an event outside the slice, at least 0.
        score: log-likelihood ratio, 0 where the slice has no more than its share.
        p_value: adjusted for the number of supported slices.
    """

    supported: NDArray[np.bool_]
    expected: NDArray[np.float64]
    excess: NDArray[np.float64]
    rate_outside: NDArray[np.float64]
    score: NDArray[np.float64]
    p_value: NDArray[np.float64]


def concentration(slices: Tallies, whole: Tallies) -> Concentration:
    """How concentrated the excess of ``whole`` (one slice) is in each of ``slices``."""
    rest = slices.rest_of(whole)
    (expected, variance), (expected_out, variance_out) = _calibrated(slices), _calibrated(rest)
    excess, excess_out = slices.bad - expected, rest.bad - expected_out
    even = np.maximum(excess + excess_out, 0.0) / np.maximum(whole.total, 1.0)
    mass, mass_out = expected + slices.total * even, expected_out + rest.total * even
    share = np.divide(mass, mass + mass_out, out=np.zeros(len(mass)), where=mass + mass_out > 0)
    supported = (slices.total >= SUPPORT) & (rest.total >= SUPPORT) & (share > 0) & (share < 1)
    share = np.where(supported, share, 0.5)
    score = np.where(supported & (slices.bad > whole.bad * share), _score(slices.bad, rest.bad, share), 0.0)
    binomial_variance = np.maximum(whole.bad * share * (1 - share), 1e-300)
    inflation = 1 + ((1 - share) ** 2 * variance + share**2 * variance_out) / binomial_variance
    p_value = _binomial_tail(slices.bad / inflation, whole.bad / inflation, share)
    adjusted = np.where(supported, np.minimum(p_value * max(int(supported.sum()), 1), 1.0), 1.0)
    return Concentration(
        supported, expected, excess, np.maximum(excess_out, 0.0) / np.maximum(rest.total, 1.0), score, adjusted
    )


def excess_p_value(whole: Tallies, records_before: int) -> float:
    """P(at least as many bad events | the baseline's rates): the exact conditional test of two Poisson counts.

    Given B + b, B is binomial with odds t, the later exposure over the earlier one, where exposure is the sum of
    expected rates (records, when the baseline has no bad event). 0 without a baseline.

    Source: Przyborowski, Wilenski, Biometrika 1940.
    """
    bad, bad_before = float(whole.bad[0]), float(whole.bad_before[0])
    if bad <= 0 or not records_before:
        return 1.0 if bad <= 0 else 0.0
    if whole.expected_before[0] > 0:
        odds = float(whole.expected[0] / whole.expected_before[0])
    else:
        odds = float(whole.total[0]) / records_before

    return float(scipy.special.betainc(bad, bad_before + 1.0, odds / (1.0 + odds)))


def _calibrated(slices: Tallies) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected bad events and the variance of that expectation."""
    ratio = (slices.bad_before + SHRINKAGE) / (slices.expected_before + SHRINKAGE)
    # A record is bad at most once, however badly its slice did before.
    expected = np.minimum(slices.expected * ratio, slices.total)
    return expected, expected**2 / (slices.bad_before + SHRINKAGE)


def _score(bad: NDArray[np.float64], rest: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = bad + rest
    xlogy = scipy.special.xlogy
    inside = xlogy(bad, bad) - xlogy(bad, whole * share)
    return np.asarray(inside + xlogy(rest, rest) - xlogy(rest, whole * (1 - share)))


def _binomial_tail(k: NDArray[np.float64], n: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(binomial(n, p) >= k), continued to real k and n by the incomplete beta function; 1 at k = 0."""
    return np.where(k > 0, scipy.special.betainc(np.maximum(k, 1e-12), np.maximum(n - k, 0.0) + 1.0, p), 1.0)
