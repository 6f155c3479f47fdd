"""The database: transactions to read and to write, and its schema kept up to date; it knows no table's meaning."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Literal, Self, TypeAlias, cast

from sqlalchemy import Connection, Engine

from storage.backoff import Backoff
from storage.engines import BUSY_TIMEOUT_S, display_name, open_engine, parse_url, reading
from storage.failures import explained
from storage.versions import check_version, upgrade
from telemetry.errors import StorageError

Dialect = Literal["sqlite", "postgresql"]
Transaction: TypeAlias = Connection
"""What :meth:`Database.read` and :meth:`Database.write` give, for who only hands it on."""


class Moment:
    """One state of a database: what is read of it lies side by side, however many reads there are."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The transaction that sees it."""
        yield self._connection


class Database:
    """One SQLite file or PostgreSQL database, for use by many threads.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql+psycopg://USER@HOST/DATABASE``. Nothing is opened before the
            first transaction, but the folder of a SQLite file is made.

    Raises:
        StorageError: the URL, the folder or the driver is unusable.
    """

    def __init__(self, url: str) -> None:
        parsed = parse_url(url)
        self.name = display_name(parsed)
        """The database as logs may show it."""
        self._writer = open_engine(parsed)
        self._reader = reading(self._writer)
        self.dialect = cast("Dialect", self._writer.dialect.name)
        self._turn = threading.Lock()
        self._backoff = Backoff(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database from its first statement on, and changes nothing.

        Raises:
            StorageError: the database cannot be used.
        """
        with self.explained(), self._connected(self._reader) as connection:
            yield connection

    @contextmanager
    def moment(self) -> Iterator[Moment]:
        """One state of the database for several reads, that of the first of them.

        Raises:
            StorageError: the database cannot be used.
        """
        with self.read() as connection:
            yield Moment(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed, durably, when the block ends, and undone when it raises.

        On SQLite it holds the only write lock from the start: keep it short, and do not nest.

        Raises:
            StorageError: the database cannot be used, or stays locked.
        """
        with self._in_turn(), self.explained(), self._connected(self._writer) as connection, connection.begin():
            yield connection

    def check_schema(self) -> None:
        """Raise unless this Tailwatch can work with the stored schema, once upgraded.

        Raises:
            SchemaError: a newer Tailwatch wrote it.
            StorageError: the database cannot be used.
        """
        with self.read() as connection:
            check_version(connection, self.name)

    def upgrade(self) -> None:
        """Bring the schema up to date, creating it if need be; processes that start together take turns.

        Raises:
            SchemaError: a newer Tailwatch wrote it.
            StorageError: the database cannot be used.
        """
        with self.read() as connection:
            if check_version(connection, self.name):
                return
        with self.write() as connection:
            upgrade(connection, self.name)

    def close(self) -> None:
        """Close every connection; the database can be used again afterwards."""
        self._writer.dispose()

    @contextmanager
    def standing(self) -> Iterator[Connection]:
        """A connection outside the pool and outside transactions, ended with the block; for locks that outlive them.

        Raises:
            StorageError: the database cannot be used.
        """
        with self.explained(), self._connected(self._writer) as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            yield connection

    def explained(self) -> AbstractContextManager[None]:
        """Raise what the driver raises inside as StorageError; transactions of this class already do."""
        return explained(self.name, self._writer.dialect.loaded_dbapi)

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        """A connection; a server that could not be reached is left in peace for a moment."""
        with self._backoff.attempt() if self.dialect == "postgresql" else nullcontext():
            connection = engine.connect()
        with connection:
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let this process's writers of SQLite queue up: its own waiting is a poll, and unfair."""
        if self.dialect != "sqlite":
            yield
            return
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_S):
            raise StorageError(
                "the database is locked", where=self.name, remedy="another thread holds a long transaction: wait for it"
            )
        try:
            yield
        finally:
            self._turn.release()
