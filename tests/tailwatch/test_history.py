"""History is loaded as of one moment: whatever is committed meanwhile is counted once, now or with what is new."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from detectors.slo.compile import compile_rules
from detectors.slo.engine import Engine
from storage.database import Database
from storage.rollups import read_since
from tailwatch.history import load_history
from telemetry.deltas import DistributionDelta, count_of
from telemetry.windows import NANOS
from tests.tailwatch.declared import START_NS, TAIL, slo_set, store


class Interrupted(Database):
    """A database that somebody else writes to whenever a reader has just looked."""

    armed = False
    written = 0
    at_ns = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with super().read() as connection:
            yield connection
        if self.armed:
            self.write_late()

    def write_late(self) -> None:
        """Five calls of the time from which only distributions that are not judged yet are looked at."""
        self.armed = False
        store(self, self.rules, 5, at_ns=self.at_ns)
        self.written += 5
        self.armed = True


class Listening(Engine):
    """An engine that counts the values that it is handed."""

    values = 0

    def ingest_distributions(self, deltas) -> None:
        kept: list[DistributionDelta] = list(deltas)
        self.values += sum(count_of(one.distribution) for one in kept)
        super().ingest_distributions(kept)


def test_what_is_committed_while_history_is_loaded_counts_once(tmp_path: Path, migrated_sqlite_url: str) -> None:
    slos = slo_set(tmp_path, TAIL)
    with Interrupted(migrated_sqlite_url) as database:
        database.rules = tuple(rule for slo in slos.slos for rule in compile_rules(slo))
        engine = Listening(slos)
        database.at_ns = START_NS - engine.distribution_history_ns - 60 * NANOS
        database.write_late()
        position = load_history(database, engine, START_NS)
        database.armed = False
        increment = read_since(database, position)
        late = sum(count_of(delta.distribution) for delta in increment.distributions if delta.rule != "series")
    assert database.written > 10
    assert engine.values + late == database.written
