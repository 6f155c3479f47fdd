"""Metric points as mergeable states of a series and a bucket of event time; it reads no wire format and no table.

What a bucket keeps depends on what the numbers mean:

- a gauge: count, sum, least, greatest and last of its values (:class:`GaugeState`);
- what happened since the point before (delta): the sum of it (:class:`Increment`);
- what happened since a start (cumulative): its first and last value by that start (:class:`Segment`), from which
  ``telemetry.growth`` computes what was added, resets included.

Merging is commutative and associative (up to the rounding of float sums), so writers, batches and compaction may
add in any order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, TypeVar

from telemetry.deltas import group_labels
from telemetry.errors import TailwatchError
from telemetry.histograms import ExponentialHistogram, Histogram
from telemetry.windows import bucket_start

MetricKind = Literal["gauge", "sum", "histogram", "exponential_histogram"]
Temporality = Literal["", "delta", "cumulative"]

METRIC_KINDS: Final[tuple[MetricKind, ...]] = ("gauge", "sum", "histogram", "exponential_histogram")


@dataclass(frozen=True, slots=True, order=True)
class Total:
    """A number that adds up."""

    value: float

    def plus(self, other: Total) -> Total:
        """Both together."""
        return Total(self.value + other.value)

    def since(self, earlier: Total) -> Total:
        """What was added since ``earlier``; everything when that was more, which a reset explains."""
        return Total(self.value - earlier.value) if self.value >= earlier.value else self

    def scaled(self, fraction: float) -> Total:
        """This share of it."""
        return Total(self.value * fraction)


Quantity: TypeAlias = Total | Histogram | ExponentialHistogram
Q = TypeVar("Q", Total, Histogram, ExponentialHistogram)


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """What a point belongs to: equal series are added up, different ones never.

    Attributes:
        name, unit: as sent; units are UCUM's.
        kind: a cumulative sum that may fall is a gauge.
        temporality: empty for gauges.
        service, instance: who sent it.
        labels: the point's attributes, as :func:`telemetry.deltas.group_key` writes them.
        scope: the instrumentation library; two may use one name.
        bounds: of histograms with fixed bounds, ascending.
        description: for people; no part of the identity.
    """

    name: str
    unit: str
    kind: MetricKind
    temporality: Temporality
    service: str
    instance: str = ""
    labels: str = "{}"
    scope: str = ""
    bounds: tuple[float, ...] = ()
    description: str = ""

    @property
    def id(self) -> int:
        """A hash of the identity, 63 bits, so that writers agree on it without asking."""
        identity = [self.name, self.unit, self.kind, self.temporality, self.service, self.instance]
        text = json.dumps([*identity, self.labels, self.scope, self.bounds], separators=(",", ":"))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels, with ``service`` and ``instance``, which win over labels of these names."""
        return {**group_labels(self.labels), "service": self.service, "instance": self.instance}


@dataclass(frozen=True, slots=True)
class GaugeState:
    """What is kept of the values of a gauge: all but their order."""

    count: int
    total: float
    low: float
    high: float
    last_ns: int
    last: float

    @classmethod
    def of(cls, time_ns: int, value: float) -> GaugeState:
        """One value."""
        return cls(1, value, value, value, time_ns, value)

    def merged(self, other: GaugeState) -> GaugeState:
        """Both together; of two values of the same time the larger is last."""
        last_ns, last = max((self.last_ns, self.last), (other.last_ns, other.last))
        return GaugeState(
            self.count + other.count,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
            last_ns,
            last,
        )


@dataclass(frozen=True, slots=True)
class Increment:
    """What was added between ``since_ns`` and ``until_ns``."""

    since_ns: int
    until_ns: int
    quantity: Quantity

    def merged(self, other: Increment) -> Increment:
        """Both together, over the time of both."""
        return Increment(
            min(self.since_ns, other.since_ns),
            max(self.until_ns, other.until_ns),
            plus(self.quantity, other.quantity),
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """The first and the last known value of something that grows from one start."""

    first_ns: int
    first: Quantity
    last_ns: int
    last: Quantity

    @classmethod
    def of(cls, time_ns: int, quantity: Quantity) -> Segment:
        """One value."""
        return cls(time_ns, quantity, time_ns, quantity)

    def merged(self, other: Segment) -> Segment:
        """The earliest and the latest of both; a value that comes twice counts once."""
        first_ns, first = min((self.first_ns, self.first), (other.first_ns, other.first))
        last_ns, last = max((self.last_ns, self.last), (other.last_ns, other.last))
        return Segment(first_ns, first, last_ns, last)


State: TypeAlias = GaugeState | Increment | Segment


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A state to be added to ``series`` in the bucket of ``bucket_ns``.

    ``start_ns``: from when a cumulative value counts, 0 where the sender does not say (and for all else). Values
    of different starts are never compared, so a restart, or two processes under one name, cannot be mistaken for a
    fall or a rise.
    """

    series: MetricSeries
    bucket_ns: int
    start_ns: int
    state: State


def point(series: MetricSeries, time_ns: int, start_ns: int, value: float | Quantity) -> MetricPoint:
    """The point of one value sent for ``time_ns``: a plain number for gauges, a quantity for everything else."""
    bucket_ns = bucket_start(time_ns)
    if isinstance(value, int | float):
        return MetricPoint(series, bucket_ns, 0, GaugeState.of(time_ns, value))
    if series.temporality == "delta":
        # A bucket holds what ended in it, so a sender without starts is taken to send a bucket at a time.
        return MetricPoint(series, bucket_ns, 0, Increment(start_ns or bucket_ns, time_ns, value))
    return MetricPoint(series, bucket_ns, start_ns, Segment.of(time_ns, value))


def merge_states(one: State, other: State) -> State:
    """Both states of one series, bucket and start.

    Raises:
        TailwatchError: they are of different kinds, so they are not of one series.
    """
    match one, other:
        case (GaugeState(), GaugeState()):
            return one.merged(other)
        case (Increment(), Increment()):
            return one.merged(other)
        case (Segment(), Segment()):
            return one.merged(other)
    raise _different(one, other)


def merge_points(points: Iterable[MetricPoint]) -> list[MetricPoint]:
    """One point for each series, bucket and start."""
    merged: dict[tuple[MetricSeries, int, int], MetricPoint] = {}
    for one in points:
        key = one.series, one.bucket_ns, one.start_ns
        found = merged.get(key)
        merged[key] = one if found is None else replace(one, state=merge_states(found.state, one.state))
    return list(merged.values())


def plus(one: Quantity, other: Quantity) -> Quantity:
    """Both together.

    Raises:
        TailwatchError: they are of different kinds.
    """
    match one, other:
        case (Total(), Total()):
            return one.plus(other)
        case (Histogram(), Histogram()):
            return one.plus(other)
        case (ExponentialHistogram(), ExponentialHistogram()):
            return one.plus(other)
    raise _different(one, other)


def since(now: Quantity, earlier: Quantity) -> Quantity:
    """What was added since ``earlier``; everything after a reset.

    Raises:
        TailwatchError: they are of different kinds.
    """
    match now, earlier:
        case (Total(), Total()):
            return now.since(earlier)
        case (Histogram(), Histogram()):
            return now.since(earlier)
        case (ExponentialHistogram(), ExponentialHistogram()):
            return now.since(earlier)
    raise _different(now, earlier)


def _different(one: object, other: object) -> TailwatchError:
    return TailwatchError(f"a {type(one).__name__} and a {type(other).__name__} cannot be one series")
