"""The frequent queries go by the index that is meant for them, not through the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.dialects import postgresql

from storage import retention, rollups, spans
from storage.compaction import compact
from storage.database import Database
from storage.ingest import commit
from storage.positions import Position, unread
from storage.tables import sli_deltas
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, payload, span_columns

QUERIES = {
    "new increments": (
        lambda db: rollups.read_since(db, Position("5:5")),
        ["sli_deltas USING INTEGER PRIMARY KEY (rowid>?)", "distribution_deltas USING INTEGER PRIMARY KEY (rowid>?)"],
    ),
    "counters of rules": (
        lambda db: rollups.load_sli(db, ["a", "b"], 0, 9),
        ["ix_sli_deltas_rule_bucket_ns (rule=? AND bucket_ns>? AND bucket_ns<?)"],
    ),
    "totals": (
        lambda db: rollups.sli_totals(db, "a", 0, 9),
        ["ix_sli_deltas_rule_bucket_ns (rule=? AND bucket_ns>? AND bucket_ns<?)"],
    ),
    "search": (
        lambda db: spans.search(db, 0, 9, service="chat", error=True),
        ["ix_record_blocks_signal_end_ns_start_ns (signal=? AND end_ns>?)"],
    ),
    "long range": (
        lambda db: list(spans.iterate_columns(db, 0, 9, service="chat")),
        ["ix_record_blocks_signal_end_ns_start_ns (signal=? AND end_ns>?)"],
    ),
    "trace": (lambda db: spans.trace(db, "11" * 16), ["ix_record_blocks_signal_end_ns_start_ns (signal=?)"]),
    "compaction": (
        lambda db: compact(db, NOW_NS, Position("5:5")),
        ["ix_sli_deltas_level_bucket_ns (level=? AND bucket_ns<?)"],
    ),
    "retention": (
        lambda db: retention.apply(db, NOW_NS, retention.RetentionPolicy(1, 1, 1, 1, 1)),
        [
            "ix_sli_deltas_level_bucket_ns (level=? AND bucket_ns<?)",
            "ix_record_blocks_signal_end_ns_start_ns (signal=? AND end_ns<?)",
        ],
    ),
}


@contextmanager
def _plans(database: Database) -> Iterator[list[str]]:
    """The steps of SQLite's plan of every query within the block."""
    steps: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "DELETE")):
            plan = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps.extend(row[3] for row in plan)

    event.listen(database._writer, "before_cursor_execute", explain)
    yield steps
    event.remove(database._writer, "before_cursor_execute", explain)


@pytest.mark.parametrize("name", QUERIES)
def test_sqlite_uses_the_index(migrated_sqlite_url: str, name: str):
    query, expected = QUERIES[name]
    with Database(migrated_sqlite_url) as database, _plans(database) as steps:
        query(database)
    for step in expected:
        assert any(step in found for found in steps), steps
    assert not any(found.startswith("SCAN") and "CONSTANT" not in found and "subquery" not in found for found in steps)


def test_postgresql_finds_new_increments_by_the_partial_index(migrated_postgres_url: str):
    with Database(migrated_postgres_url) as database, database.read() as connection:
        query = select(sli_deltas.c.id).where(unread(connection, sli_deltas, Position("100:200:100,150")))
        sql = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(connection.execute(text(f"EXPLAIN {sql}")).scalars())
    assert "ix_sli_deltas_transaction_id" in plan


@contextmanager
def _blocks_read(database: Database) -> Iterator[list[int]]:
    """The blocks whose columns are read within the block."""
    read: list[int] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT record_blocks.columns"):
            read.extend(parameters.values() if isinstance(parameters, dict) else parameters)

    event.listen(database._writer, "before_cursor_execute", note)
    yield read
    event.remove(database._writer, "before_cursor_execute", note)


@pytest.fixture
def hours(database: Database) -> Database:
    """Ten blocks of twenty spans, an hour apart, every other one of another service."""
    batches = [
        span_columns(20, end_ns=NOW_NS - hour * 3600 * NANOS, seed=hour, service="chat" if hour % 2 else "other")
        for hour in range(10)
    ]
    commit(database, [payload("a", columns=tuple(batches))], NOW_NS)
    return database


def test_a_trace_is_read_from_its_block_alone(hours: Database):
    wanted = span_columns(20, seed=6).trace_id[3].tobytes().hex()
    with _blocks_read(hours) as read:
        assert len(spans.trace(hours, wanted)) == 1
        assert len(read) == 1
        assert spans.trace(hours, "ab" * 16) == []
        assert len(read) == 1


def test_a_search_ends_with_the_blocks_that_can_be_newer_and_passes_over_other_services(hours: Database):
    with _blocks_read(hours) as read:
        assert len(spans.search(hours, 0, NOW_NS + 1, limit=5)) == 5
        assert len(read) == 1
        assert len(spans.search(hours, 0, NOW_NS + 1, service="chat", limit=25)) == 25
        assert len(read) == 3
        assert len(spans.load_columns(hours, NOW_NS - 4 * 3600 * NANOS, NOW_NS, service="third")) == 0
        assert len(read) == 3
