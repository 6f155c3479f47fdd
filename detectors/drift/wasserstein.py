"""Wasserstein distance over the reference's deviation: how far a numeric field moved, in its own units of spread.

W1 = integral |F - G| dx, divided by the standard deviation of the reference: 0.1 means that the average value moved by
a tenth of the spread. It is an effect, not evidence: with no drift at all it still exceeds 0.1 in 94 of 100 windows of
50 lognormal values, so it only ever decides together with a p-value.

Assumes: a finite variance. From sketches both integrals use bin values, within 1 % of the values themselves. Where the
reference spreads over less than the width of a bin (2 %), a shift of up to one bin cannot be told from none and counts
as none, and the width takes the place of the spread. A constant reference is measured in the spread of both together.

Source: Ramdas, Garcia Trillos, Cuturi, "On Wasserstein two-sample testing", Entropy 2017; the normalisation is
Evidently's ("normed Wasserstein").

Example:
    >>> import numpy as np
    >>> reference = np.linspace(0.0, 1.0, 1001)
    >>> round(normed_wasserstein(reference, reference + 0.1), 3)
    0.346
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.drift.histograms import shared_histogram
from detectors.drift.kolmogorov_smirnov import Values
from telemetry.sketches import GAMMA, DDSketch


def normed_wasserstein(reference: Values, current: Values) -> float:
    """W1 over the reference's standard deviation; 0 when either side is empty. Always finite."""
    if isinstance(reference, np.ndarray) and isinstance(current, np.ndarray):
        values = np.unique(np.concatenate([reference, current]))
        first, second = _weights(reference, values), _weights(current, values)
        bin_width = 0.0
    else:
        histogram = shared_histogram(_sketch(reference), _sketch(current))
        values, first, second = histogram.values, histogram.reference, histogram.current
        bin_width = (GAMMA - 1) * float(np.average(np.abs(values), weights=first)) if first.sum() else 0.0
    if not first.sum() or not second.sum():
        return 0.0
    distance, deviation = _distance(values, first, second), _deviation(values, first)
    if deviation < bin_width:
        distance, deviation = max(0.0, distance - bin_width), bin_width
    return distance / (deviation or _deviation(values, first + second)) if distance else 0.0


def _distance(values: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    gaps = np.diff(values)
    difference = np.cumsum(first) / first.sum() - np.cumsum(second) / second.sum()
    return float(np.sum(np.abs(difference[:-1]) * gaps))


def _deviation(values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    mean = float(np.average(values, weights=counts))
    return math.sqrt(float(np.average((values - mean) ** 2, weights=counts)))


def _weights(sample: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(values, sample), minlength=len(values)).astype(np.int64)


def _sketch(values: Values) -> DDSketch:
    return values if isinstance(values, DDSketch) else DDSketch.of(values)
