"""The migration gives exactly the declared tables, on both kinds of database."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from alerting import tables
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
