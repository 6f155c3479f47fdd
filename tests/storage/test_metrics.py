"""Metrics come back as they went in: exact in sum, once, grouped by any label, and the same after compaction."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from storage.database import Database
from storage.ingest import PreparedPayload, RepeatedError, commit
from storage.metric_bodies import decode, encode
from storage.metric_groups import GaugePoint, GrowthPoint, MetricGroup, metric_groups
from storage.metric_tables import metric_points, metric_series
from storage.metric_upkeep import compact_points, forget_points
from storage.metrics import statuses
from telemetry.deltas import group_key
from telemetry.errors import TailwatchError
from telemetry.histograms import Buckets, ExponentialHistogram, Histogram
from telemetry.matchers import Matcher, Matchers
from telemetry.points import GaugeState, Increment, MetricPoint, MetricSeries, Quantity, Segment, State, Total, point
from telemetry.windows import NANOS
from tests.storage.build import digest

HOUR_NS = 3600 * NANOS
NOW = 1_700_000_000 * NANOS - (1_700_000_000 * NANOS) % HOUR_NS
GAUGE = MetricSeries("queue", "{request}", "gauge", "", "chat", "a", group_key({"model": "m"}), description="waiting")
COUNTER = MetricSeries("requests", "1", "sum", "cumulative", "chat", "a")
BOUNDS = (0.1, 1.0)
LATENCY = MetricSeries("latency", "s", "histogram", "cumulative", "chat", "a", bounds=BOUNDS)
EXPONENTIAL = MetricSeries("latency", "s", "exponential_histogram", "delta", "chat", "a")


def store(database: Database, points: Sequence[MetricPoint], name: str = "a", now_ns: int = NOW) -> None:
    commit(database, [PreparedPayload((digest(name),), points=tuple(points))], now_ns)


def groups(database: Database, name: str, seconds: int = 60, step: int = 10, **more: object) -> list[MetricGroup]:
    return metric_groups(database, name, NOW, NOW + seconds * NANOS, step * NANOS, now_ns=NOW, **more)  # type: ignore[arg-type]


def added(group: MetricGroup) -> list[float]:
    return [one.added.value for one in group.points if isinstance(one, GrowthPoint) and isinstance(one.added, Total)]


def test_gauges_of_a_group_are_joined_from_every_value(database: Database) -> None:
    other = replace(GAUGE, instance="b")
    values = [(GAUGE, 0, 4.0), (GAUGE, 5, 2.0), (other, 3, 10.0), (other, 12, 7.0)]
    store(database, [point(series, NOW + at * NANOS, 0, value) for series, at, value in values])
    (both,) = groups(database, "queue")
    assert (both.kind, both.unit, both.series) == ("gauge", "{request}", 2)
    assert both.points == (
        GaugePoint(NOW, pytest.approx(16 / 3), 2.0, 10.0, 2.0, 13.0),
        GaugePoint(NOW + 10 * NANOS, 7.0, 7.0, 7.0, 7.0, 7.0),
    )
    split = groups(database, "queue", by=("instance", "model"))
    assert [one.labels for one in split] == [{"instance": "a", "model": "m"}, {"instance": "b", "model": "m"}]
    (one,) = groups(database, "queue", where=Matchers((Matcher("instance", "=", "b"),)))
    assert [point.last for point in one.points if isinstance(point, GaugePoint)] == [10.0, 7.0]


def test_a_counter_is_what_was_added_across_a_restart_and_two_processes(database: Database) -> None:
    first, second = NOW - 30 * NANOS, NOW + 25 * NANOS
    sent = [(NOW - 10 * NANOS, first, 100.0), (NOW + 10 * NANOS, first, 120.0), (NOW + 20 * NANOS, first, 150.0)]
    sent += [(NOW + 40 * NANOS, second, 6.0), (NOW + 50 * NANOS, second, 9.0)]
    beside = [(NOW + at * NANOS, NOW + 1, float(at)) for at in (10, 20, 30, 40, 50)]
    store(database, [point(COUNTER, at, start, Total(value)) for at, start, value in (*sent, *beside)])
    (group,) = groups(database, "requests")
    assert sum(added(group)) == pytest.approx(10 + 30 + 6 + 3 + 50)
    assert [one.observed_s for one in group.points if isinstance(one, GrowthPoint)] == [10.0] * 5


def test_growth_before_and_after_the_range_is_told_apart_by_its_neighbours(database: Database) -> None:
    start = NOW - HOUR_NS
    store(database, [point(COUNTER, NOW + at * NANOS, start, Total(1000.0 + at)) for at in range(-60, 240, 60)])
    (group,) = groups(database, "requests", seconds=120, step=20)
    assert added(group) == pytest.approx([20.0] * 6)


def test_histograms_of_both_kinds_and_temporalities_come_back(database: Database) -> None:
    start = NOW - 5 * HOUR_NS
    grown = [(0, (1, 1, 1)), (10, (4, 1, 1)), (20, (4, 5, 2))]
    points = [
        point(LATENCY, NOW + at * NANOS, start, Histogram(BOUNDS, counts, float(sum(counts)))) for at, counts in grown
    ]
    many = ExponentialHistogram(3, 1, 0.0, Buckets(-5, (1, 0, 300)), Buckets(), 9.0)
    points += [point(EXPONENTIAL, NOW + at * NANOS, NOW + (at - 5) * NANOS, many) for at in (5, 9, 15)]
    store(database, points)
    exponential, fixed = groups(database, "latency", step=30)
    assert [one.kind for one in (exponential, fixed)] == ["exponential_histogram", "histogram"]
    (whole,) = fixed.points
    assert isinstance(whole, GrowthPoint)
    assert whole.added == Histogram(BOUNDS, (3, 4, 1), 8.0)
    (merged,) = exponential.points
    assert isinstance(merged, GrowthPoint)
    assert isinstance(merged.added, ExponentialHistogram)
    assert merged.added.count == 3 * 302


def test_a_repeat_adds_nothing(database: Database) -> None:
    store(database, [point(GAUGE, NOW, 0, 1.0)], "same")
    with pytest.raises(RepeatedError):
        store(database, [point(GAUGE, NOW, 0, 1.0)], "same")
    (group,) = groups(database, "queue")
    assert group.points == (GaugePoint(NOW, 1.0, 1.0, 1.0, 1.0, 1.0),)


def test_the_last_value_of_every_series_is_known(database: Database) -> None:
    store(database, [point(GAUGE, NOW + at * NANOS, 0, float(at)) for at in (3, 47, 12)])
    store(database, [point(COUNTER, NOW + at * NANOS, 1, Total(float(at))) for at in (30, 20)], "b")
    queue, requests = statuses(database, NOW)
    assert (queue.series, queue.last_ns, queue.last) == (GAUGE, NOW + 47 * NANOS, 47.0)
    assert queue.series.description == "waiting"
    assert (requests.last_ns, requests.last) == (NOW + 30 * NANOS, Total(30.0))
    assert statuses(database, NOW + 50 * NANOS) == []
    assert [one.series.name for one in statuses(database, NOW, name="requests", service="chat")] == ["requests"]
    assert statuses(database, NOW, service="other") == []


@pytest.mark.parametrize(("seed", "batch"), [(1, 1), (2, 7), (3, 1000)])
def test_compaction_changes_no_sum_and_ends_with_one_row(database: Database, seed: int, batch: int) -> None:
    chosen = random.Random(seed)
    old = NOW - 100 * HOUR_NS
    times = [old + chosen.randrange(0, 3600) * NANOS for _ in range(60)]
    start = old
    sent = [point(COUNTER, at, start, Total(float(at - start) / NANOS)) for at in times]
    sent += [point(GAUGE, at, 0, float(chosen.randrange(100))) for at in times]
    sent += [point(EXPONENTIAL, at, at - NANOS, ExponentialHistogram(2, 1, 0.0, Buckets(3, (2,)))) for at in times]
    for place in range(0, len(sent), 25):
        store(database, sent[place : place + 25], f"{place}", old)

    def found(name: str) -> MetricGroup:
        (group,) = metric_groups(database, name, old, old + HOUR_NS, HOUR_NS, now_ns=NOW)
        return group

    before = {name: found(name) for name in ("requests", "queue", "latency")}
    compact_points(database, NOW, batch)
    assert added(found("requests")) == pytest.approx(added(before["requests"]))
    assert sum(added(found("requests"))) == pytest.approx((max(times) - start) / NANOS)
    assert found("queue").points == before["queue"].points
    assert [one.added for one in found("latency").points if isinstance(one, GrowthPoint)] == [
        ExponentialHistogram(2, 60, 0.0, Buckets(3, (120,)))
    ]
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(metric_points)).scalar() == 3


def test_forgetting_deletes_what_is_old_and_series_without_points(database: Database) -> None:
    store(database, [point(GAUGE, NOW - at * 24 * HOUR_NS, 0, 1.0) for at in range(5)])
    store(database, [point(COUNTER, NOW - 5 * 24 * HOUR_NS, 0, Total(1.0))], "b", NOW - 5 * 24 * HOUR_NS)
    assert forget_points(database, NOW - 2 * 24 * HOUR_NS, batch_rows=2) == 3
    assert forget_points(database, NOW - 2 * 24 * HOUR_NS) == 0
    with database.read() as connection:
        assert connection.execute(select(metric_series.c.name)).scalars().all() == ["queue"]
    assert [one.last_ns for one in statuses(database, 0)] == [NOW]


def test_texts_that_an_engine_refuses_are_replaced(database: Database) -> None:
    store(database, [point(replace(GAUGE, service="a\0b", labels=group_key({"x": "\ud800"})), NOW, 0, 1.0)])
    (one,) = statuses(database, NOW)
    assert one.series.service == "a\ufffdb"
    assert one.series.all_labels["x"] == "?"


STATES: list[State] = [
    GaugeState(3, 1.5, -1.0, 2.0, NOW, 0.5),
    Increment(NOW - 1, NOW, Total(2.5)),
    Segment(NOW, Total(1.0), NOW + 1, Total(2.0)),
    Segment.of(NOW, Histogram(BOUNDS, (1, 2**40, 0), 3.5)),
    Increment(0, NOW, ExponentialHistogram(-3, 7, 1e-9, Buckets(-9, (1, 0, 70000)), Buckets(2, (255, 256)), -1.5)),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
def test_states_survive_the_way_to_bytes(state: State) -> None:
    assert decode(encode(state), BOUNDS) == state


@pytest.mark.parametrize("body", [b"", b"\x09", b"\x01abc", encode(STATES[4])[:-3], b"\x02" + bytes(16) + b"x"])
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(TailwatchError, match="cannot be read"):
        decode(body, BOUNDS)


def test_small_counts_take_few_bytes() -> None:
    quantity: Quantity = Histogram(tuple(map(float, range(11))), tuple(range(12)), 1.0)
    assert len(encode(Segment.of(NOW, quantity))) < 50
