"""Which additive parts make up a request's time: queue, prefill, decode and the rest; it compares nothing.

Parts that a source does not report fall into ``other``, so the parts always add up to the measure. A source without
prefill and decode but with the time to first token has both derived: prefill = ttft - queue, decode = duration - ttft.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns

OTHER: Final = "other"
PARTS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "duration": ("queue", "prefill", "decode"),
    "ttft": ("queue", "prefill"),
}
"""Measures that are sums, and of what; any other measure is a single part of its own."""


def split(columns: Columns, measure: str) -> dict[str, NDArray[np.float64]]:
    """(n,) seconds a part, in the order of a request's life; NaN rows where the measure is missing.

    Only parts that some record reports are there; ``other`` is what no part covers, and is never negative: where the
    reported parts exceed the measure (clocks of two hosts), they are scaled down to it.
    """
    total = columns.number(measure)
    if measure not in PARTS_OF:
        return {measure: total}
    reported = _reported(columns, measure)
    covered = np.sum(list(reported.values()), axis=0) if reported else np.zeros(len(columns))
    with np.errstate(invalid="ignore", divide="ignore"):
        fit = np.where(covered > total, total / np.where(covered > 0, covered, 1.0), 1.0)
    parts = {name: np.where(np.isnan(total), np.nan, values * fit) for name, values in reported.items()}
    parts[OTHER] = np.where(np.isnan(total), np.nan, total - covered * fit)
    return parts


def _reported(columns: Columns, measure: str) -> dict[str, NDArray[np.float64]]:
    found = {name: columns.number(name) for name in PARTS_OF[measure] if _any(columns, name)}
    if not found.keys() & {"prefill", "decode"} and measure == "duration" and _any(columns, "ttft"):
        first_token = columns.number("ttft")
        found["prefill"] = first_token - np.nan_to_num(found.get("queue", np.zeros(len(columns))))
        found["decode"] = columns.number("duration") - first_token
    return {name: np.maximum(np.nan_to_num(values), 0.0) for name, values in found.items()}


def _any(columns: Columns, name: str) -> bool:
    return name in columns.numbers and bool(np.isfinite(columns.numbers[name]).any())
