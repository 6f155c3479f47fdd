"""Inserts and updates that SQLAlchemy Core spells differently, or too slowly, for both engines; it builds no queries.

Many rows go to SQLite through the driver's ``executemany`` and to PostgreSQL through binary COPY, as tuples:
the per-row work of Core's dictionaries would cost more than the engines themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

_CHUNK: Final = 500
"""Values in one IN list or VALUES clause, far below either engine's limit of parameters."""

Item = TypeVar("Item")

_COPY_TYPES: Final = {
    "BIGINT": "int8",
    "INTEGER": "int4",
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


def insert_new(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> Iterator[Any]:
    """Insert those of ``rows`` that the table does not hold yet, and give their first columns back.

    ``rows`` are tuples in the order of ``columns``, and few enough for one VALUES clause (:func:`chunks`). The text is
    made here: Core would build and compile an expression for every value, which costs more than the insert.
    """
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    row = f"({', '.join([mark] * len(columns))})"
    target = _target(connection, table, columns)
    first = connection.dialect.identifier_preparer.quote(columns[0])
    values = ", ".join([row] * len(rows))
    statement = f"INSERT INTO {target} VALUES {values} ON CONFLICT DO NOTHING RETURNING {first}"  # noqa: S608  # ours
    yield from connection.exec_driver_sql(statement, tuple(chain.from_iterable(rows))).scalars()


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert ``rows``, tuples in the order of ``columns``; columns that are not named keep their default.

    The rows may come from an iterator, so that they need not all exist at once.
    """
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    rows = chain((first,), rows)
    target = _target(connection, table, columns)
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        driver.executemany(f"INSERT INTO {target} VALUES ({marks})", rows).close()  # noqa: S608  # our own names
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([_COPY_TYPES[table.c[name].type.compile(dialect=connection.dialect)] for name in columns])
        for row in rows:
            copy.write_row(row)


def update_rows(
    connection: Connection, table: Table, columns: Sequence[str], keys: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Set ``columns`` where ``keys`` are the same; ``rows`` are tuples in the order of ``columns``, then ``keys``."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    quote = connection.dialect.identifier_preparer.quote
    changes = ", ".join(f"{quote(name)} = {mark}" for name in columns)
    same = " AND ".join(f"{quote(name)} = {mark}" for name in keys)
    driver: Any = connection.connection.driver_connection
    with closing(driver.cursor()) as cursor:
        cursor.executemany(f"UPDATE {quote(table.name)} SET {changes} WHERE {same}", rows)  # noqa: S608  # our own names


def _target(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return f"{quote(table.name)} ({', '.join(quote(name) for name in columns)})"
