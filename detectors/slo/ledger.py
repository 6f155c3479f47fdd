"""Counts of good and total events per group and time bucket of one rule, in bounded memory; it judges nothing.

Deltas may come in any order and late. Buckets are 10 s wide for six hours, then folded to 5 min, then to 1 h (as
storage folds them), so that a group costs some 40 KB for a window of 30 days. The rule of every sum: a bucket belongs
to a window when its start does. So a window's far edge is sharp to the width of the bucket in which it lies, and the
total of all counts is exact at every age.

Arrays are (time, group): a window is a block of rows, summed over all groups at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.slo.splits import Boundaries, Splits, no_boundaries
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

Counts = NDArray[np.int64]
Cells = NDArray[np.signedinteger[Any]]
"""32 bits where a bucket is short enough (seven million events a second for five minutes fit), else 64."""


class _Tier:
    """A ring of buckets of one width, holding starts in [floor, floor + capacity)."""

    def __init__(self, width_ns: int, span_ns: int, dtype: type[np.signedinteger[Any]] = np.int32) -> None:
        self.width_ns = width_ns
        self.capacity = span_ns // width_ns + 2
        self.floor = 0
        """Index (start / width) of the oldest bucket that is held; older ones were folded."""
        self.good: Cells = np.zeros((self.capacity, 0), dtype=dtype)
        self.total: Cells = np.zeros((self.capacity, 0), dtype=dtype)

    def widen(self, groups: int) -> None:
        more = np.zeros((self.capacity, groups - self.good.shape[1]), dtype=self.good.dtype)
        self.good = np.concatenate([self.good, more], axis=1)
        self.total = np.concatenate([self.total, more], axis=1)

    def keep(self, groups: NDArray[np.intp]) -> None:
        self.good = np.ascontiguousarray(self.good[:, groups])
        self.total = np.ascontiguousarray(self.total[:, groups])

    def add(self, starts_ns: Counts, groups: NDArray[np.intp], good: Counts, total: Counts) -> None:
        rows = starts_ns // self.width_ns % self.capacity
        np.add.at(self.good, (rows, groups), good)
        np.add.at(self.total, (rows, groups), total)

    def sums(self, low: int, high: int) -> tuple[Counts, Counts]:
        """(groups,) good and total of the buckets with index in [low, high)."""
        good = np.zeros(self.good.shape[1], dtype=np.int64)
        total = np.zeros(self.total.shape[1], dtype=np.int64)
        for rows in self._blocks(low, high):
            good += self.good[rows].sum(axis=0, dtype=np.int64)
            total += self.total[rows].sum(axis=0, dtype=np.int64)
        return good, total

    def rows(self, low: int, high: int) -> tuple[Counts, Counts]:
        """(high - low, groups) good and total."""
        index = np.arange(low, high) % self.capacity
        return self.good[index].astype(np.int64), self.total[index].astype(np.int64)

    def clear(self, low: int, high: int) -> None:
        for rows in self._blocks(low, high):
            self.good[rows] = 0
            self.total[rows] = 0

    def _blocks(self, low: int, high: int) -> list[slice]:
        high = min(high, low + self.capacity)
        if high <= low:
            return []
        first, last = low % self.capacity, (high - 1) % self.capacity + 1
        return [slice(first, last)] if first < last else [slice(first, self.capacity), slice(0, last)]

    def fold_into(self, coarser: _Tier | None, floor: int) -> None:
        """Move everything before bucket ``floor`` into ``coarser``, or forget it."""
        end = min(floor, self.floor + self.capacity)
        if coarser is not None:
            ratio = coarser.width_ns // self.width_ns
            index = self.floor
            while index < end:
                target = index // ratio
                stop = min((target + 1) * ratio, end)
                good, total = self.sums(index, stop)
                coarser.good[target % coarser.capacity] += good
                coarser.total[target % coarser.capacity] += total
                index = stop
        self.clear(self.floor, end)
        self.floor = max(self.floor, floor)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Deltas as arrays, (n,) each."""

    starts_ns: Counts
    groups: NDArray[np.intp]
    good: Counts
    total: Counts

    def take(self, mask: NDArray[np.bool_]) -> _Rows:
        return _Rows(self.starts_ns[mask], self.groups[mask], self.good[mask], self.total[mask])


