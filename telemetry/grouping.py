"""Numbers groups of rows without sorting where codes are dense; it knows no field and no rule.

Codes are non-negative. A table with a place for every code is cheaper than a sort as long as it is not much larger than
the number of rows; beyond that the rows are sorted, so that memory stays within a few times theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.intp]

_SMALL_TABLE: Final = 4096
_PLACES_PER_ROW: Final = 8


def fits_table(size: int, rows: int) -> bool:
    """Whether a table of ``size`` places is cheaper than sorting ``rows`` rows."""
    return size <= max(_SMALL_TABLE, _PLACES_PER_ROW * rows)


def occurrences(codes: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """The distinct ``codes`` (each below ``size``), ascending, and how often each occurs."""
    if fits_table(size, len(codes)):
        counts = np.bincount(codes, minlength=size)
        present = (counts != 0).nonzero()[0]  # NumPy finds its way faster through truth than through numbers
        return present, counts[present]
    return np.unique(codes, return_counts=True)


def dense(codes: Numbers, size: int) -> tuple[Numbers, int]:
    """``codes`` (each below ``size``) renumbered 0, 1, ... in their order, and how many distinct ones there are."""
    if not fits_table(size, len(codes)):
        distinct, numbers = np.unique(codes, return_inverse=True)
        return numbers, len(distinct)
    places = np.zeros(size, dtype=np.intp)
    places[codes] = 1
    ranks = places.cumsum()
    count = int(ranks[-1]) if size else 0
    return (codes, count) if count == size else ((ranks - 1)[codes], count)


def combined(columns: Sequence[tuple[NDArray[np.int32] | Numbers, int]], rows: int) -> tuple[Numbers, int]:
    """A dense number for every distinct row of ``columns``, in the order of the columns' codes, and how many there are.

    ``columns`` are (n,) codes and the size that they stay below.
    """
    numbers, size = np.zeros(rows, dtype=np.intp), 1
    if not columns:
        return numbers, min(rows, 1)
    for codes, width in columns:
        if not fits_table(size * width, rows):
            # Dense before it grows: at most n groups times the column's values, which int64 holds.
            numbers, size = dense(numbers, size)
        numbers, size = (codes.astype(np.intp) if size == 1 else numbers * width + codes), size * width
    return dense(numbers, size)


def sample_rows(numbers: Numbers, count: int) -> Numbers:
    """A row that has each of the ``count`` dense ``numbers``."""
    rows = np.empty(count, dtype=np.intp)
    rows[numbers] = np.arange(len(numbers))
    return rows
