"""Distributions as stored bytes; it knows no table."""

from __future__ import annotations

import json
from typing import Final

from telemetry.deltas import Distribution
from telemetry.errors import StorageError
from telemetry.sketches import DDSketch

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
