"""How far a reader of increments has come, such that it misses none and reads none twice; it holds no state.

Row numbers alone do not tell on PostgreSQL: they are drawn before the commit, so a smaller one may become
visible after a larger one has been read. There each row carries its transaction's 64-bit number, and a position
is the snapshot (``xmin:xmax:running``) that was read in: unread is what that snapshot did not see. This is
exact at once, where reading only below the oldest running transaction would stand still behind any long one.

SQLite has one writer at a time, so row numbers become visible in their order and a position is the last of each
table (``sli:distributions``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NewType

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, text, update

from storage.database import Database
from storage.tables import distribution_deltas, sli_deltas

Position = NewType("Position", str)
"""Opaque; good for the database that gave it."""

DELTA_TABLES: Final = (sli_deltas, distribution_deltas)
FRESH: Final = text("level = 0")
"""Spelt out, not bound, so that PostgreSQL can use the partial index."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A PostgreSQL snapshot: it sees transactions below ``xmax`` that were not ``running``."""

    xmax: int
    running: tuple[int, ...]

    @classmethod
    def parse(cls, position: str) -> _Snapshot:
        _, xmax, running = position.split(":")
        return cls(int(xmax), tuple(int(number) for number in running.split(",") if number))


def current_position(connection: Connection) -> Position:
    """The position of a reader that has read all that this transaction sees."""
    if connection.dialect.name == "postgresql":
        return Position(connection.execute(text("SELECT pg_current_snapshot()::text")).scalar_one())
    last = [connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one() for table in DELTA_TABLES]
    return Position(":".join(str(number) for number in last))


def unread(connection: Connection, table: Table, position: Position) -> ColumnElement[bool]:
    """The rows of ``table`` that a reader at ``position`` has not seen; compaction's own rows are none of them."""
    if connection.dialect.name == "postgresql":
        then = _Snapshot.parse(position)
        return and_(FRESH, or_(table.c.transaction_id >= then.xmax, table.c.transaction_id.in_(then.running)))
    # The plus keeps SQLite from the index on the level, which holds every fresh row, in favour of the row number.
    return and_(text("+level = 0"), table.c.id > _last_row(table, position))


def already_read(connection: Connection, table: Table, position: Position) -> ColumnElement[bool]:
    """The rows of ``table`` that a reader at ``position`` has seen."""
    if connection.dialect.name == "postgresql":
        then = _Snapshot.parse(position)
        return and_(table.c.transaction_id < then.xmax, table.c.transaction_id.not_in(then.running))
    return table.c.id <= _last_row(table, position)


def adopt_restored_rows(db: Database) -> None:
    """Let rows restored from another server's dump count as old: their transaction numbers mean nothing here.

    Left alone, those whose numbers this server has yet to reach would be unread forever.
    """
    if db.dialect != "postgresql":
        return
    ahead = text("transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    with db.write() as connection:
        for table in DELTA_TABLES:
            connection.execute(update(table).where(FRESH, ahead).values(transaction_id=0))


def _last_row(table: Table, position: Position) -> int:
    return int(position.split(":")[DELTA_TABLES.index(table)])
