"""What was counted and measured, handed out in the order in which it could be known; it counts nothing itself.

A bucket can be known once it has ended, not before: the events in it come up to its very end. One that was folded to
5 min or 1 h is known at the end of those, and then as an even stream of 10 s buckets, since that is all that is left
of its course.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from storage.rollups import SliSeries
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.gauges import GaugeReading
from telemetry.windows import BUCKET_NS

_Row = TypeVar("_Row", SliDelta, DistributionDelta, GaugeReading)
_Bucket = TypeVar("_Bucket", SliDelta, DistributionDelta)


class Due(NamedTuple):
    """What became known, each in the order in which it did."""

    sli: Sequence[SliDelta]
    distributions: Sequence[DistributionDelta]
    gauges: Sequence[GaugeReading]


class _Queue(Generic[_Row]):
    """Rows in the order of the times from which on they are known."""

    def __init__(self) -> None:
        self._known_ns = np.zeros(0, dtype=np.int64)
        self._rows: list[_Row] = []
        self._next = 0

    def add(self, known: Iterable[tuple[int, _Row]]) -> None:
        added: list[tuple[int, _Row]] = list(known)
        if not added:
            return
        rows = [*self._rows[self._next :], *(row for _, row in added)]
        more_ns = np.fromiter((at_ns for at_ns, _ in added), np.int64, len(added))
        known_ns = np.concatenate([self._known_ns[self._next :], more_ns])
        order = np.argsort(known_ns, kind="stable")
        self._known_ns, self._next = known_ns[order], 0
        self._rows = [rows[i] for i in order.tolist()]

    def due(self, now_ns: int) -> Sequence[_Row]:
        first, self._next = self._next, int(np.searchsorted(self._known_ns, now_ns, side="right"))
        return self._rows[first : self._next]


class Timeline:
    """Counts, distributions and values of gauges in the order in which they become known."""

    def __init__(
        self,
        sli: Iterable[tuple[int, SliDelta]] = (),
        distributions: Iterable[tuple[int, DistributionDelta]] = (),
        gauges: Iterable[tuple[int, GaugeReading]] = (),
    ) -> None:
        """Hold rows, each with the time (ns) from which on it is known."""
        self._sli: _Queue[SliDelta] = _Queue()
        self._distributions: _Queue[DistributionDelta] = _Queue()
        self._gauges: _Queue[GaugeReading] = _Queue()
        self.add(sli, distributions, gauges)

    def add(
        self,
        sli: Iterable[tuple[int, SliDelta]] = (),
        distributions: Iterable[tuple[int, DistributionDelta]] = (),
        gauges: Iterable[tuple[int, GaugeReading]] = (),
    ) -> None:
        """Hold more of them."""
        self._sli.add(sli)
        self._distributions.add(distributions)
        self._gauges.add(gauges)

    def due(self, now_ns: int) -> Due:
        """What became known until ``now_ns`` and was not handed out yet."""
        return Due(self._sli.due(now_ns), self._distributions.due(now_ns), self._gauges.due(now_ns))


def at_bucket_end(rows: Iterable[_Bucket]) -> Iterator[tuple[int, _Bucket]]:
    """Rows of 10 s buckets with the time from which on each is known."""
    return ((row.bucket_ns + BUCKET_NS, row) for row in rows)


def spread(series: SliSeries, grid_ns: int = BUCKET_NS) -> Iterator[tuple[int, SliDelta]]:
    """The counts of a stored series in buckets of ``grid_ns``, each with the time from which on it is known."""
    columns = (series.bucket_ns, series.width_ns, series.good, series.total)
    for bucket_ns, width_ns, good, total in zip(*(column.tolist() for column in columns), strict=True):
        parts = max(width_ns // grid_ns, 1)
        known_ns = bucket_ns + max(width_ns, grid_ns)
        if parts == 1 or total <= 0:
            yield known_ns, SliDelta(series.rule, series.group, bucket_ns, good, total)
            continue
        for place, part_good, part_total in _even(good, total, parts):
            yield known_ns, SliDelta(series.rule, series.group, bucket_ns + place * grid_ns, part_good, part_total)


def _even(good: int, total: int, parts: int) -> Iterator[tuple[int, int, int]]:
    """Place, good and total of each part that has events: whole events, adding up, no part with more bad than events.

    Bad events follow the events, not the parts: where events are rare, each part with a bad one has an event for it.
    """
    bad = total - good
    events_before = 0
    for place in range(parts):
        events = total * (place + 1) // parts
        if events > events_before:
            part_bad = bad * events // total - bad * events_before // total
            yield place, events - events_before - part_bad, events - events_before
            events_before = events
