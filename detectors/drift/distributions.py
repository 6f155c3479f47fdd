"""Distributions of a batch's fields, as the comparison takes them; it keeps no batch."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns
from telemetry.deltas import Distribution
from telemetry.sketches import DDSketch


def distributions(
    columns: Columns, fields: Iterable[str], rows: NDArray[np.bool_] | None = None
) -> dict[str, Distribution]:
    """A sketch per numeric field and counts per value of a string field; missing values and unknown fields left out.

    Args:
        columns: the batch.
        fields: names of fields.
        rows: (n,) the records to look at; all when None. Cheaper than taking them from the batch.

    Example:
        >>> from telemetry.columns import columns_of
        >>> batch = columns_of("span", np.arange(3), strings={"tenant": ["a", "b", "a"]})
        >>> distributions(batch, ["tenant", "cost"])
        {'tenant': {'a': 2, 'b': 1}}
    """
    found: dict[str, Distribution] = {}
    for name in fields:
        if name in columns.numbers:
            found[name] = DDSketch.of(columns.numbers[name] if rows is None else columns.numbers[name][rows])
        elif name in columns.strings:
            column = columns.strings[name]
            codes = column.codes if rows is None else column.codes[rows]
            counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
            found[name] = {value: int(n) for value, n in zip(column.values, counts, strict=True) if n}
    return found
