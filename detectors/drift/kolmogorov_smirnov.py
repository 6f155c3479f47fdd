"""Two-sample Kolmogorov-Smirnov on samples or on sketches: is there evidence that two distributions differ.

D = sup |F_n - G_m|; p = Q(sqrt(n m / (n + m)) D), where Q is the survival function of Kolmogorov's distribution.

Assumes: independent records within and between the windows; events of one burst are not, so windows should hold many.
Guarantee: the level holds asymptotically, and is conservative for small samples, for discrete values and for sketches,
whose D over shared bin edges is at most the exact one. It says nothing about the size of a difference.

Source: Kolmogorov 1933, Smirnov 1939; Press et al., Numerical Recipes, section 14.3.

Example:
    >>> statistic, p_value = ks_test(DDSketch.of([1.0, 2.0] * 50), DDSketch.of([2.0, 3.0] * 50))
    >>> round(statistic, 2), p_value < 1e-6
    (0.5, True)
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import NDArray

from detectors.drift.histograms import shared_histogram
from telemetry.sketches import DDSketch

Values = DDSketch | NDArray[np.float64]
"""A sketch, or (n,) finite values."""


def ks_test(reference: Values, current: Values) -> tuple[float, float]:
    """The statistic D and its p-value; (0, 1) when either side is empty.

    Two samples are compared exactly; as soon as one side is a sketch, both are compared as sketches.
    """
    if isinstance(reference, np.ndarray) and isinstance(current, np.ndarray):
        n, m = len(reference), len(current)
        statistic = _exact_statistic(reference, current) if n and m else 0.0
    else:
        histogram = shared_histogram(_sketch(reference), _sketch(current))
        n, m = int(histogram.reference.sum()), int(histogram.current.sum())
        statistic = (
            float(np.abs(np.cumsum(histogram.reference) / n - np.cumsum(histogram.current) / m).max())
            if n and m
            else 0.0
        )
    if not n or not m:
        return 0.0, 1.0
    return statistic, float(scipy.special.kolmogorov(math.sqrt(n * m / (n + m)) * statistic))


def _exact_statistic(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    first, second = np.sort(reference), np.sort(current)
    points = np.concatenate([first, second])
    below_first = np.searchsorted(first, points, side="right") / len(first)
    below_second = np.searchsorted(second, points, side="right") / len(second)
    return float(np.abs(below_first - below_second).max())


def _sketch(values: Values) -> DDSketch:
    return values if isinstance(values, DDSketch) else DDSketch.of(values)