class Ledger:
    """The counts of one rule.

    Attributes:
        groups: canonical group texts, in order of appearance; arrays below follow it.
        first_ns: (groups,) start of each group's first bucket with events, ``NEVER`` before there is one.
        last_ns: (groups,) start of its last bucket with events, -1 before there is one.
    """

    def __init__(self, horizon_ns: int, boundaries: Boundaries = no_boundaries) -> None:
        """Keep counts for ``horizon_ns``: the longest window that will be asked for.

        Windows that begin at one of ``boundaries`` are exact at every age, within an hour too.
        """
        self.horizon_ns = horizon_ns
        # Each ring also has room for what the finer one holds, so that any jump of the clock can be folded in order.
        middle_span = MIDDLE_SPAN_NS + FINE_SPAN_NS
        self._fine = _Tier(BUCKET_NS, FINE_SPAN_NS + MIDDLE_NS)
        self._middle = _Tier(MIDDLE_NS, middle_span + HOUR_NS)
        self._coarse = _Tier(HOUR_NS, max(horizon_ns, MIDDLE_SPAN_NS) + middle_span, np.int64)
        self._tiers = (self._fine, self._middle, self._coarse)
        self._splits = Splits(boundaries)
        self._index: dict[str, int] = {}
        self._waiting: list[SliDelta] = []
        self._started = False
        self.groups: list[str] = []
        self.first_ns: Counts = np.zeros(0, dtype=np.int64)
        self.last_ns: Counts = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.groups)

    def add(self, rows: Iterable[SliDelta]) -> None:
        """Take in deltas; they count from the next :meth:`advance` that is not before their bucket."""
        self._waiting.extend(rows)

    def register(self, groups: Sequence[str]) -> None:
        """Know these groups, in this order, before they have events."""
        for group in groups:
            if group not in self._index:
                self._index[group] = len(self.groups)
                self.groups.append(group)
        missing = len(self.groups) - len(self.first_ns)
        if missing:
            self.first_ns = np.concatenate([self.first_ns, np.full(missing, NEVER, dtype=np.int64)])
            self.last_ns = np.concatenate([self.last_ns, np.full(missing, -1, dtype=np.int64)])
            for tier in self._tiers:
                tier.widen(len(self.groups))
            self._splits.widen(len(self.groups))

    def keep(self, groups: NDArray[np.intp]) -> None:
        """Forget every other group."""
        self.groups = [self.groups[i] for i in groups]
        self._index = {group: i for i, group in enumerate(self.groups)}
        self.first_ns = self.first_ns[groups]
        self.last_ns = self.last_ns[groups]
        for tier in self._tiers:
            tier.keep(groups)
        self._splits.keep(groups)

    def advance(self, now_ns: int) -> Counts:
        """Fold what has aged, count what has come.

        Returns:
            (groups,) start of the earliest 10 s bucket that changed, ``NEVER`` where none did.
        """
        self._fold(now_ns)
        due = [row for row in self._waiting if row.bucket_ns <= now_ns]
        if len(due) < len(self._waiting):
            self._waiting = [row for row in self._waiting if row.bucket_ns > now_ns]
        else:
            self._waiting = []
        self.register([row.group for row in due])
        changed = np.full(len(self.groups), NEVER, dtype=np.int64)
        if due:
            rows = self._arrays(due)
            self._count(rows)
            recent = rows.take(rows.starts_ns >= self.fine_floor_ns)
            np.minimum.at(changed, recent.groups, recent.starts_ns // BUCKET_NS * BUCKET_NS)
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

        Windows may be given in any order; one pass over the buckets serves all.
        """
        good = np.zeros((len(lengths_ns), len(self.groups)), dtype=np.int64)
        total = np.zeros_like(good)
        by_length = sorted(range(len(lengths_ns)), key=lambda i: lengths_ns[i])
        end_ns = now_ns // BUCKET_NS * BUCKET_NS + BUCKET_NS
        for tier in self._tiers:
            edge = -(-end_ns // tier.width_ns)
            running_good = np.zeros(len(self.groups), dtype=np.int64)
            running_total = np.zeros_like(running_good)
            for i in by_length:
                low = max(-(-(now_ns - lengths_ns[i]) // tier.width_ns), tier.floor)
                if low < edge:
                    more_good, more_total = tier.sums(low, edge)
                    running_good += more_good
                    running_total += more_total
                    edge = low
                good[i] += running_good
                total[i] += running_total
            end_ns = tier.floor * tier.width_ns
        for i, length_ns in enumerate(lengths_ns):
            tail = self._splits.after(now_ns - length_ns)
            if tail is not None:
                good[i] += tail[0]
                total[i] += tail[1]
        return good, total

    def sums_since(self, starts_ns: Counts, now_ns: int) -> tuple[Counts, Counts]:
        """(groups,) good and total of each group from its own start until now, from 10 s buckets (six hours)."""
        good = np.zeros(len(self.groups), dtype=np.int64)
        total = np.zeros_like(good)
        for start_ns in np.unique(starts_ns):
            low = max(-(-int(start_ns) // BUCKET_NS), self._fine.floor)
            sums = self._fine.sums(low, now_ns // BUCKET_NS + 1)
            here = starts_ns == start_ns
            good[here], total[here] = sums[0][here], sums[1][here]
        return good, total

    def places(self, groups: Sequence[str]) -> NDArray[np.intp]:
        """(len(groups),) positions of groups that are known."""
        return np.asarray([self._index[group] for group in groups], dtype=np.intp)

    def recent(self, start_ns: int, end_ns: int) -> tuple[Counts, Counts]:
        """(buckets, groups) good and total of the 10 s buckets from ``start_ns`` to before ``end_ns``.

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
            good, total = tier.good[index % tier.capacity, group], tier.total[index % tier.capacity, group]
            part = index * tier.width_ns, good.astype(np.int64), total.astype(np.int64)
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

    def _arrays(self, due: Sequence[SliDelta]) -> _Rows:
        n = len(due)
        return _Rows(
            np.fromiter((row.bucket_ns for row in due), np.int64, n),
            np.fromiter((self._index[row.group] for row in due), np.intp, n),
            np.fromiter((row.good for row in due), np.int64, n),
            np.fromiter((row.total for row in due), np.int64, n),
        )

    def _count(self, rows: _Rows) -> None:
        busy = rows.take(rows.total > 0)
        np.minimum.at(self.first_ns, busy.groups, busy.starts_ns)
        np.maximum.at(self.last_ns, busy.groups, busy.starts_ns)
        for tier in self._tiers:
            here = rows.starts_ns >= tier.floor * tier.width_ns
            part = rows.take(here)
            tier.add(part.starts_ns, part.groups, part.good, part.total)
            if tier is self._coarse and len(part.starts_ns):
                self._count_tails(part)
            rows = rows.take(~here)
        # What is left is older than the horizon, which no window reaches.

    def _count_tails(self, rows: _Rows) -> None:
        first_ns, last_ns = int(rows.starts_ns.min()), int(rows.starts_ns.max())
        for at_ns in self._splits.boundaries(first_ns // HOUR_NS * HOUR_NS, last_ns + 1):
            tail = rows.take((rows.starts_ns >= at_ns) & (rows.starts_ns < at_ns // HOUR_NS * HOUR_NS + HOUR_NS))
            good = np.zeros(len(self.groups), dtype=np.int64)
            total = np.zeros_like(good)
            np.add.at(good, tail.groups, tail.good)
            np.add.at(total, tail.groups, tail.total)
            self._splits.add(at_ns, good, total)

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
        self._fine.fold_into(self._middle, floors[0])
        if floors[1] > self._middle.floor:
            self._fold_tails(floors[1])
            self._splits.forget(floors[2] * HOUR_NS)
        self._middle.fold_into(self._coarse, floors[1])
        self._coarse.fold_into(None, floors[2])
