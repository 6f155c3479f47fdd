"""Partitions of a table by days of event time, on PostgreSQL only: made when a day first occurs, dropped whole.

A record whose day has no partition is never refused: the default partition takes it. That happens when another
process makes the partition at the same time and is not done soon, and for days that a default partition holds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError

from storage.locks import Lock, take_turn
from telemetry.windows import NANOS

DAY_NS: Final = 86400 * NANOS
_KNOWN: Final = "tailwatch_days"
_WAIT_MS: Final = 1000
"""How long a commit waits for readers of the table before it leaves a day to the default partition."""


def ensure_days(connection: Connection, table: Table, times_ns: Iterable[int]) -> None:
    """Make the partitions of the days of ``times_ns``; call it before anything is written to ``table``.

    Which days there are is remembered with the connection. When one was dropped meanwhile, records of it go to the
    default partition.
    """
    if connection.dialect.name != "postgresql":
        return
    known: set[int] = connection.info.setdefault(_KNOWN, set())
    missing = sorted({time_ns // DAY_NS for time_ns in times_ns} - known)
    for day in missing:
        if not _exists(connection, table, day):
            _create(connection, table, day)
        known.add(day)


def ended(connection: Connection, table: Table, before_ns: int) -> list[str]:
    """The partitions of the days that ended by ``before_ns``."""
    return [name for name, day in partitions(connection, table).items() if (day + 1) * DAY_NS <= before_ns]


def drop(connection: Connection, name: str) -> None:
    """Drop the partition ``name``; the database reports a lock timeout when readers keep the table for too long."""
    connection.execute(text(f"SET LOCAL lock_timeout = {_WAIT_MS}"))
    connection.execute(text(f"DROP TABLE {name}"))
    connection.info.pop(_KNOWN, None)


def partitions(connection: Connection, table: Table) -> dict[str, int]:
    """The partitions of ``table`` but the default one: name, and day since the epoch."""
    prefix = f"{table.name}_day_"
    query = text("SELECT relid::regclass::text FROM pg_partition_tree(CAST(:name AS regclass)) WHERE isleaf")
    names = [name.strip('"') for name in connection.execute(query, {"name": table.name}).scalars()]
    return {
        name: (dt.date.fromisoformat(name.removeprefix(prefix)) - _EPOCH).days
        for name in names
        if name.startswith(prefix)
    }


_EPOCH: Final = dt.date(1970, 1, 1)
_LAST_DAY: Final = (dt.date.max - _EPOCH).days


def _name(table: Table, day: int) -> str:
    return f"{table.name}_day_{(_EPOCH + dt.timedelta(days=day)).strftime('%Y%m%d')}"


def _exists(connection: Connection, table: Table, day: int) -> bool:
    if not 0 <= day <= _LAST_DAY:
        return True  # no day that anybody lives in: the default partition's
    name = _name(table, day)
    return connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None


def _create(connection: Connection, table: Table, day: int) -> None:
    """Make a partition, unless somebody else just did, holds the table, or the default one has records of the day."""
    try:
        with connection.begin_nested():
            connection.execute(text(f"SET LOCAL lock_timeout = {_WAIT_MS}"))
            take_turn(connection, Lock.PARTITIONS)
            bounds = f"FROM ({day * DAY_NS}) TO ({(day + 1) * DAY_NS})"
            connection.execute(
                text(f"CREATE TABLE IF NOT EXISTS {_name(table, day)} PARTITION OF {table.name} FOR VALUES {bounds}")
            )
            connection.execute(text("SET LOCAL lock_timeout = DEFAULT"))
    except DBAPIError as error:
        if connection.invalidated or getattr(error.orig, "sqlstate", None) not in _LEFT_TO_DEFAULT:
            raise


_LEFT_TO_DEFAULT: Final = frozenset({"55P03", "23514", "40P01"})
"""Lock timeout, records of the day in the default partition, deadlock."""
