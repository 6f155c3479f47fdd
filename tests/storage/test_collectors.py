"""Collectors on one database know of each other, and of what the others count."""

from __future__ import annotations

from dataclasses import replace

from storage.collectors import LIVE_NS, CollectorRow, differences, leave, live_collectors, renew
from storage.database import Database
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS

FIRST = CollectorRow("a", "host-1", 11, "0.1.0", NOW_NS, ("errors@1", "series"))
SECOND = CollectorRow("b", "host-\ud800", 2**40, "0.1.0", NOW_NS + 1, ("errors@2", "series"))


def test_a_collector_is_live_from_its_first_heartbeat_until_a_minute_after_its_last(database: Database):
    assert live_collectors(database, NOW_NS) == []
    renew(database, FIRST, NOW_NS)
    renew(database, SECOND, NOW_NS + 1)
    renew(database, FIRST, NOW_NS + 30 * NANOS)
    assert live_collectors(database, NOW_NS + LIVE_NS) == [
        replace(FIRST, seen_ns=NOW_NS + 30 * NANOS),
        replace(SECOND, host="host-?", seen_ns=NOW_NS + 1),
    ]
    assert [row.id for row in live_collectors(database, NOW_NS + LIVE_NS + 1)] == ["a"]
    renew(database, SECOND, NOW_NS + 2 * LIVE_NS)
    assert [row.id for row in live_collectors(database, NOW_NS + 2 * LIVE_NS)] == ["b"]


def test_one_that_ends_leaves_and_one_that_was_killed_is_forgotten(database: Database):
    renew(database, FIRST, NOW_NS)
    renew(database, SECOND, NOW_NS)
    leave(database, "a")
    assert [row.id for row in live_collectors(database, NOW_NS)] == ["b"]
    day_ns = 86400 * NANOS
    renew(database, FIRST, NOW_NS + day_ns + 1)
    assert [row.id for row in live_collectors(database, NOW_NS)] == ["a"]


def test_differences_name_what_each_lacks():
    assert differences([]) == differences([FIRST]) == differences([FIRST, replace(FIRST, id="c")]) == {}
    assert differences([FIRST, SECOND]) == {"a": ("errors@2",), "b": ("errors@1",)}
    assert differences([FIRST, replace(SECOND, rules=("series",))]) == {"b": ("errors@1",)}
