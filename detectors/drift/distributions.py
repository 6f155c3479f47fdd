"""Distributions of a batch's fields, as the comparison takes them; it keeps no batch."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from telemetry.columns import Columns
from telemetry.deltas import Distribution
from telemetry.sketches import DDSketch


def distributions(columns: Columns, fields: Iterable[str]) -> dict[str, Distribution]:
    """A sketch per numeric field and counts per value of a string field; missing values and unknown fields left out.

    Example:
        >>> from telemetry.columns import columns_of
        >>> batch = columns_of("span", np.arange(3), strings={"tenant": ["a", "b", "a"]})
        >>> distributions(batch, ["tenant", "cost"])
        {'tenant': {'a': 2, 'b': 1}}
    """
    found: dict[str, Distribution] = {}
    for name in fields:
        if name in columns.numbers:
            found[name] = DDSketch.of(columns.numbers[name])
        elif name in columns.strings:
            column = columns.strings[name]
            counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
            found[name] = {value: int(n) for value, n in zip(column.values, counts, strict=True) if n}
    return found
