"""Merges many groups of sketches at once, exactly as ``telemetry.sketches.merge`` merges one group; it makes none.

The bins of all groups are counted in one table that has room for the range of keys of each, so that what NumPy costs
per call is paid once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from telemetry.grouping import fits_table
from telemetry.sketches import NO_COUNTS, NO_KEYS, DDSketch, collapse, merge

_Bins: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int64]]
_NO_BINS: Final[_Bins] = (NO_KEYS, NO_COUNTS)


def merge_each(groups: Sequence[Sequence[DDSketch]]) -> list[DDSketch]:
    """One sketch for each of ``groups``, equal to the sketch of all its values together."""
    several = [group for group in groups if len(group) > 1]
    merged = iter(_merged(several) if len(several) > 1 else map(merge, several))
    return [next(merged) if len(group) > 1 else merge(group) for group in groups]


def _merged(groups: Sequence[Sequence[DDSketch]]) -> list[DDSketch]:
    positive = _merged_bins([[(part.keys, part.counts) for part in group] for group in groups])
    negative = _merged_bins([[(part.negative_keys, part.negative_counts) for part in group] for group in groups])
    if positive is None or negative is None:
        return [merge(group) for group in groups]
    return [
        DDSketch(
            *above, *below,
            zero_count=sum([part.zero_count for part in group]),
            total=math.fsum([part.total for part in group]),
            low=min([part.low for part in group]),
            high=max([part.high for part in group]),
        )
        for group, above, below in zip(groups, positive, negative, strict=True)
    ]  # fmt: skip


def _merged_bins(groups: Sequence[Sequence[_Bins]]) -> list[_Bins] | None:
    """The bins of each group, added up; None when their keys are too far apart for a table."""
    parts = [(number, *bins) for number, group in enumerate(groups) for bins in group if len(bins[0])]
    if not parts:
        return [_NO_BINS] * len(groups)
    keys = np.concatenate([part[1] for part in parts])
    owner = np.asarray([part[0] for part in parts])
    first, last = np.full(len(groups), 2**31, np.int64), np.full(len(groups), -(2**31), np.int64)
    np.minimum.at(first, owner, [int(part[1][0]) for part in parts])
    np.maximum.at(last, owner, [int(part[1][-1]) for part in parts])
    room = np.maximum(last - first + 1, 0)
    ends = room.cumsum()
    if not fits_table(int(ends[-1]), len(keys)):
        return None
    starts = ends - room
    table = np.zeros(int(ends[-1]), np.int64)
    shift = (starts - first)[owner].repeat([len(part[1]) for part in parts])
    np.add.at(table, keys + shift, np.concatenate([part[2] for part in parts]))
    places = (table != 0).nonzero()[0]
    counts = table[places]
    edges = places.searchsorted(ends).tolist()
    return [
        collapse((places[start:stop] + offset).astype(np.int32), counts[start:stop])
        for start, stop, offset in zip(chain((0,), edges[:-1]), edges, (first - starts).tolist(), strict=True)
    ]
