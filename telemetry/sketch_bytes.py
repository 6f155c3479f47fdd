"""Sketches as bytes, many at once: what a commit stores. It merges none and keeps none.

A sketch is a header, the steps from each bin's key to the next, and the counts, each of the narrowest width that holds
them all: one byte in nearly every sketch of a batch. NumPy's cost per call is paid once for all sketches.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from telemetry.errors import TailwatchError
from telemetry.sketches import DDSketch

_FORMAT: Final = 2
_HEADER: Final = struct.Struct("<BBBqdddIIii")
"""Format, bytes a step, bytes a count, zeros, total, low, high, bins, negative bins, first key, first negative key."""
_WIDTHS: Final[dict[int, np.dtype[Any]]] = {
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
    8: np.dtype("<u8"),
}
_NARROW_LIMIT: Final = 256


def to_bytes(sketches: Sequence[DDSketch]) -> list[bytes]:
    """Each of ``sketches`` as bytes: compact, versioned, little-endian."""
    if not sketches:
        return []
    runs = [keys for sketch in sketches for keys in (sketch.keys, sketch.negative_keys)]
    lengths = np.asarray([len(run) for run in runs])
    run_starts = lengths.cumsum() - lengths
    keys = np.concatenate(runs).astype(np.int64)
    steps = keys.copy()
    steps[1:] -= keys[:-1]
    steps[run_starts[lengths > 0]] = 0  # the header has the first key
    counts = np.concatenate([part for sketch in sketches for part in (sketch.counts, sketch.negative_counts)])
    edges = [*run_starts[::2].tolist(), len(steps)]
    step_bodies = _narrowed(steps, edges)
    count_bodies = _narrowed(counts, edges)
    return [
        _HEADER.pack(
            _FORMAT, step_width, count_width, sketch.zero_count, sketch.total, sketch.low, sketch.high,
            len(sketch.keys), len(sketch.negative_keys), _first(sketch.keys), _first(sketch.negative_keys),
        ) + step_body + count_body
        for sketch, (step_width, step_body), (count_width, count_body) in zip(
            sketches, step_bodies, count_bodies, strict=True
        )
    ]  # fmt: skip


def from_bytes(body: bytes) -> DDSketch:
    """Read what :func:`to_bytes` gave for one sketch.

    Raises:
        TailwatchError: the bytes are not a sketch of a known format.
    """
    if len(body) < _HEADER.size or body[0] != _FORMAT or body[1] not in _WIDTHS or body[2] not in _WIDTHS:
        raise TailwatchError("stored sketch has an unknown format", remedy="use the Tailwatch that wrote it, or newer")
    _, step_width, count_width, zero_count, total, low, high, n, m, first, negative_first = _HEADER.unpack_from(body)
    bins, counts_at = n + m, _HEADER.size + step_width * (n + m)
    if len(body) != counts_at + count_width * bins:
        raise TailwatchError("stored sketch is cut short", remedy="restore the database from a backup")
    steps = np.frombuffer(body, _WIDTHS[step_width], bins, _HEADER.size)
    counts = np.frombuffer(body, _WIDTHS[count_width], bins, counts_at).astype(np.int64)
    keys, negative_keys = _keys(first, steps[:n]), _keys(negative_first, steps[n:])
    return DDSketch(keys, counts[:n], negative_keys, counts[n:], zero_count, total, low, high)


def _narrowed(numbers: NDArray[np.int64], edges: Sequence[int]) -> list[tuple[int, bytes]]:
    """The ``numbers`` from each edge to the next in as few bytes each as they need, and how many those are."""
    narrow = numbers.astype(np.uint8).tobytes()
    too_wide = np.concatenate(([0], (numbers >= _NARROW_LIMIT).cumsum()))[edges]
    return [
        (1, narrow[start:stop]) if before == after else _wide(numbers[start:stop])
        for start, stop, before, after in zip(
            edges[:-1], edges[1:], too_wide[:-1].tolist(), too_wide[1:].tolist(), strict=True
        )
    ]


def _wide(numbers: NDArray[np.int64]) -> tuple[int, bytes]:
    width = np.min_scalar_type(int(numbers.max())).itemsize
    return width, numbers.astype(_WIDTHS[width]).tobytes()


def _first(keys: NDArray[np.int32]) -> int:
    return int(keys[0]) if len(keys) else 0


def _keys(first: int, steps: NDArray[Any]) -> NDArray[np.int32]:
    keys = steps.cumsum(dtype=np.int32)
    keys += np.int32(first)
    return keys
