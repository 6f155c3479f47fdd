"""The migrations give exactly the declared tables, on both kinds of database, and large ones are not gone through."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event

from alerting import repository, tables
from storage.tables import metadata
from storage.versions import VERSION_TABLE

OURS = {tables.incident_numbers, tables.incidents, tables.alerts, tables.incident_events, tables.told, tables.outbox}


def test_the_migration_gives_the_declared_tables(database):
    names = {table.name for table in OURS}
    with database.read() as connection:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "include_name": lambda name, kind, parents: name in names if kind == "table" else True,
            "include_object": lambda thing, name, kind, reflected, other: kind != "table" or name in names,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_no_evaluation_and_no_step_of_the_mirror_goes_through_all_that_has_ended(lite):
    asked: list[tuple[str, tuple[object, ...]]] = []
    event.listen(lite._reader, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with lite.read() as connection:
        repository.load_alerts_since(connection, 1)
        repository.load_world(connection, 1)
        queries = [one for one in asked if "FROM alerts" in one[0] or "FROM incidents" in one[0]]
        plans = [
            [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
            for text, given in queries
        ]
    assert len(plans) == 3
    assert not [step for steps in plans for step in steps if step.startswith("SCAN") and "CONSTANT" not in step]
    assert [step for step in plans[0] if "ix_alerts_status_since_ns (status=? AND since_ns>?)" in step]
