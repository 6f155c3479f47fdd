"""What evaluations know beyond the counts, over restarts and reloads of the server, on both databases."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from detectors.slo.compile import rule_id
from detectors.slo.parse import load_slos
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from storage.memories import load_memories, save_memories
from storage.tables import slo_memories
from tailwatch.evaluator import Evaluator
from telemetry.deltas import SliDelta
from telemetry.findings import Finding
from telemetry.windows import BUCKET_NS, NANOS
from tests.tailwatch.declared import START_NS

TICKETED = """version: 1
slos:
  - name: availability
    service: chat
    sli: {errors: {}}
    objective: 99.5%
    alert: {policy: page-and-ticket, gate: on, sequential: off}
"""
NEXT_DAY_NS = START_NS + 8 * 3600 * NANOS


@pytest.fixture
def slos(tmp_path: Path) -> SloSet:
    path = tmp_path / "slos.yaml"
    path.write_text(TICKETED)
    return load_slos([path])


class Server:
    """An evaluator, and the alerts that it last told of."""

    def __init__(self, database: Database, slos: SloSet, now_ns: int) -> None:
        self.alerts: set[str] = set()
        self.evaluator = Evaluator(database, slos, lambda group: commit(database, group, now_ns), self._act)
        self.evaluator.start(now_ns)

    def _act(self, findings: Sequence[Finding], now_ns: int) -> None:
        self.alerts = {finding.fingerprint for finding in findings}

    def step(self, now_ns: int) -> set[str]:
        self.evaluator.step(now_ns)
        return self.alerts


def count(database: Database, slos: SloSet, first: int, last: int, bad: Callable[[int], int]) -> None:
    """Ten events in each of these buckets of 10 s."""
    rule = rule_id(slos.slos[0])
    rows = tuple(SliDelta(rule, "{}", START_NS + i * BUCKET_NS, 10 - bad(i), 10) for i in range(first, last))
    commit(database, [PreparedPayload((f"{first} to {last}".encode(),), sli=rows)], START_NS)


def run_into_a_ticket(database: Database, slos: SloSet) -> tuple[Server, set[str]]:
    """A failure of ten minutes in the second hour, then too few errors for evidence and enough for a ticket."""
    server = Server(database, slos, START_NS)
    for hour in range(8):
        count(database, slos, hour * 360, hour * 360 + 360, lambda i: 10 if 360 <= i < 420 else int(i % 16 == 0))
        server.step(START_NS + (hour + 1) * 3600 * NANOS)
    assert len(server.alerts) == 1
    return server, server.alerts


def test_a_ticket_outlives_a_restart_though_the_alarm_has_left_the_finest_counts(database: Database, slos: SloSet):
    server, held = run_into_a_ticket(database, slos)
    server.evaluator.stop()
    again = Server(database, slos, NEXT_DAY_NS + NANOS)
    assert again.step(NEXT_DAY_NS + NANOS) == held
    again.evaluator.stop()
    save_memories(database, {})
    forgetful = Server(database, slos, NEXT_DAY_NS + NANOS)
    assert forgetful.step(NEXT_DAY_NS + NANOS) == set()
    forgetful.evaluator.stop()


def test_a_ticket_outlives_a_reload_but_not_a_recount_of_what_it_rests_on(
    database: Database, slos: SloSet, tmp_path: Path
) -> None:
    server, held = run_into_a_ticket(database, slos)
    path = tmp_path / "slos.yaml"
    path.write_text(TICKETED + TICKETED.partition("slos:\n")[2].replace("availability", "another"))
    more = load_slos([path])
    server.evaluator.use(more)
    assert server.step(NEXT_DAY_NS + NANOS) == held
    server.evaluator.use(more, recounted=[rule_id(slos.slos[0])])
    assert server.step(NEXT_DAY_NS + 2 * NANOS) == set()
    server.evaluator.stop()


def test_a_damaged_memory_is_told_of_and_does_without(
    database: Database, slos: SloSet, caplog: pytest.LogCaptureFixture
) -> None:
    server, _ = run_into_a_ticket(database, slos)
    server.evaluator.stop()
    (body,) = load_memories(database).values()
    with np.load(io.BytesIO(body)) as arrays:
        short = {name: array if name == "about" else array[1:] for name, array in arrays.items()}
    shorter = io.BytesIO()
    np.savez_compressed(shorter, allow_pickle=False, **short)
    for damaged in (b"", body[: len(body) // 2], body.replace(b"about", b"abort"), shorter.getvalue()):
        with database.write() as connection:
            connection.execute(update(slo_memories).values(body=damaged))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            again = Server(database, slos, NEXT_DAY_NS + NANOS)
        assert "damaged" in caplog.text
        assert again.step(NEXT_DAY_NS + NANOS) == set()
        again.evaluator.stop()
