"""Many sketches out of one pass over values: of every field, group and bucket of a batch; it merges nothing.

Each value goes to a slot, and a slot becomes a sketch. What NumPy costs per call is paid once for all slots, and the
bins are counted in one table that has room for the range of keys of each slot.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from telemetry.grouping import Numbers, occurrences
from telemetry.sketches import MIN_MAGNITUDE, NO_COUNTS, NO_KEYS, DDSketch, collapse, keys_of

Values: TypeAlias = NDArray[np.float64]
Bins: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int64]]

_NO_BINS: Bins = (NO_KEYS, NO_COUNTS)


def sketch_slots(values: Values, slot: Numbers, slots: int) -> list[DDSketch | None]:
    """The sketches of ``slots`` slots: ``values`` (n,) and the slot (n,) that each belongs to; None without a value.

    Each equals ``DDSketch.of(values[slot == s])``, its total up to float addition. NaN and infinities are left out.
    """
    values, slot = _finite(values, slot)
    if not len(values):
        return [None] * slots
    low, high = np.full(slots, math.inf), np.full(slots, -math.inf)
    np.minimum.at(low, slot, values)
    np.maximum.at(high, slot, values)
    totals = np.bincount(slot, weights=values, minlength=slots).tolist()
    if low.min() >= MIN_MAGNITUDE:
        bins = _slot_bins(values, slot, slots)
        return [
            DDSketch(*own, NO_KEYS, NO_COUNTS, 0, total, least, most) if least <= most else None
            for own, total, least, most in zip(bins, totals, low.tolist(), high.tolist(), strict=True)
        ]
    up, down = (values >= MIN_MAGNITUDE).nonzero()[0], (values <= -MIN_MAGNITUDE).nonzero()[0]
    zeros = np.bincount(slot, minlength=slots)
    zeros -= np.bincount(slot[up], minlength=slots) + np.bincount(slot[down], minlength=slots)
    rising, falling = _slot_bins(values[up], slot[up], slots), _slot_bins(-values[down], slot[down], slots)
    return [
        DDSketch(*own, mirrored[0], mirrored[1], zero, total, least, most) if least <= most else None
        for own, mirrored, zero, total, least, most in zip(
            rising, falling, zeros.tolist(), totals, low.tolist(), high.tolist(), strict=True
        )
    ]


def _finite(values: Values, slot: Numbers) -> tuple[Values, Numbers]:
    finite = np.isfinite(values)
    if finite.all():
        return values, slot
    kept = finite.nonzero()[0]
    return values[kept], slot[kept]


def _slot_bins(values: Values, slot: Numbers, slots: int) -> list[Bins]:
    """Keys and counts of each slot; ``values`` are positive."""
    if not len(values):
        return [_NO_BINS] * slots
    keys = keys_of(values)
    lowest, highest = np.full(slots, np.iinfo(np.int32).max, dtype=np.int32), np.full(slots, -(2**31), dtype=np.int32)
    np.minimum.at(lowest, slot, keys)
    np.maximum.at(highest, slot, keys)
    room = np.maximum(highest.astype(np.int64) - lowest + 1, 0)
    ends = room.cumsum()
    shift = ends - room - lowest
    places, counts = occurrences(keys + shift[slot], int(ends[-1]))
    edges = np.searchsorted(places, np.concatenate(([0], ends)))
    found = (places - np.repeat(shift, np.diff(edges))).astype(np.int32)
    return [collapse(found[start:stop], counts[start:stop]) for start, stop in pairwise(edges.tolist())]
