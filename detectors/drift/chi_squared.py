"""Chi-squared test of homogeneity on counts per category, small cells pooled: evidence that two mixes differ.

X2 = sum over both sides and all cells of (observed - expected)^2 / expected, with expected = row total x column total
/ grand total; p = P(chi2 with cells - 1 degrees of freedom >= X2).

Assumes: independent records. Categories whose expected count on either side is below 5 (Cochran's rule) are pooled
into one cell, and that cell with the next smallest one while it stays too small. So categories that only one side has
(a new tenant, a new label) count, in the pool or alone, and thousands of rare ones cannot fake evidence.
Guarantee: asymptotic level. With one cell left there is nothing to compare and p = 1.

Source: Pearson 1900; Cochran, "Some methods for strengthening the common chi-squared tests", Biometrics 1954.

Example:
    >>> statistic, p_value, cells = chi_squared_test({"a": 900, "b": 100}, {"a": 80, "b": 20})
    >>> cells, round(p_value, 4)
    (2, 0.0022)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from detectors.drift.histograms import shared_counts

SMALLEST_EXPECTED: Final = 5.0
"""Expected count below which the chi-squared approximation of a cell is not trusted (Cochran 1954)."""


def chi_squared_test(reference: Mapping[str, int], current: Mapping[str, int]) -> tuple[float, float, int]:
    """The statistic, its p-value, and how many cells were left after pooling; (0, 1, 0) when a side is empty."""
    _, first, second = shared_counts(reference, current)
    if not first.sum() or not second.sum():
        return 0.0, 1.0, 0
    table = pool_small_cells(np.stack([first, second]))
    cells = table.shape[1]
    if cells < 2:
        return 0.0, 1.0, cells
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(scipy.special.chdtrc(cells - 1, statistic)), cells


def pool_small_cells(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, cells) counts with every expected count at least 5, or a single cell; sums of rows are kept."""
    total = table.sum(axis=0)
    # A cell's expected count is smallest on the side with fewer records.
    smallest_share = table.sum(axis=1).min() / table.sum()
    ordered = table[:, np.argsort(total)[::-1]]
    large = int((np.sort(total)[::-1] * smallest_share >= SMALLEST_EXPECTED).sum())
    pool = ordered[:, large:].sum(axis=1)
    while large and pool.sum() > 0 and pool.sum() * smallest_share < SMALLEST_EXPECTED:
        large -= 1
        pool = pool + ordered[:, large]
    kept = ordered[:, :large]
    return np.column_stack([kept, pool]) if pool.sum() else kept
