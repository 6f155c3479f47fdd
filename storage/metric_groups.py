"""Metrics over time, a group of labels each: gauges joined from all their values, the rest from what was added.

Buckets are 10 s wide and, once folded, 5 min or 1 h; what was added in a wide bucket is spread over it
(``telemetry.growth``), and a gauge's values count in the step that holds the start of their bucket.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, select

from storage.compaction import FOLDS
from storage.database import Database
from storage.metric_bodies import decode
from storage.metric_tables import metric_points, metric_series
from storage.metrics import SEEN_MARGIN_NS, series_of
from storage.selection import EVERYTHING
from storage.statements import chunks
from telemetry.growth import Growth, Steps, of_increments, of_segments
from telemetry.matchers import Matchers
from telemetry.points import GaugeState, Increment, MetricKind, MetricSeries, Quantity, Segment, State, merge_states
from telemetry.windows import NANOS

_AROUND_NS: Final = 600 * NANOS
"""How far before a range the value that a counter grew from is looked for, and after it the one that it grew to: ten
times the usual export interval."""


@dataclass(frozen=True, slots=True)
class GaugePoint:
    """The values of the gauges of a group in one step; ``total`` is the sum over series of each one's mean."""

    time_ns: int
    mean: float
    low: float
    high: float
    last: float
    total: float


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """What was added to the series of a group in one step, of which ``observed_s`` seconds were observed."""

    time_ns: int
    added: Quantity
    observed_s: float


@dataclass(frozen=True, slots=True)
class MetricGroup:
    """The series of one kind and unit that share ``labels``; steps without anything are left out."""

    kind: MetricKind
    unit: str
    labels: Mapping[str, str]
    series: int
    points: tuple[GaugePoint, ...] | tuple[GrowthPoint, ...]


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of an answer, and what is read for it."""

    first_ns: int
    step_ns: int
    n: int
    around_ns: int

    @property
    def from_ns(self) -> int:
        return self.first_ns - self.around_ns

    @property
    def until_ns(self) -> int:
        return self.end_ns + self.around_ns

    @property
    def end_ns(self) -> int:
        return self.first_ns + self.n * self.step_ns

    def start(self, index: int) -> int:
        return self.first_ns + index * self.step_ns


@dataclass(frozen=True, slots=True)
class _Track:
    """What is stored of one series and start, by bucket."""

    series: MetricSeries
    start_ns: int
    states: tuple[tuple[int, State], ...]


def metric_groups(
    db: Database,
    name: str,
    start_ns: int,
    end_ns: int,
    step_ns: int,
    *,
    now_ns: int,
    by: tuple[str, ...] = (),
    where: Matchers = EVERYTHING,
) -> list[MetricGroup]:
    """Metric ``name`` over [start, end) in steps of ``step_ns``, a group for each combination of the labels ``by``.

    Labels are the points' own, ``service`` and ``instance``; ``where`` selects series by them. ``now_ns`` tells how
    wide the buckets of that age are.

    Raises:
        StorageError: the database cannot be used.
    """
    first_ns = start_ns - start_ns % step_ns
    steps = _Steps(first_ns, step_ns, -(-(end_ns - first_ns) // step_ns), _around(now_ns - first_ns))
    groups: dict[tuple[MetricKind, str, tuple[str, ...]], _Group] = {}
    with db.read() as connection:
        for track in _tracks(connection, name, steps, where):
            labels = track.series.all_labels
            key = track.series.kind, track.series.unit, tuple(labels.get(one, "") for one in by)
            groups.setdefault(key, _Group(steps)).add(track)
    return [
        MetricGroup(kind, unit, dict(zip(by, values, strict=True)), group.series, points)
        for (kind, unit, values), group in sorted(groups.items(), key=lambda item: item[0])
        if (points := group.points(kind))
    ]


class _Group:
    """Gathers the tracks of one group."""

    def __init__(self, steps: _Steps) -> None:
        self._steps = steps
        self._series: set[int] = set()
        self._growth = Steps(steps.first_ns, steps.step_ns, steps.n)
        self._gauges: dict[int, dict[int, GaugeState]] = defaultdict(dict)

    @property
    def series(self) -> int:
        return len(self._series)

    def add(self, track: _Track) -> None:
        number = track.series.id
        self._series.add(number)
        for bucket_ns, state in track.states:
            if isinstance(state, GaugeState) and self._steps.first_ns <= bucket_ns < self._steps.end_ns:
                index = (bucket_ns - self._steps.first_ns) // self._steps.step_ns
                before = self._gauges[index].get(number)
                self._gauges[index][number] = state if before is None else before.merged(state)
        for growth in _growths(track, self._steps.from_ns):
            self._growth.add(growth)

    def points(self, kind: MetricKind) -> tuple[GaugePoint, ...] | tuple[GrowthPoint, ...]:
        if kind == "gauge":
            return tuple(self._gauge(index, list(self._gauges[index].values())) for index in sorted(self._gauges))
        return tuple(
            GrowthPoint(self._steps.start(index), added, observed_ns / NANOS)
            for index, (added, observed_ns) in enumerate(
                zip(self._growth.added, self._growth.observed_ns(), strict=True)
            )
            if added is not None
        )

    def _gauge(self, index: int, states: Sequence[GaugeState]) -> GaugePoint:
        return GaugePoint(
            self._steps.start(index),
            mean=sum(state.total for state in states) / sum(state.count for state in states),
            low=min(state.low for state in states),
            high=max(state.high for state in states),
            last=max((state.last_ns, state.last) for state in states)[1],
            total=sum(state.total / state.count for state in states),
        )


def _growths(track: _Track, known_from_ns: int) -> Iterable[Growth]:
    states = [state for _, state in track.states]
    increments = [state for state in states if isinstance(state, Increment)]
    segments = [state for state in states if isinstance(state, Segment)]
    return [*of_increments(increments), *of_segments(track.start_ns, segments, known_from_ns)]


def _tracks(connection: Connection, name: str, steps: _Steps, where: Matchers) -> Iterator[_Track]:
    found = connection.execute(
        select(metric_series).where(
            metric_series.c.name == name, metric_series.c.seen_ns >= steps.from_ns - SEEN_MARGIN_NS
        )
    )
    series = {one.id: one for one in map(series_of, found) if where.accepts(one.all_labels)}
    columns = metric_points.c
    for chunk in chunks(sorted(series)):
        rows = connection.execute(
            select(columns.series_id, columns.start_ns, columns.bucket_ns, columns.body)
            .where(columns.series_id.in_(chunk), columns.bucket_ns >= steps.from_ns, columns.bucket_ns < steps.until_ns)
            .order_by(columns.series_id, columns.start_ns, columns.bucket_ns)
        )
        for (number, start_ns), same in groupby(rows, key=lambda row: (row.series_id, row.start_ns)):
            yield _Track(series[number], start_ns, tuple(_by_bucket(same, series[number].bounds)))


def _by_bucket(rows: Iterable[Any], bounds: tuple[float, ...]) -> Iterator[tuple[int, State]]:
    """The state of each bucket, its increments merged."""
    for bucket_ns, same in groupby(rows, key=lambda row: row.bucket_ns):
        states = [decode(bytes(row.body), bounds) for row in same]
        merged = states[0]
        for state in states[1:]:
            merged = merge_states(merged, state)
        yield bucket_ns, merged


def _around(age_ns: int) -> int:
    """How far beyond a range of this age to read: at least two buckets, as wide as they are by then."""
    width_ns = max((fold.width_ns for fold in FOLDS if age_ns >= fold.age_ns), default=0)
    return max(_AROUND_NS, 2 * width_ns)
