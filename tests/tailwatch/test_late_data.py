"""Late records through database, evaluation and alerting: they withdraw pages that were wrong, and date true ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alerting.config import AlertingConfig
from alerting.service import Alerting
from detectors.slo.compile import compile_rules
from storage.database import Database
from storage.ingest import commit
from tailwatch.evaluator import Evaluator
from telemetry.findings import Finding
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, MINUTE_NS, START_NS, slo_set, store


class World:
    """An evaluator and alerting over one database, a step a minute."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.slos = slo_set(folder, AVAILABILITY)
        self.alerting = Alerting(database, AlertingConfig())
        self.evaluator = Evaluator(
            database, self.slos, lambda group: commit(database, group, self.now_ns), self._act
        )  # fmt: skip
        self.now_ns = START_NS
        self.evaluator.start(self.now_ns)

    def _act(self, findings: Sequence[Finding], now_ns: int) -> None:
        self.alerting.apply(findings, lambda _finding: None, now_ns, withdrawn=self.evaluator.withdrawn)

    def send(self, count: int, minute: int, bad: int = 0) -> None:
        rules = tuple(rule for slo in self.slos.slos for rule in compile_rules(slo))
        store(
            self.database, rules, count, at_ns=START_NS + minute * MINUTE_NS, now_ns=self.now_ns, bad=bad
        )  # fmt: skip

    def run(self, minutes: range, bad_in: range = range(0), count: int = 40) -> None:
        for minute in minutes:
            failing = minute in bad_in
            self.send(count, minute, bad=count if failing else 0)
            self.now_ns = START_NS + (minute + 1) * MINUTE_NS
            self.evaluator.step(self.now_ns)

    def incident(self) -> dict[str, Any]:
        (only,) = self.alerting.incidents()
        return self.alerting.incident(only["id"])


@pytest.fixture
def world(database: Database, tmp_path: Path):
    one = World(database, tmp_path)
    yield one
    one.evaluator.stop()


def test_records_that_come_twenty_minutes_late_withdraw_a_page(world: World) -> None:
    world.run(range(90), bad_in=range(60, 66))
    assert world.incident()["status"] == "open"
    for minute in range(60, 66):
        world.send(20_000, minute)
    world.run(range(90, 92))
    incident = world.incident()
    assert incident["status"] == "resolved"
    assert {alert["state"] for alert in incident["alerts"]} <= {"withdrawn", "resolved"}
    texts = [event["text"] for event in incident["timeline"]]
    assert any("late data proved it wrong" in text for text in texts)


def test_a_page_that_ends_is_resolved_and_not_withdrawn(world: World) -> None:
    world.run(range(60 + 420), bad_in=range(60, 66))
    incident = world.incident()
    assert "withdrawn" not in {alert["state"] for alert in incident["alerts"]}
    assert not any("late data" in event["text"] for event in incident["timeline"])


def test_failures_that_come_twenty_minutes_late_open_an_incident_that_is_dated_back(world: World) -> None:
    world.run(range(60))
    world.send(200, 40, bad=200)
    world.run(range(60, 62))
    incident = world.incident()
    assert incident["opened_at"] * NANOS == START_NS + 61 * MINUTE_NS
    assert incident["evidence"]["since"] * NANOS == pytest.approx(START_NS + 40 * MINUTE_NS, abs=10 * NANOS)
