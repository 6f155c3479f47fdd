"""Gauges through the evaluator over real databases: verdicts once, through late points and a restart."""

from __future__ import annotations

from pathlib import Path

from detectors.slo.spec import SloSet
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from telemetry.points import MetricSeries, point
from tests.tailwatch.declared import MINUTE_NS, START_NS, slo_set
from tests.tailwatch.test_evaluator import shown, slices_stored, started

QUEUE = """
  - name: queue
    service: chat
    objective: 90%
    sli: {saturation: {gauge: queue_depth, below: 50}}
"""
DEPTH = MetricSeries("tailwatch.queue.depth", "{request}", "gauge", "", "chat", "a")


def measure(database: Database, name: str, *values: tuple[int, float]) -> None:
    points = tuple(point(DEPTH, START_NS + minute * MINUTE_NS, 0, value) for minute, value in values)
    commit(database, [PreparedPayload((name.encode().ljust(16),), points=points)], START_NS)


def declared(folder: Path) -> SloSet:
    return slo_set(folder, QUEUE)


def test_a_restart_and_late_points_count_each_slice_once(database: Database, tmp_path: Path) -> None:
    slos = declared(tmp_path)
    measure(database, "a", (0, 10), (1, 80), (2, 10))
    with started(database, slos, START_NS) as one:
        one.step(START_NS + 4 * MINUTE_NS)
        assert shown(one, "queue") == {"": (2, 3)}
    with started(database, slos, START_NS + 5 * MINUTE_NS) as one:
        measure(database, "late", (0, 99))
        measure(database, "new", (4, 10))
        one.step(START_NS + 6 * MINUTE_NS)
        assert shown(one, "queue") == {"": (2, 4)}
        measure(database, "later", (3, 10))
        one.step(START_NS + 6 * MINUTE_NS + MINUTE_NS // 2)
        assert shown(one, "queue") == {"": (3, 5)}
    assert slices_stored(database, slos, "queue") == (3, 5)
