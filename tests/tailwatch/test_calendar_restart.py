"""A calendar budget over a real database: folded, started anew in the middle of a period, and nothing is different."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from detectors.slo.compile import rule_id
from detectors.slo.parse import parse_slos
from storage.compaction import compact
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from tailwatch.evaluator import Evaluator
from telemetry.deltas import SliDelta
from telemetry.windows import NANOS

ZONE = "Asia/Kathmandu"
HOUR_NS = 3600 * NANOS
BEGINS_NS = int(datetime(2026, 5, 1, tzinfo=ZoneInfo(ZONE)).timestamp()) * NANOS
HOURS = range(-20, 120)

METHODS = {
    "occurrences": "occurrences",
    "timeslices": "{timeslices: {slice: 5m, target: 90%}}",
    "ratio-timeslices": "{ratio-timeslices: {slice: 5m}}",
}


@pytest.mark.parametrize("method", METHODS)
def test_a_restart_in_the_middle_of_a_month_shows_the_same(database: Database, method: str) -> None:
    text = (
        "version: 1\nslos:\n  - {name: a, service: chat, objective: 95%, sli: {errors: {}}, alert: none,"
        f" budgeting: {METHODS[method]}, window: {{calendar: month, timezone: {ZONE}}}}}\n"
    )
    slos = parse_slos([("slos.yaml", text)])
    rule = rule_id(slos.slos[0])

    def committed(group: Sequence[PreparedPayload]) -> object:
        return commit(database, group, now_ns)

    def evaluator() -> Evaluator:
        one = Evaluator(database, slos, committed, lambda findings, now_ns: None)
        one.start(now_ns)
        return one

    now_ns = BEGINS_NS + HOURS[0] * HOUR_NS
    running = evaluator()
    events = []
    for hour in HOURS:
        now_ns = BEGINS_NS + hour * HOUR_NS
        rows = [
            SliDelta(rule, "{}", now_ns + minute * 60 * NANOS, 9 - (hour + minute) % 4, 9)
            for minute in range(0, 60, 10)
        ]
        committed([PreparedPayload((f"{hour:016d}".encode(),), sli=rows)])
        events += rows
        now_ns += HOUR_NS - NANOS
        running.step(now_ns)
        assert running.position is not None
        compact(database, now_ns, running.position, splits=slos.splits)
    now_ns += 60 * NANOS
    running.step(now_ns)
    shown = running.statuses()
    running.stop()
    restarted = evaluator()
    restarted.step(now_ns)
    assert restarted.statuses() == shown
    own = [row for row in events if row.bucket_ns >= BEGINS_NS]
    (group,) = shown["a"]["groups"]
    expected = {
        "occurrences": (sum(row.good for row in own), sum(row.total for row in own)),
        "timeslices": (sum(row.good == 9 for row in own), len(own)),
        "ratio-timeslices": (pytest.approx(sum(row.good / row.total for row in own)), len(own)),
    }
    assert (group["good"], group["total"]) == expected[method]
    assert shown["a"]["period"]["start"] == BEGINS_NS / NANOS
    restarted.stop()
