"""Two sketches or two tables of counts on one common support; it draws no conclusion.

All sketches share one bin mapping, so two of them line up bin by bin without interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telemetry.sketches import DDSketch


@dataclass(frozen=True, slots=True, eq=False)
class SharedHistogram:
    """Counts of both sides per point of the support.

    Attributes:
        values: (k,) ascending representative values, each within 1 % of what its bin holds.
        reference: (k,) int64 counts.
        current: (k,) int64 counts.
    """

    values: NDArray[np.float64]
    reference: NDArray[np.int64]
    current: NDArray[np.int64]


def shared_histogram(reference: DDSketch, current: DDSketch) -> SharedHistogram:
    """Both sketches on the union of their bins."""
    sides = [reference.histogram(), current.histogram()]
    values, place = np.unique(np.concatenate([sides[0][0], sides[1][0]]), return_inverse=True)
    split = len(sides[0][0])
    counts = np.zeros((2, len(values)), dtype=np.int64)
    np.add.at(counts[0], place[:split], sides[0][1])
    np.add.at(counts[1], place[split:], sides[1][1])
    return SharedHistogram(values, counts[0], counts[1])


def shared_counts(
    reference: Mapping[str, int], current: Mapping[str, int]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """The categories of either side, sorted, and (k,) counts of both."""
    categories = tuple(sorted(reference.keys() | current.keys()))
    first = np.fromiter((reference.get(name, 0) for name in categories), dtype=np.int64, count=len(categories))
    second = np.fromiter((current.get(name, 0) for name in categories), dtype=np.int64, count=len(categories))
    return categories, first, second
