"""How much two mixes of categories differ: Jensen-Shannon distance, PSI and total variation; no evidence, no verdict.

With p and q the shares of the reference and the current window, and m = (p + q) / 2:

- Jensen-Shannon distance: sqrt(KL(p, m) / 2 + KL(q, m) / 2), base 2, within 0..1 (Lin, IEEE Trans. Inf. Theory 1991;
  a metric: Endres, Schindelin 2003).
- Population stability index: sum (q - p) ln(q / p), with half a record added to every category so that an empty one
  does not make it infinite (Lewis, An Introduction to Credit Scoring, 1994).
- Total variation: sum |q - p| / 2, the share of the traffic that changed its category.

All three are above 0 without any drift, the more so the smaller the windows: they decide only beside a p-value.

Example:
    >>> round(jensen_shannon_distance({"a": 1}, {"b": 1}), 6), round(total_variation({"a": 3, "b": 1}, {"a": 1}), 6)
    (1.0, 0.25)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import scipy

from detectors.drift.histograms import shared_counts


def jensen_shannon_distance(reference: Mapping[str, int], current: Mapping[str, int]) -> float:
    """Base-2 Jensen-Shannon distance, 0..1; 0 when either side is empty."""
    _, first, second = shared_counts(reference, current)
    if not first.sum() or not second.sum():
        return 0.0
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    divergence = float(scipy.special.rel_entr([p, q], middle).sum()) / (2 * math.log(2))
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def population_stability_index(reference: Mapping[str, int], current: Mapping[str, int]) -> float:
    """PSI, 0 and up; 0 when either side is empty."""
    _, first, second = shared_counts(reference, current)
    if not first.sum() or not second.sum():
        return 0.0
    p = (first + 0.5) / (first + 0.5).sum()
    q = (second + 0.5) / (second + 0.5).sum()
    return float(np.sum((q - p) * np.log(q / p)))


def total_variation(reference: Mapping[str, int], current: Mapping[str, int]) -> float:
    """Half the sum of absolute differences of the shares, 0..1; 0 when either side is empty."""
    _, first, second = shared_counts(reference, current)
    if not first.sum() or not second.sum():
        return 0.0
    return float(np.abs(first / first.sum() - second / second.sum()).sum()) / 2
