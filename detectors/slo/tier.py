"""Counts of one bucket width in a ring, for all groups at once, in cells as narrow as the counts allow.

Cells are 16 bits until a count needs more, then 32, then 64: most groups of a large set are quiet, and half of a
ledger's memory is six hours of 10 s buckets. A sum that leaves its cells' range is caught before it is written.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""Counts of events, or of parts of them."""
Places = NDArray[np.intp]
"""Positions of groups."""
Cells = NDArray[np.signedinteger[Any]]

_WIDER: Final[dict[type[np.signedinteger[Any]], type[np.signedinteger[Any]]]] = {np.int16: np.int32, np.int32: np.int64}
_ROOM: Final = 1.25
"""How much more is laid out than a new group needs, so that groups which come one by one are not copied each time."""


class Tier:
    """A ring of buckets of one width, holding starts in [floor, floor + capacity)."""

    def __init__(self, width_ns: int, span_ns: int) -> None:
        """Have room for ``span_ns`` of buckets, and for no group."""
        self.width_ns = width_ns
        self.capacity = span_ns // width_ns + 2
        self.floor = 0
        """Index (start / width) of the oldest bucket that is held; older ones were folded."""
        self._groups = 0
        self._type: type[np.signedinteger[Any]] = np.int16
        self._laid_out: Cells = np.zeros((2, self.capacity, 0), dtype=self._type)

    @property
    def cells(self) -> Cells:
        """(good and total, buckets of the ring, groups)."""
        return self._laid_out[:, :, : self._groups]

    @property
    def nbytes(self) -> int:
        """Bytes of all cells, those that wait for a group included."""
        return self._laid_out.nbytes

    def widen(self, groups: int) -> None:
        """Have ``groups`` groups, the new ones at the end."""
        if groups > self._laid_out.shape[2]:
            self._lay_out(max(groups, int(self._laid_out.shape[2] * _ROOM)))
        self._groups = groups

    def keep(self, groups: Places) -> None:
        """Forget every other group."""
        self._laid_out = np.ascontiguousarray(self.cells[:, :, groups])
        self._groups = len(groups)

    def add(self, starts_ns: Counts, groups: Places, counts: Counts) -> None:
        """Count (2, n) good and total in buckets that are held."""
        room = self._laid_out.shape[2]
        cells = starts_ns // self.width_ns % self.capacity * room + groups
        order = np.argsort(cells, kind="stable")
        cells = cells[order]
        firsts = np.flatnonzero(np.diff(cells, prepend=-1))
        summed = np.add.reduceat(counts[:, order], firsts, axis=1)
        cells = cells[firsts]
        summed += self._laid_out.reshape(2, -1)[:, cells]
        self._admit(summed)
        self._laid_out.reshape(2, -1)[:, cells] = summed

    def sums(self, low: int, high: int, groups: Places | None = None) -> Counts:
        """(2, groups) good and total of the buckets with index in [low, high), of all groups or of some."""
        sums = np.zeros((2, self._groups if groups is None else len(groups)), dtype=np.int64)
        for rows in self._blocks(low, high):
            cells = self.cells[:, rows]
            sums += (cells if groups is None else cells[:, :, groups]).sum(axis=1, dtype=np.int64)
        return sums

    def rows(self, low: int, high: int) -> Cells:
        """(2, high - low, groups) good and total; not a copy where the ring does not begin anew between them."""
        parts = [self.cells[:, rows] for rows in self._blocks(low, high)]
        return parts[0] if len(parts) == 1 else np.concatenate([self.cells[:, :0], *parts], axis=1)

    def of_group(self, index: NDArray[np.int64], group: int) -> Counts:
        """(2, len(index)) good and total of one group in buckets that are held."""
        return self.cells[:, index % self.capacity, group].astype(np.int64)

    def fold_into(self, coarser: Tier | None, floor: int) -> None:
        """Move everything before bucket ``floor`` into ``coarser``, or forget it."""
        end = min(floor, self.floor + self.capacity)
        if coarser is not None:
            ratio = coarser.width_ns // self.width_ns
            index = self.floor
            while index < end:
                target = index // ratio
                stop = min((target + 1) * ratio, end)
                coarser._put(target, self.sums(index, stop))
                index = stop
        for rows in self._blocks(self.floor, end):
            self._laid_out[:, rows] = 0
        self.floor = max(self.floor, floor)

    def _put(self, index: int, counts: Counts) -> None:
        counts += self.cells[:, index % self.capacity]
        self._admit(counts)
        self.cells[:, index % self.capacity] = counts

    def _admit(self, counts: Counts) -> None:
        """Widen the cells until they hold ``counts``."""
        if not counts.size or self._type is np.int64:
            return
        least, largest = int(counts.min()), int(counts.max())
        while (
            self._type is not np.int64 and not np.iinfo(self._type).min <= least <= largest <= np.iinfo(self._type).max
        ):
            self._type = _WIDER[self._type]
        if self._type is not self._laid_out.dtype.type:
            self._laid_out = self._laid_out.astype(self._type)

    def _lay_out(self, room: int) -> None:
        cells = np.zeros((2, self.capacity, room), dtype=self._type)
        cells[:, :, : self._groups] = self.cells
        self._laid_out = cells

    def _blocks(self, low: int, high: int) -> list[slice]:
        high = min(high, low + self.capacity)
        if high <= low:
            return []
        first, last = low % self.capacity, (high - 1) % self.capacity + 1
        return [slice(first, last)] if first < last else [slice(first, self.capacity), slice(0, last)]
