"""Log-increments of e-detectors: how much one step of data speaks against the null; they hold no state.

An increment L is a bet with a fair or unfavourable price under the null, E[L | past] <= 1, so that products of
increments are e-processes. Everything here returns log L with one column an alternative.

Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", NEJSDS 2024
(arXiv:2203.03532); Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from telemetry.errors import TailwatchError


def bernoulli_log_increments(
    bad: ArrayLike,
    total: ArrayLike,
    p0: NDArray[np.float64],
    alternatives: NDArray[np.float64],
    dispersion: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Log-likelihood ratios of ``bad`` of ``total`` events, taken as one step, for alternatives q against p0.

    log L = (k log(q / p0) + (n - k) log((1 - q) / (1 - p0))) / d, the product of the n single increments
    (q/p0)^X ((1-q)/(1-p0))^(1-X), tempered by the dispersion d >= 1.

    Assumes: within a step, each event is bad with a probability of at most p0 given everything before it.
    Guarantee: E[L] <= 1 for every such probability when q > p0 (log L grows in k, so p0 itself is the worst case);
    with d > 1 still, by Jensen. For clustered errors, whose block counts vary d times as much as independent ones,
    tempering is the quasi-likelihood correction and no theorem: see :mod:`detectors.sequential.dispersion`.

    Args:
        bad: (series,) counts k.
        total: (series,) counts n; 0 gives log L = 0.
        p0: (series or 1, 1) null rates in (0, 1).
        alternatives: (series or 1, alternatives) rates q in (p0, 1).
        dispersion: (series,) or scalar, at least 1.

    Returns:
        (series, alternatives).

    Raises:
        TailwatchError: more bad events than events, a negative count, or a dispersion below 1.

    Example:
        >>> p0, q = np.array([[0.001]]), np.array([[0.01]])
        >>> bernoulli_log_increments([1], [1], p0, q).round(4)
        array([[2.3026]])
    """
    k = np.atleast_1d(np.asarray(bad, dtype=np.float64))[:, None]
    n = np.atleast_1d(np.asarray(total, dtype=np.float64))[:, None]
    d = np.atleast_1d(np.asarray(dispersion, dtype=np.float64))[:, None]
    if np.any(k < 0) or np.any(k > n):
        raise TailwatchError("a step has more bad events than events", remedy="give 0 <= bad <= total")
    if np.any(d < 1):
        raise TailwatchError("a dispersion is below 1", remedy="give 1 for independent events")
    evidence = k * np.log(alternatives / p0) + (n - k) * (np.log1p(-alternatives) - np.log1p(-p0))
    return np.asarray(evidence / d)


def bounded_mean_log_increments(
    values: ArrayLike, mean: NDArray[np.float64], bets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log-wealth of bets that the mean of non-negative values exceeds ``mean``.

    L = 1 + lambda (X - m) with lambda = f / m, 0 < f < 1, hence L >= 1 - f > 0.

    Assumes: X >= 0 and E[X | past] <= m; neither a shape nor an upper bound, so block ratios of clustered errors
    qualify however much they vary.
    Guarantee: E[L | past] <= 1.

    Args:
        values: (series,) values X, such as the share of bad events of a block; NaN gives log L = 0.
        mean: (series or 1, 1) null means m > 0.
        bets: (series or 1, alternatives) fractions f in (0, 1).

    Returns:
        (series, alternatives).

    Raises:
        TailwatchError: a value is negative.

    Example:
        >>> bounded_mean_log_increments([0.03], np.array([[0.01]]), np.array([[0.5]])).round(4)
        array([[0.6931]])
    """
    x = np.atleast_1d(np.asarray(values, dtype=np.float64))[:, None]
    if np.any(x < 0):
        raise TailwatchError("a value is negative", remedy="give ratios or other values of at least 0")
    increments = np.log1p(bets * (x / mean - 1.0))
    return np.where(np.isnan(x), 0.0, increments)
