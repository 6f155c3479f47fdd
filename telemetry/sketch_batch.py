"""Many sketches out of one pass over values: of every field, group and bucket of a batch; it merges nothing.

Each value goes to a slot, and a slot becomes a sketch. What NumPy costs per call is paid once for all slots, and the
bins are counted in one table that has room for the range of keys of each slot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from telemetry.grouping import Numbers, occurrences
from telemetry.sketches import MAX_BINS, MIN_MAGNITUDE, NO_COUNTS, NO_KEYS, DDSketch, collapse, keys_of

Values: TypeAlias = NDArray[np.float64]


def sketch_slots(values: Values, slot: Numbers, slots: int) -> list[DDSketch | None]:
    """The sketches of ``slots`` slots: ``values`` (n,) and the slot (n,) that each belongs to; None without a value.

    Each equals ``DDSketch.of(values[slot == s])``, its total up to float addition. NaN and infinities are left out.
    """
    finite = np.isfinite(values)
    if not finite.all():
        kept = finite.nonzero()[0]
        values, slot = values[kept], slot[kept]
    low, high = _extremes(values, slot, slots)
    totals = np.bincount(slot, weights=values, minlength=slots)
    facts = zip(totals.tolist(), low.tolist(), high.tolist(), strict=True)
    if slots and low.min() >= MIN_MAGNITUDE:
        bins = _bins(values, slot, low, high)
        return [
            DDSketch(*bins.of(s), NO_KEYS, NO_COUNTS, 0, total, least, most) if least <= most else None
            for s, (total, least, most) in enumerate(facts)
        ]
    rising, falling = (values >= MIN_MAGNITUDE).nonzero()[0], (values <= -MIN_MAGNITUDE).nonzero()[0]
    zeros = np.bincount(slot, minlength=slots)
    zeros -= np.bincount(slot[rising], minlength=slots) + np.bincount(slot[falling], minlength=slots)
    bins = _bins(values[rising], slot[rising], *_extremes(values[rising], slot[rising], slots))
    mirrored = _bins(-values[falling], slot[falling], *_extremes(-values[falling], slot[falling], slots))
    zero_of: list[int] = zeros.tolist()
    return [
        DDSketch(*bins.of(s), *mirrored.of(s), zero_of[s], total, least, most) if least <= most else None
        for s, (total, least, most) in enumerate(facts)
    ]


@dataclass(frozen=True, slots=True)
class _Bins:
    """Keys and counts of all slots, those of slot ``s`` from ``edges[s]`` to ``edges[s + 1]``."""

    keys: NDArray[np.int32]
    counts: NDArray[np.int64]
    edges: list[int]

    def of(self, s: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The bins of slot ``s``."""
        start, stop = self.edges[s], self.edges[s + 1]
        if stop - start > MAX_BINS:
            return collapse(self.keys[start:stop], self.counts[start:stop])
        return self.keys[start:stop], self.counts[start:stop]


def _extremes(values: Values, slot: Numbers, slots: int) -> tuple[Values, Values]:
    """The smallest and the largest value of each slot; inf and -inf without any."""
    low, high = np.full(slots, math.inf), np.full(slots, -math.inf)
    np.minimum.at(low, slot, values)
    np.maximum.at(high, slot, values)
    return low, high


def _bins(values: Values, slot: Numbers, low: Values, high: Values) -> _Bins:
    """The bins of positive ``values``, given the extremes of each slot."""
    used = low <= high
    # A bin to spare at both ends: a logarithm need not be monotone to the last bit.
    first = keys_of(np.where(used, low, 1.0)).astype(np.int64) - 1
    room = np.where(used, keys_of(np.where(used, high, 1.0)) + 2 - first, 0)
    ends = room.cumsum()
    shift = ends - room - first
    places, counts = occurrences(keys_of(values) + shift[slot], int(ends[-1]) if len(ends) else 0)
    edges = places.searchsorted(ends)
    owned = np.concatenate((edges[:1], edges[1:] - edges[:-1]))
    return _Bins((places - shift.repeat(owned)).astype(np.int32), counts, [0, *edges.tolist()])
