"""Counts of good and total events per group and time bucket of one rule, in bounded memory; it judges nothing.

Deltas may come in any order and late. Buckets are 10 s wide for six hours, then folded to 5 min, then to 1 h (as
storage folds them), so that a group costs 16 to 32 KB for a window of 30 days. The rule of every sum: a bucket belongs
to a window when its start does. So a window's far edge is sharp to the width of the bucket in which it lies, and the
total of all counts is exact at every age.

Arrays are (time, group): a window is a block of rows, summed over all groups at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.slo.rolling import RollingSums
from detectors.slo.splits import Boundaries, Splits, no_boundaries
from detectors.slo.tier import Cells, Counts, Places, Tier
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS, NANOS

MINUTE_NS: Final = 60 * NANOS
HOUR_NS: Final = 3600 * NANOS
FINE_SPAN_NS: Final = 6 * HOUR_NS
"""Longest window whose far edge is sharp to 10 s: the long window of the second page pair."""
MIDDLE_NS: Final = 5 * MINUTE_NS
MIDDLE_SPAN_NS: Final = 73 * HOUR_NS
"""Longest window whose far edge is sharp to 5 min: the long window of the slowest ticket pair."""
NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Batch:
    """Counts as columns: the row ``i`` is of the group ``keys[of[i]]``; starts (n,), counts (2, n) good and total."""

    keys: Sequence[Hashable]
    of: Places
    starts_ns: Counts
    counts: Counts

    @classmethod
    def of_rows(cls, rows: Iterable[SliDelta]) -> Batch:
        """Deltas of one rule, by their group."""
        held = list(rows)
        starts_ns = np.asarray([row.bucket_ns for row in held], dtype=np.int64)
        counts = np.asarray([[row.good for row in held], [row.total for row in held]], dtype=np.int64)
        return cls([row.group for row in held], np.arange(len(held)), starts_ns, counts)

    def __len__(self) -> int:
        return len(self.starts_ns)

    def take(self, rows: NDArray[np.bool_]) -> Batch:
        """Some of the rows, with the keys that they need, in the order of their rows."""
        of = self.of[rows]
        needed, firsts, inverse = np.unique(of, return_index=True, return_inverse=True)
        order = np.argsort(firsts, kind="stable")
        ranks = np.argsort(order, kind="stable")
        keys = [self.keys[i] for i in needed[order]]
        return Batch(keys, ranks[inverse], self.starts_ns[rows], self.counts[:, rows])


@dataclass(frozen=True, slots=True)
class _Rows:
    """Counts whose groups are known: (n,), (n,) and (2, n)."""

    starts_ns: Counts
    groups: Places
    counts: Counts

    def take(self, mask: NDArray[np.bool_]) -> _Rows:
        return _Rows(self.starts_ns[mask], self.groups[mask], self.counts[:, mask])


class Ledger:
    """The counts of one rule, or of several whose groups are told apart by their keys.

    Attributes:
        groups: keys of the groups, in order of appearance; arrays below follow it.
        first_ns: (groups,) start of each group's first bucket with events, ``NEVER`` before there is one.
        last_ns: (groups,) start of its last bucket with events, -1 before there is one.
        late: (groups,) events that came more than an hour after their bucket, since they began to arrive.
    """

    def __init__(
        self,
        horizon_ns: int,
        boundaries: Boundaries = no_boundaries,
        windows_ns: Sequence[int] = (),
        period_start: Callable[[int], int] | None = None,
    ) -> None:
        """Keep counts for ``horizon_ns``: the longest window that will be asked for.

        Windows that begin at one of ``boundaries`` are exact at every age, within an hour too.
        :attr:`sums` follows the windows of ``windows_ns``, shortest first, and the period that ``period_start`` tells.
        """
        self.horizon_ns = horizon_ns
        # Each ring also has room for what the finer one holds, so that any jump of the clock can be folded in order.
        middle_span = MIDDLE_SPAN_NS + FINE_SPAN_NS
        self._fine = Tier(BUCKET_NS, FINE_SPAN_NS + MIDDLE_NS)
        self._middle = Tier(MIDDLE_NS, middle_span + HOUR_NS)
        self._coarse = Tier(HOUR_NS, max(horizon_ns, MIDDLE_SPAN_NS) + middle_span)
        self._tiers = (self._fine, self._middle, self._coarse)
        self._splits = Splits(boundaries)
        self._rolling = RollingSums(windows_ns, period_start)
        self._index: dict[Hashable, int] = {}
        self._waiting: list[Batch] = []
        self._started = False
        self._arriving = False
        self.groups: list[Hashable] = []
        self.first_ns: Counts = np.zeros(0, dtype=np.int64)
        self.last_ns: Counts = np.zeros(0, dtype=np.int64)
        self.late: Counts = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def sums(self) -> Counts:
        """(2, windows, groups) good and total of the ledger's windows, as of the last :meth:`advance`; not a copy."""
        return self._rolling.sums

    @property
    def nbytes(self) -> int:
        """Bytes of the buckets."""
        return sum(tier.nbytes for tier in self._tiers)

    def add(self, rows: Iterable[SliDelta]) -> None:
        """Take in deltas; they count from the next :meth:`advance` that is not before their bucket."""
        self.take_in(Batch.of_rows(rows))

    def take_in(self, batch: Batch) -> None:
        """Take in columns, as :meth:`add` does."""
        if len(batch):
            self._waiting.append(batch)

    def register(self, groups: Sequence[Hashable]) -> None:
        """Know these groups, in this order, before they have events."""
        for group in groups:
            if group not in self._index:
                self._index[group] = len(self.groups)
                self.groups.append(group)
        missing = len(self.groups) - len(self.first_ns)
        if missing:
            self.first_ns = np.concatenate([self.first_ns, np.full(missing, NEVER, dtype=np.int64)])
            self.last_ns = np.concatenate([self.last_ns, np.full(missing, -1, dtype=np.int64)])
            self.late = np.concatenate([self.late, np.zeros(missing, dtype=np.int64)])
            for part in (*self._tiers, self._splits, self._rolling):
                part.widen(len(self.groups))

    def keep(self, groups: Places) -> None:
        """Forget every other group."""
        self.groups = [self.groups[i] for i in groups]
        self._index = {group: i for i, group in enumerate(self.groups)}
        self.first_ns = self.first_ns[groups]
        self.last_ns = self.last_ns[groups]
        self.late = self.late[groups]
        for part in (*self._tiers, self._splits, self._rolling):
            part.keep(groups)

    def advance(self, now_ns: int, *, arriving: bool = True) -> Counts:
        """Fold what has aged, count what has come.

        ``arriving``: whether it comes as it happens, as it does from the second time on, and can be late; else it is
        history that is handed over.

        Returns:
            (groups,) start of the earliest 10 s bucket that changed, ``NEVER`` where none did.
        """
        due = self._due(now_ns)
        self._rolling.leave(now_ns, self._between)
        counting, self._arriving = self._arriving, arriving
        self._fold(now_ns)
        parts = [self._placed(batch) for batch in due]
        changed = np.full(len(self.groups), NEVER, dtype=np.int64)
        for rows in parts:
            self._count(rows)
            recent = rows.take(rows.starts_ns >= self.fine_floor_ns)
            np.minimum.at(changed, recent.groups, recent.starts_ns // BUCKET_NS * BUCKET_NS)
            if counting and arriving:
                late = rows.take(rows.starts_ns + BUCKET_NS + HOUR_NS <= now_ns)
                np.add.at(self.late, late.groups, late.counts[1])
        self._rolling.refresh(lambda edges: self._since(edges, now_ns))
        return changed

    @property
    def fine_floor_ns(self) -> int:
        """Start of the oldest 10 s bucket."""
        return self._fine.floor * BUCKET_NS

    @property
    def oldest_ns(self) -> int:
        """Start of the oldest bucket of any width."""
        return self._coarse.floor * HOUR_NS

    def window_sums(self, now_ns: int, lengths_ns: Sequence[int]) -> tuple[Counts, Counts]:
        """(windows, groups) good and total of the buckets that start within each window's last ``length`` until now.

        Windows may be any, in any order; they are added up from the buckets.
        """
        good, total = self._since([now_ns - length_ns for length_ns in lengths_ns], now_ns)
        return good, total

    def sums_since(self, starts_ns: Counts, groups: Places, now_ns: int) -> tuple[Counts, Counts]:
        """(groups,) good and total of some groups from their own starts until now, from 10 s buckets (six hours)."""
        sums = np.zeros((2, len(groups)), dtype=np.int64)
        for start_ns in np.unique(starts_ns):
            here = starts_ns == start_ns
            low = max(-(-int(start_ns) // BUCKET_NS), self._fine.floor)
            sums[:, here] = self._fine.sums(low, now_ns // BUCKET_NS + 1, groups[here])
        return sums[0], sums[1]

    def places(self, groups: Sequence[Hashable]) -> Places:
        """(len(groups),) positions of groups that are known."""
        return np.asarray([self._index[group] for group in groups], dtype=np.intp)

    def recent(self, start_ns: int, end_ns: int) -> Cells:
        """(2, buckets, groups) good and total of the 10 s buckets from ``start_ns`` to before ``end_ns``; not a copy.

        ``start_ns`` is at least :attr:`fine_floor_ns`, both are starts of buckets.
        """
        return self._fine.rows(start_ns // BUCKET_NS, end_ns // BUCKET_NS)

    def series(self, group: int, start_ns: int, end_ns: int) -> tuple[Counts, Counts, Counts]:
        """(buckets,) starts, good and total of one group from ``start_ns`` to before ``end_ns``, oldest first.

        Buckets are as wide as they are kept at their age; those without events are left out.
        """
        parts = []
        upper = end_ns
        for tier in self._tiers:
            low = max(-(-start_ns // tier.width_ns), tier.floor)
            high = min(-(-upper // tier.width_ns), tier.floor + tier.capacity)
            index = np.arange(low, max(high, low))
            good, total = tier.of_group(index, group)
            part = index * tier.width_ns, good, total
            part = self._split(part, group, start_ns, upper) if tier is self._coarse else part
            busy = part[2] != 0
            if busy.any():
                parts.append((part[0][busy], part[1][busy], part[2][busy]))
            upper = min(upper, tier.floor * tier.width_ns)
        if not parts:
            empty = np.zeros(0, dtype=np.int64)
            return empty, empty, empty
        starts, goods, totals = zip(*reversed(parts), strict=True)
        return np.concatenate(starts), np.concatenate(goods), np.concatenate(totals)

    def _split(
        self, part: tuple[Counts, Counts, Counts], group: int, start_ns: int, end_ns: int
    ) -> tuple[Counts, Counts, Counts]:
        """Hours of :meth:`series` with those that hold a boundary in two."""
        starts, good, total = part
        for at_ns in self._splits.within(start_ns, end_ns):
            tail = self._splits.after(at_ns)
            assert tail is not None
            hour = np.flatnonzero(starts == at_ns // HOUR_NS * HOUR_NS)
            good[hour] -= tail[0][group]
            total[hour] -= tail[1][group]
            place = int(np.searchsorted(starts, at_ns))
            starts = np.insert(starts, place, at_ns)
            good, total = np.insert(good, place, tail[0][group]), np.insert(total, place, tail[1][group])
        return starts, good, total

    def _since(self, edges: Sequence[int], now_ns: int) -> Counts:
        """(2, windows, groups) counts of the buckets that start at each edge or later, in one pass over them."""
        sums = np.zeros((2, len(edges), len(self.groups)), dtype=np.int64)
        by_length = sorted(range(len(edges)), key=lambda i: -edges[i])
        end_ns = now_ns // BUCKET_NS * BUCKET_NS + BUCKET_NS
        for tier in self._tiers:
            high = -(-end_ns // tier.width_ns)
            so_far = np.zeros((2, len(self.groups)), dtype=np.int64)
            for i in by_length:
                low = max(-(-edges[i] // tier.width_ns), tier.floor)
                if low < high:
                    so_far += tier.sums(low, high)
                    high = low
                sums[:, i] += so_far
            end_ns = tier.floor * tier.width_ns
        for i, edge in enumerate(edges):
            tail = self._splits.after(edge)
            if tail is not None:
                sums[0, i] += tail[0]
                sums[1, i] += tail[1]
        return sums

    def _between(self, start_ns: int, end_ns: int) -> Counts:
        """(2, groups) counts of the buckets that start in [start, end)."""
        sums: Counts | None = None
        for tier in self._tiers:
            low = max(-(-start_ns // tier.width_ns), tier.floor)
            high = min(-(-end_ns // tier.width_ns), tier.floor + tier.capacity)
            if low < high:
                sums = tier.sums(low, high) if sums is None else sums + tier.sums(low, high)
            end_ns = min(end_ns, tier.floor * tier.width_ns)
        return np.zeros((2, len(self.groups)), dtype=np.int64) if sums is None else sums

    def _due(self, now_ns: int) -> list[Batch]:
        """What has come and is not of the future."""
        due, waiting = [], []
        for batch in self._waiting:
            past = batch.starts_ns <= now_ns
            if past.all():
                due.append(batch)
                continue
            waiting.append(batch.take(~past))
            if past.any():
                due.append(batch.take(past))
        self._waiting = waiting
        return due

    def _placed(self, batch: Batch) -> _Rows:
        places = list(map(self._index.get, batch.keys))
        if None in places:
            self.register(batch.keys)
            places = list(map(self._index.get, batch.keys))
        return _Rows(batch.starts_ns, np.asarray(places, dtype=np.intp)[batch.of], batch.counts)

    def _count(self, rows: _Rows) -> None:
        busy = rows.take(rows.counts[1] > 0)
        np.minimum.at(self.first_ns, busy.groups, busy.starts_ns)
        np.maximum.at(self.last_ns, busy.groups, busy.starts_ns)
        for tier in self._tiers:
            if not len(rows.starts_ns):
                return
            here = rows.starts_ns >= tier.floor * tier.width_ns
            part = rows if here.all() else rows.take(here)
            if len(part.starts_ns):
                tier.add(part.starts_ns, part.groups, part.counts)
                self._rolling.enter(part.starts_ns // tier.width_ns * tier.width_ns, part.groups, part.counts)
                if tier is self._coarse:
                    self._count_tails(part)
            rows = rows.take(~here)
        # What is left is older than the horizon, which no window reaches.

    def _count_tails(self, rows: _Rows) -> None:
        first_ns, last_ns = int(rows.starts_ns.min()), int(rows.starts_ns.max())
        for at_ns in self._splits.boundaries(first_ns // HOUR_NS * HOUR_NS, last_ns + 1):
            tail = rows.take((rows.starts_ns >= at_ns) & (rows.starts_ns < at_ns // HOUR_NS * HOUR_NS + HOUR_NS))
            counts = np.zeros((2, len(self.groups)), dtype=np.int64)
            for side in range(2):
                np.add.at(counts[side], tail.groups, tail.counts[side])
            self._splits.add(at_ns, counts[0], counts[1])
            self._rolling.folded(at_ns - 1, at_ns + 1)

    def _fold_tails(self, before: int) -> None:
        """Keep the ends of the hours that :meth:`_fold` is about to make whole."""
        end = min(before, self._middle.floor + self._middle.capacity)
        for at_ns in self._splits.boundaries(self._middle.floor * MIDDLE_NS, end * MIDDLE_NS):
            hour_end_ns = at_ns // HOUR_NS * HOUR_NS + HOUR_NS
            self._splits.add(at_ns, *self._middle.sums(-(-at_ns // MIDDLE_NS), hour_end_ns // MIDDLE_NS))

    def _fold(self, now_ns: int) -> None:
        coarse = max(now_ns - self.horizon_ns, 0) // HOUR_NS
        # A floor on the coarser width's grid: no coarse bucket is ever half folded.
        middle = max(max(now_ns - MIDDLE_SPAN_NS, 0) // HOUR_NS, coarse)
        fine = max(max(now_ns - FINE_SPAN_NS, 0) // MIDDLE_NS, middle * (HOUR_NS // MIDDLE_NS))
        floors = (fine * (MIDDLE_NS // BUCKET_NS), middle * (HOUR_NS // MIDDLE_NS), coarse)
        if not self._started:
            for tier, floor in zip(self._tiers, floors, strict=True):
                tier.floor = floor
            self._started = True
            return
        for tier, floor in zip(self._tiers, floors, strict=True):
            if floor > tier.floor:
                self._rolling.folded(tier.floor * tier.width_ns, floor * tier.width_ns)
        self._fine.fold_into(self._middle, floors[0])
        if floors[1] > self._middle.floor:
            self._fold_tails(floors[1])
            self._splits.forget(floors[2] * HOUR_NS)
        self._middle.fold_into(self._coarse, floors[1])
        self._coarse.fold_into(None, floors[2])
