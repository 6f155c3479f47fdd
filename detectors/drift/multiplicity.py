"""Benjamini-Hochberg: which of several p-values count as discoveries at a false-discovery rate; it makes no p-values.

k* = max{k : p_(k) <= alpha k / K}; the k* smallest are discoveries. As adjusted values:
q_(k) = min_{j >= k} p_(j) K / j.

Assumes: valid p-values, independent or positively dependent (PRDS), as those of the fields of one window usually are.
Guarantee: E[false discoveries / discoveries] <= alpha; with no drift in any field, P(any is flagged) <= alpha.

Source: Benjamini, Hochberg, JRSS B 1995; Benjamini, Yekutieli, Annals of Statistics 2001.

Example:
    >>> benjamini_hochberg([0.01, 0.02, 0.5]).round(3)
    array([0.03, 0.03, 0.5 ])
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def benjamini_hochberg(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjusted p-values in the order given; a discovery at rate alpha is one of at most alpha."""
    p = np.asarray(p_values, dtype=np.float64)
    if not len(p):
        return p
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(adjusted, 1.0)
