"""Distributions as stored bytes; it knows no table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from telemetry.deltas import Distribution
from telemetry.errors import StorageError
from telemetry.sketch_bytes import from_bytes, to_bytes
from telemetry.sketches import DDSketch

SKETCH: Final = "sketch"
COUNTS: Final = "counts"


def encode(distributions: Sequence[Distribution]) -> list[tuple[str, bytes]]:
    """Kind and body of each: a DDSketch's own bytes, or a JSON object of counts."""
    sketches = iter(to_bytes([one for one in distributions if isinstance(one, DDSketch)]))
    return [
        (SKETCH, next(sketches)) if isinstance(one, DDSketch)
        else (COUNTS, json.dumps(dict(one), separators=(",", ":"), sort_keys=True).encode())
        for one in distributions
    ]  # fmt: skip


def decode(kind: str, body: bytes) -> Distribution:
    """Read back what :func:`encode` gave for one.

    Raises:
        TailwatchError: the bytes are not a distribution of a known format.
    """
    if kind == SKETCH:
        return from_bytes(body)
    if kind == COUNTS:
        counts: dict[str, int] = json.loads(body)
        return counts
    raise StorageError(f"stored distribution is of unknown kind {kind!r}", remedy="use the Tailwatch that wrote it")
