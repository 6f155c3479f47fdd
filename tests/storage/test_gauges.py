"""Gauges as they are handed to who judges them: merged by series and bucket, before and after points are folded."""

from __future__ import annotations

from storage.database import Database
from storage.gauges import gauge_readings
from storage.ingest import PreparedPayload, commit
from storage.metric_upkeep import compact_points
from telemetry.gauges import GaugeReading
from telemetry.points import GaugeState, MetricSeries, Total, point
from telemetry.windows import NANOS
from tests.storage.build import digest

HOUR_NS = 3600 * NANOS
NOW = 472_222 * HOUR_NS
DEPTH = MetricSeries("tailwatch.queue.depth", "{request}", "gauge", "", "chat", "a")
OTHER = MetricSeries("tailwatch.queue.depth", "{request}", "gauge", "", "scoring", "a")
COUNTER = MetricSeries("tailwatch.queue.depth", "1", "sum", "cumulative", "chat", "a")


def store(database: Database, name: str, *points: tuple[MetricSeries, int, float | Total]) -> None:
    made = tuple(point(series, NOW + at_s * NANOS, NOW, value) for series, at_s, value in points)
    commit(database, [PreparedPayload((digest(name),), points=made)], NOW)


def read(database: Database, start_s: int = -60, end_s: int = 60) -> list[GaugeReading]:
    names = {"tailwatch.queue.depth", "up"}
    return gauge_readings(database, names, {"chat"}, NOW + start_s * NANOS, NOW + end_s * NANOS)


def test_a_bucket_is_one_reading_however_many_commits_it_came_in(database: Database) -> None:
    store(database, "a", (DEPTH, 1, 4.0), (OTHER, 1, 9.0), (COUNTER, 1, Total(3.0)), (DEPTH, 61, 8.0))
    store(database, "b", (DEPTH, 5, 6.0))
    expected = [GaugeReading(DEPTH, NOW, GaugeState(2, 10.0, 4.0, 6.0, NOW + 5 * NANOS, 6.0))]
    assert read(database) == expected
    compact_points(database, NOW + HOUR_NS)
    assert read(database) == expected
    assert read(database, end_s=0) == []


def test_what_was_folded_to_wide_buckets_is_left_out(database: Database) -> None:
    store(database, "a", (DEPTH, 1, 4.0))
    compact_points(database, NOW + 7 * HOUR_NS)
    assert read(database, start_s=-600) == []
