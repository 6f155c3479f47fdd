"""Confidence intervals for a quantile from order statistics, at one look or at all of them; they assume no shape.

Which ranks l < u of the sorted sample bracket the p-quantile q? The number S of values up to q (ties split at random)
is binomial(n, p), and X_(l) <= q when S >= l, q <= X_(u) when S <= u - 1.

Fixed n: P(S <= l - 1) <= a/2 and P(S >= u) <= a/2, with a = 1 - confidence, from the binomial distribution itself.
Guarantee: coverage of at least ``confidence`` for one look at a time fixed beforehand. A p99 below n = 368 (3,688 for a
p99.9) has no finite 95 % upper bound, and none is given.

Time-uniform: mixing binomial likelihoods over Beta(r p, r (1 - p)) gives the martingale

    M_n = B(r p + S, r (1 - p) + n - S) / (B(r p, r (1 - p)) p^S (1 - p)^(n - S)),

and by Ville's inequality P(some n has M_n >= 1/a) <= a; the S with M_n < 1/a form an interval. Guarantee: covers at all
n at once with probability of at least ``confidence``, so one may watch it continuously; the fixed interval watched in
that way miscovers about every second time.

Assumes: independent values with one distribution. Discrete values are fine.

Source: David, Nagaraja, Order Statistics, 2003, section 7.1; Howard, Ramdas, "Sequential estimation of quantiles with
applications to A/B testing and best-arm identification", Bernoulli 2022; the mixture: Robbins 1970.

Example:
    >>> ranks_fixed(1000, 0.99)
    (983, 997)
    >>> ranks_fixed(367, 0.99)
    (359, None)
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

Ranks = tuple[int | None, int | None]
"""1-based ranks of the bounds in the ascending sample; None where there is no finite bound."""

TUNED_FOR: Final = 10_000
"""Sample size at which the time-uniform interval is tightest; ten times more or fewer cost a few percent of width."""


def ranks_fixed(n: int, quantile: float, confidence: float = 0.95) -> Ranks:
    """Ranks whose values bracket the quantile, for a single look at ``n`` values."""
    tail = (1 - confidence) / 2
    counts = _counts_near(n, quantile, spread=12.0)
    cumulative = scipy.special.bdtr(counts.astype(np.float64), n, quantile)
    # Largest l with P(S <= l - 1) <= tail; smallest u with P(S <= u - 1) >= 1 - tail.
    below = counts[cumulative <= tail]
    lower = int(below[-1]) + 1 if len(below) else None
    above = counts[cumulative >= 1 - tail]
    upper = int(above[0]) + 1 if len(above) else None
    return lower, upper if upper is not None and upper <= n else None


def ranks_always(n: int, quantile: float, confidence: float = 0.95, tuned_for: int = TUNED_FOR) -> Ranks:
    """Ranks whose values bracket the quantile at every ``n`` at once."""
    alpha = 1 - confidence
    # Precision of the mixture, in observations: Howard, Ramdas, McAuliffe, Sekhon 2021, equation 17, first order.
    strength = tuned_for / (2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha)))
    a, b = strength * quantile, strength * (1 - quantile)
    counts = _counts_near(n, quantile, spread=40.0).astype(np.float64)
    log_martingale = (
        scipy.special.betaln(a + counts, b + n - counts)
        - scipy.special.betaln(a, b)
        - counts * math.log(quantile)
        - (n - counts) * math.log1p(-quantile)
    )
    inside = counts[log_martingale < math.log(1 / alpha)]
    if not len(inside):
        return None, None
    lower, upper = int(inside[0]), int(inside[-1]) + 1
    return lower if lower >= 1 else None, upper if upper <= n else None


def smallest_sample(quantile: float, confidence: float = 0.95) -> int:
    """The least n that has a finite upper bound at one look: quantile^n <= (1 - confidence) / 2.

    Example:
        >>> smallest_sample(0.99), smallest_sample(0.999)
        (368, 3688)
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(quantile))


def _counts_near(n: int, quantile: float, spread: float) -> NDArray[np.int64]:
    """Counts 0..n within ``spread`` deviations of the expected one, and 10 ``spread`` beyond for small n."""
    deviation = math.sqrt(n * quantile * (1 - quantile))
    reach = math.ceil(spread * deviation + 10 * spread)
    middle = round(n * quantile)
    return np.arange(max(0, middle - reach), min(n, middle + reach) + 1, dtype=np.int64)
