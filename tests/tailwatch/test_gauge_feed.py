"""The evaluation reads gauges while they can change a verdict: soon, late, after a restart, no more than it must."""

from __future__ import annotations

from storage.database import Database
from storage.ingest import PreparedPayload, commit
from tailwatch.gauge_feed import GaugeFeed
from telemetry.points import MetricSeries, point
from telemetry.windows import NANOS

MINUTE = 60 * NANOS
NOW = 28_333_333 * MINUTE
DEPTH = MetricSeries("tailwatch.queue.depth", "{request}", "gauge", "", "chat", "a")
WANTED = frozenset({("chat", "tailwatch.queue.depth")})


def store(database: Database, name: str, *at_ns: int) -> None:
    points = tuple(point(DEPTH, time_ns, 0, 1.0) for time_ns in at_ns)
    commit(database, [PreparedPayload((name.encode().ljust(16),), points=points)], NOW)


def test_it_begins_with_all_that_is_fine_and_goes_on_with_what_is_recent(database: Database) -> None:
    store(database, "a", NOW - 7 * 60 * MINUTE, NOW - 5 * 60 * MINUTE, NOW - MINUTE)
    feed = GaugeFeed()
    assert [one.bucket_ns for one in feed.read(database, WANTED, NOW)] == [NOW - 300 * MINUTE, NOW - MINUTE]
    assert feed.read(database, WANTED, NOW + NANOS) == []
    store(database, "b", NOW)
    assert {one.bucket_ns for one in feed.read(database, WANTED, NOW + 10 * NANOS)} == {NOW - MINUTE, NOW}


def test_what_comes_late_is_read_within_a_minute(database: Database) -> None:
    feed = GaugeFeed()
    assert feed.read(database, WANTED, NOW) == []
    store(database, "late", NOW - 50 * MINUTE)
    assert feed.read(database, WANTED, NOW + 10 * NANOS) == []
    assert len(feed.read(database, WANTED, NOW + MINUTE)) == 1


def test_nothing_is_read_that_no_slo_asks_for(database: Database) -> None:
    store(database, "a", NOW)
    feed = GaugeFeed()
    assert feed.read(database, frozenset(), NOW) == []
    assert feed.read(database, frozenset({("other", "tailwatch.queue.depth")}), NOW) == []
    assert len(feed.read(database, WANTED, NOW + 10 * NANOS)) == 1


def test_a_new_engine_is_told_everything_again(database: Database) -> None:
    store(database, "a", NOW - 60 * MINUTE)
    feed = GaugeFeed()
    feed.read(database, WANTED, NOW)
    feed.begin()
    assert len(feed.read(database, WANTED, NOW + NANOS)) == 1
