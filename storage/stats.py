"""How many rows and bytes each table holds, for the people who run Tailwatch; it counts, so it is not for hot paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Connection, func, inspect, select, table, text

from storage.database import Database
from storage.positions import Position, current_position
from storage.tables import payloads, record_blocks
from storage.versions import VERSION_TABLE
from telemetry.columns import Signal


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


@dataclass(frozen=True, slots=True)
class BlockStats:
    """The blocks of one signal and level: how many, what they hold, and the ends of their event times (ns)."""

    signal: Signal
    level: int
    blocks: int
    records: int
    size_bytes: int
    oldest_ns: int
    newest_ns: int


@dataclass(frozen=True, slots=True)
class IngestStats:
    """How far ingest has come: requests remembered, when the last one arrived (None: none), the readers' position."""

    requests: int
    last_received_ns: int | None
    position: Position


def block_stats(db: Database) -> list[BlockStats]:
    """Every signal and level that has blocks; ``size_bytes`` is that of columns and raw bytes.

    Raises:
        StorageError: the database cannot be used.
    """
    blocks = record_blocks.c
    sizes = func.length(blocks.columns, type_=BigInteger) + func.coalesce(func.length(blocks.raw, type_=BigInteger), 0)
    query = (
        select(
            blocks.signal, blocks.level, func.count(), func.sum(blocks.records), func.sum(sizes),
            func.min(blocks.start_ns), func.max(blocks.end_ns),
        )
        .group_by(blocks.signal, blocks.level)
        .order_by(blocks.signal.desc(), blocks.level)
    )  # fmt: skip
    with db.read() as connection:
        return [BlockStats(row[0], *map(int, row[1:])) for row in connection.execute(query)]


def ingest_stats(db: Database) -> IngestStats:
    """Where ingest stands.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        received = payloads.c.received_ns
        requests, last = connection.execute(select(func.count(), func.max(received)).select_from(payloads)).one()
        return IngestStats(requests, last, current_position(connection))


def table_stats(db: Database) -> list[TableStats]:
    """Every table of the database, largest first.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        parts = set(connection.execute(_PARTITIONS).scalars()) if db.dialect == "postgresql" else set()
        names = [name for name in inspect(connection).get_table_names() if name not in {VERSION_TABLE, *parts}]
        sizes = _sqlite_sizes(connection) if db.dialect == "sqlite" else _postgresql_sizes(connection)
        found = [
            TableStats(
                name, connection.execute(select(func.count()).select_from(table(name))).scalar_one(), sizes.get(name)
            )
            for name in names
        ]
    return sorted(found, key=lambda stats: (-(stats.size_bytes or 0), stats.name))


_PARTITIONS: Final = text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")


def _postgresql_sizes(connection: Connection) -> dict[str, int]:
    """A table with its partitions, indices and long values."""
    query = text(
        "SELECT relname, (SELECT sum(pg_total_relation_size(part.relid)) FROM pg_partition_tree(pg_class.oid) AS part)"
        " FROM pg_class WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace"
        " UNION ALL SELECT relname, pg_total_relation_size(oid) FROM pg_class"
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
