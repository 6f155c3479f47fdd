"""How many rows and bytes each table holds, for the people who run Tailwatch; it counts, so it is not for hot paths."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, inspect, select, table, text

from storage.database import Database
from storage.versions import VERSION_TABLE


@dataclass(frozen=True, slots=True)
class TableStats:
    """Rows of a table, and its bytes on the disk with its indices; None where the engine does not tell."""

    name: str
    rows: int
    size_bytes: int | None


def database_size(db: Database) -> int:
    """Bytes of the whole database on the disk, indices and free pages included, at the cost of a look-up.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        if db.dialect == "sqlite":
            pages, size = (
                connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size")
            )
            return int(pages) * int(size)
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def table_stats(db: Database) -> list[TableStats]:
    """Every table of the database, largest first.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        names = [name for name in inspect(connection).get_table_names() if name != VERSION_TABLE]
        sizes = _sqlite_sizes(connection) if db.dialect == "sqlite" else _postgresql_sizes(connection)
        found = [
            TableStats(
                name, connection.execute(select(func.count()).select_from(table(name))).scalar_one(), sizes.get(name)
            )
            for name in names
        ]
    return sorted(found, key=lambda stats: (-(stats.size_bytes or 0), stats.name))


def _postgresql_sizes(connection: Connection) -> dict[str, int]:
    query = text(
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )
    return {name: int(size) for name, size in connection.execute(query)}


def _sqlite_sizes(connection: Connection) -> dict[str, int]:
    """Pages by table, its indices included; empty where SQLite was built without ``dbstat``."""
    if not connection.execute(text("SELECT 1 FROM pragma_module_list WHERE name = 'dbstat'")).scalar():
        return {}
    query = text(
        "SELECT schema.tbl_name, sum(pages.pgsize) FROM dbstat AS pages"
        " JOIN sqlite_schema AS schema ON schema.name = pages.name"
        " WHERE pages.aggregate = TRUE GROUP BY schema.tbl_name"
    )
    return {name: int(size) for name, size in connection.execute(query)}
