"""Inserts that SQLAlchemy Core spells differently, or too slowly, for the two engines; it builds no queries.

Many rows go to SQLite through the driver's ``executemany`` and to PostgreSQL through binary COPY, as tuples:
the per-row work of Core's dictionaries would cost more than the engines themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

_CHUNK: Final = 500
"""Values in one IN list or VALUES clause, far below either engine's limit of parameters."""

Item = TypeVar("Item")

_COPY_TYPES: Final = {
    "BIGINT": "int8",
    "SMALLINT": "int2",
    "TEXT": "text",
    "BYTEA": "bytea",
    "BOOLEAN": "bool",
    "DOUBLE PRECISION": "float8",
}


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """``items`` in pieces that fit into one IN list or VALUES clause."""
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that has ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def storable(text: str) -> str:
    """``text`` as either engine can keep it: NUL, which PostgreSQL refuses, and lone surrogates are replaced."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert ``rows``, tuples in the order of ``columns``; columns that are not named keep their default."""
    if not rows:
        return
    quote = connection.dialect.identifier_preparer.quote
    target = f"{quote(table.name)} ({', '.join(quote(name) for name in columns)})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {target} VALUES ({marks})", list(rows))  # noqa: S608  # our own names
        return
    types = [_COPY_TYPES[table.c[name].type.compile(dialect=connection.dialect)] for name in columns]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
