"""Turns and leadership among processes on one PostgreSQL, by its advisory locks; on SQLite there is one process.

An advisory lock ends with the transaction or connection that holds it, so a killed process holds nothing.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from enum import IntEnum

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from telemetry.errors import StorageError

_NAMESPACE = 0x7461696C
"""First half of every key, "tail" in ASCII: other applications may use advisory locks too."""


class Lock(IntEnum):
    """What is done by one process at a time."""

    COMPACTION = 1
    EVALUATION = 2
    PARTITIONS = 3


def take_turn(connection: Connection, lock: Lock) -> None:
    """Wait until no other transaction holds ``lock``, then hold it until this one ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:space, :lock)"), {"space": _NAMESPACE, "lock": int(lock)}
        )


class Leadership:
    """The right to evaluate, held by at most one process of a database at a time."""

    def __init__(self, db: Database, lock: Lock = Lock.EVALUATION) -> None:
        self._db = db
        self._lock = lock
        self._held: ExitStack | None = None
        self._connection: Connection | None = None

    def hold(self) -> bool:
        """Whether this process leads now: kept if the connection still lives, else taken if it is free.

        Call it before every evaluation; it never waits.

        Raises:
            StorageError: the database cannot be used; leadership is then lost.
        """
        if self._db.dialect == "sqlite":
            return True
        if self._connection is not None:
            try:
                with self._db.explained():
                    self._connection.execute(text("SELECT 1"))
            except StorageError:
                self.release()
                raise
            return True
        with ExitStack() as stack:
            connection = stack.enter_context(self._db.standing())
            taken = connection.execute(
                text("SELECT pg_try_advisory_lock(:space, :lock)"), {"space": _NAMESPACE, "lock": int(self._lock)}
            ).scalar_one()
            if taken:
                self._connection, self._held = connection, stack.pop_all()
            return bool(taken)

    def release(self) -> None:
        """Give leadership up: by unlocking, since a server notices the end of a connection only a moment later."""
        connection, held = self._connection, self._held
        self._held, self._connection = None, None
        if held is None or connection is None:
            return
        with held, suppress(StorageError, SQLAlchemyError), self._db.explained():
            connection.execute(
                text("SELECT pg_advisory_unlock(:space, :lock)"), {"space": _NAMESPACE, "lock": int(self._lock)}
            )
