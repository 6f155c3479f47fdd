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
from storage.positions import Position, unread
from storage.tables import sli_deltas
from tests.storage.build import NOW_NS

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
