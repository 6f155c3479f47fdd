"""From which event time on the stored rows are all that came in; it drops none, and asks who drops some to say so.

Counters may be counted anew from rows from this time on only. It moves in, or before, the transaction that drops
rows, so whoever reads rows first and this time afterwards knows what was missing.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Connection, cast, select

from storage.statements import insert_into
from storage.tables import settings

_KEY: Final = "rows_complete_from_ns"
_STORED: Final = select(settings.c.value).where(settings.c.key == _KEY)


def complete_from(connection: Connection) -> int:
    """The time in ns; 0 while every row that ever came in is still there."""
    value: str | None = connection.execute(_STORED).scalar()
    return int(value or 0)


def rows_dropped(connection: Connection, before_ns: int) -> None:
    """Say that rows before ``before_ns`` are dropped, or were never kept."""
    if complete_from(connection) >= before_ns:  # spares collectors that keep no rows a lock on one row at each commit
        return
    statement = insert_into(connection, settings).values(key=_KEY, value=str(before_ns))
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={"value": statement.excluded.value},
            where=cast(settings.c.value, BigInteger) < cast(statement.excluded.value, BigInteger),
        )
    )
