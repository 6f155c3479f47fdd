"""Which service calls which, counted from stored spans whose parent is another service's span; it keeps nothing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.database import Database
from storage.spans import load_columns

_FIELDS: Final = frozenset({"service"})


def count_calls(db: Database, start_ns: int, end_ns: int, *, limit: int) -> dict[tuple[str, str], int]:
    """Calls by caller and called, among the newest ``limit`` spans that ended within [start, end).

    A call is a span with its parent in the same trace and another service. What was sampled away, or ended before what
    is read, counts nothing: these are counts of what was seen, not of what happened.

    Raises:
        StorageError: the database cannot be used.
    """
    spans = load_columns(db, start_ns, end_ns, fields=_FIELDS, inference_only=False, limit=limit)
    services = spans.string("service")
    own, parents = _keys(spans.trace_id, spans.span_id), _keys(spans.trace_id, spans.parent_span_id)
    order = np.argsort(own)
    places = order[np.minimum(np.searchsorted(own, parents, sorter=order), max(len(own) - 1, 0))]
    caller, called = services.codes[places], services.codes
    crossing = (own[places] == parents) & (caller != called) & (caller >= 0) & (called >= 0)
    pairs, counts = np.unique(np.stack((caller[crossing], called[crossing]), axis=1), axis=0, return_counts=True)
    return {
        (services.values[one], services.values[other]): count
        for (one, other), count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }


def _keys(trace_id: NDArray[np.uint8], span_id: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """(n,) trace and span id as one text of 24 bytes, which sorts."""
    return np.concatenate((trace_id, span_id), axis=1).view("S24")[:, 0]
