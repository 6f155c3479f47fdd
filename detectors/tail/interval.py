"""A quantile with its confidence interval, from samples or a sketch; it never gives a bound that the data cannot bear.

Ranks come from :mod:`detectors.tail.order_statistics`, with its assumptions and guarantees. From a sketch the bounds
are widened by the sketch's relative accuracy (1 %), so that they still cover.

Example:
    >>> import numpy as np
    >>> found = quantile_interval(np.arange(1.0, 101.0), 0.99)
    >>> found.high, found.reason
    (None, 'a finite 95 % upper bound for the p99 needs 368 values, there are 100')
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.tail.order_statistics import Ranks, ranks_always, ranks_fixed, smallest_sample
from telemetry.errors import TailwatchError
from telemetry.sketches import ALPHA, DDSketch


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """A quantile and what is known of it.

    Attributes:
        quantile: which, within (0, 1).
        estimate: the sample quantile; None without data.
        low, high: the bounds; None where the data have no finite one.
        n: how many values.
        confidence: of the interval.
        reason: why a bound is missing; empty when both are there.
    """

    quantile: float
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    confidence: float
    reason: str = ""

    @property
    def enough_data(self) -> bool:
        """Whether both bounds are finite."""
        return not self.reason


def quantile_interval(
    values: NDArray[np.float64] | DDSketch,
    quantile: float,
    *,
    confidence: float = 0.95,
    always_valid: bool = False,
) -> QuantileInterval:
    """The quantile of ``values`` with its interval.

    Args:
        values: (n,) values, NaN left out, or a sketch of them.
        quantile: within (0, 1).
        confidence: within (0, 1).
        always_valid: time-uniform, for what is watched continuously; else for a single look.

    Raises:
        TailwatchError: the quantile or the confidence is outside (0, 1).
    """
    for name, number in (("quantile", quantile), ("confidence", confidence)):
        if not 0 < number < 1:
            raise TailwatchError(f"the {name} {number:g} is not within (0, 1)", remedy="write 0.99 for the p99")
    if isinstance(values, DDSketch):
        n = values.count
    else:
        values = np.sort(values[~np.isnan(values)])
        n = len(values)
    if not n:
        return QuantileInterval(quantile, None, None, None, 0, confidence, "there are no values")
    ranks = (ranks_always if always_valid else ranks_fixed)(n, quantile, confidence)
    lower, upper = ranks
    estimate = _at_rank(values, math.floor(quantile * (n - 1)) + 1)
    slack = ALPHA if isinstance(values, DDSketch) else 0.0
    low = None if lower is None else _widened(_at_rank(values, lower), -slack)
    high = None if upper is None else _widened(_at_rank(values, upper), slack)
    return QuantileInterval(
        quantile, estimate, low, high, n, confidence, _reason(ranks, n, quantile, confidence, always_valid=always_valid)
    )


def _at_rank(values: NDArray[np.float64] | DDSketch, rank: int) -> float:
    if isinstance(values, DDSketch):
        representatives, counts = values.histogram()
        found = representatives[np.searchsorted(np.cumsum(counts), rank)]
        return float(np.clip(found, values.low, values.high))
    return float(values[rank - 1])


def _widened(value: float, slack: float) -> float:
    # A bin's value v stands for reals within ALPHA of themselves: those lie within v / (1 + ALPHA)..v / (1 - ALPHA).
    outward = abs(value) * (1 / (1 - abs(slack)) - 1) if slack else 0.0
    return value + math.copysign(outward, slack)


def _reason(ranks: Ranks, n: int, quantile: float, confidence: float, *, always_valid: bool) -> str:
    if None not in ranks:
        return ""
    side = "upper" if ranks[1] is None else "lower"
    label = f"p{100 * quantile:g}"
    if always_valid:
        return f"a finite always-valid {side} bound for the {label} needs more than {n} values"
    needed = smallest_sample(quantile if side == "upper" else 1 - quantile, confidence)
    return f"a finite {100 * confidence:g} % {side} bound for the {label} needs {needed:,} values, there are {n:,}"
