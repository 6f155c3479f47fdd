"""Events, bad and expected events of every single value and every pair of values; it judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from detectors.attribution.dimensions import UNNAMED, CodedDimension

Key = tuple[tuple[int, int], ...]
"""A slice: (position of the dimension, code of the value), one or two of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """The records of one window.

    Attributes:
        bad: (n,) bool.
        expected: (n,) probability of being bad when nothing is wrong.
        rows: (n,) bool, which records to count at all; those of slices already explained are not.
    """

    bad: NDArray[np.bool_]
    expected: NDArray[np.float64]
    rows: NDArray[np.bool_]

    def without(self, rows: NDArray[np.bool_]) -> Events:
        """The same records, of which ``rows`` count no longer."""
        return Events(self.bad, self.expected, self.rows & ~rows)


@dataclass(frozen=True, slots=True, eq=False)
class Tallies:
    """Counts of slices, or of one whole; every array is (slices,).

    Attributes:
        total, bad, expected: since the onset: events, bad ones, and the sum of their expected rates.
        bad_before, expected_before: the same of the baseline.
    """

    total: NDArray[np.float64]
    bad: NDArray[np.float64]
    expected: NDArray[np.float64]
    bad_before: NDArray[np.float64]
    expected_before: NDArray[np.float64]

    def rest_of(self, whole: Tallies) -> Tallies:
        """What lies outside each slice."""
        return Tallies(
            whole.total - self.total, whole.bad - self.bad, np.maximum(whole.expected - self.expected, 0.0),
            whole.bad_before - self.bad_before, np.maximum(whole.expected_before - self.expected_before, 0.0),
        )  # fmt: skip


def tally_whole(before: Events, after: Events) -> Tallies:
    """Counts of everything, as one slice."""
    everything = np.zeros(len(before.bad), dtype=np.intp), np.zeros(len(after.bad), dtype=np.intp)
    return Tallies(*_window(everything[1], 1, after), *_window(everything[0], 1, before)[1:])


def tally(dimensions: Sequence[CodedDimension], before: Events, after: Events) -> tuple[tuple[Key, ...], Tallies]:
    """The slices with traffic after the onset, singles before pairs, and their counts."""
    keys: list[Key] = []
    counts: list[NDArray[np.float64]] = []
    places = range(len(dimensions))
    for chosen in (*((place,) for place in places), *combinations(places, 2)):
        sizes = [len(dimensions[place].values) for place in chosen]
        cells = int(np.prod(sizes))
        later = _window(_combined([dimensions[place].after for place in chosen], sizes), cells, after)
        earlier = _window(_combined([dimensions[place].before for place in chosen], sizes), cells, before)
        seen = np.flatnonzero(later[0])
        counts.append(np.stack([*later, *earlier[1:]])[:, seen])
        unpacked = np.stack(np.unravel_index(seen, sizes), axis=1)
        keys += [tuple(zip(chosen, (int(code) for code in row), strict=True)) for row in unpacked]
    joined = np.concatenate(counts, axis=1) if counts else np.zeros((5, 0))
    return tuple(keys), Tallies(*joined)


def rows_of(key: Key, dimensions: Sequence[CodedDimension]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,), (m,) bool: the earlier and the later records of a slice."""
    before = np.logical_and.reduce([dimensions[place].before == code for place, code in key])
    after = np.logical_and.reduce([dimensions[place].after == code for place, code in key])
    return before, after


def _window(codes: NDArray[np.intp], cells: int, events: Events) -> list[NDArray[np.float64]]:
    """Events, bad events and expected ones a cell."""
    named = events.rows & (codes != UNNAMED)
    return [
        np.bincount(codes[named], minlength=cells).astype(np.float64),
        np.bincount(codes[named & events.bad], minlength=cells).astype(np.float64),
        np.bincount(codes[named], weights=events.expected[named], minlength=cells).astype(np.float64),
    ]


def _combined(codes: list[NDArray[np.intp]], sizes: list[int]) -> NDArray[np.intp]:
    if len(codes) == 1:
        return codes[0]
    named = (codes[0] != UNNAMED) & (codes[1] != UNNAMED)
    return np.where(named, codes[0] * sizes[1] + codes[1], UNNAMED)
