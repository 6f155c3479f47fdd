"""Distributions as stored bytes, and their exact merge; it knows no table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from telemetry.deltas import Distribution
from telemetry.errors import StorageError
from telemetry.sketches import DDSketch, merge

SKETCH: Final = "sketch"
COUNTS: Final = "counts"


def encode(distribution: Distribution) -> tuple[str, bytes]:
    """Kind and body: a DDSketch's own bytes, or a JSON object of counts."""
    if isinstance(distribution, DDSketch):
        return SKETCH, distribution.to_bytes()
    return COUNTS, json.dumps(dict(distribution), separators=(",", ":"), sort_keys=True).encode()


def decode(kind: str, body: bytes) -> Distribution:
    """Read :func:`encode` back.

    Raises:
        TailwatchError: the bytes are not a distribution of a known format.
    """
    if kind == SKETCH:
        return DDSketch.from_bytes(body)
    if kind == COUNTS:
        counts: dict[str, int] = json.loads(body)
        return counts
    raise StorageError(f"stored distribution is of unknown kind {kind!r}", remedy="use the Tailwatch that wrote it")


def merge_distributions(parts: Sequence[Distribution]) -> Distribution:
    """One distribution of all values together.

    Raises:
        StorageError: numbers and strings are mixed under one key.
    """
    if len(parts) == 1:
        return parts[0]
    sketches = [part for part in parts if isinstance(part, DDSketch)]
    if len(sketches) == len(parts):
        return merge(sketches)
    if sketches:
        raise StorageError("a field has both a sketch and counts", remedy="give the changed rule an id of its own")
    total: Counter[str] = Counter()
    for part in parts:
        if isinstance(part, Mapping):
            total.update(part)
    return dict(total)
