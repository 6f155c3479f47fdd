"""Connections to SQLite and PostgreSQL, set up so that what is committed stays; it opens no transaction itself.

SQLite runs in WAL with ``synchronous=FULL``: a commit is on the disk before it returns. Its driver's own
transaction handling is switched off, and ``BEGIN`` (readers) or ``BEGIN IMMEDIATE`` (the writer) is sent
instead, after SQLAlchemy's recipe for SQLite: an upgrade of a read to a write transaction, which SQLite may
refuse at once, then never happens.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from telemetry.errors import StorageError

BUSY_TIMEOUT_S: Final = 20.0
"""How long a writer waits for another process before the database counts as locked."""

_CONNECT_TIMEOUT_S: Final = 10
_CONNECTIONS: Final = 8
_MORE_CONNECTIONS: Final = 24
_CACHE_KIB: Final = 32 * 1024
_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
_PAGE_BYTES: Final = 8192
"""Of new databases. Blocks of records are long: they are read in half the time that pages of 4 KiB take, and written
in the same; pages of 16 KiB would double what a small commit writes."""
_CHECKPOINT_PAGES: Final = 2000
"""Pages between checkpoints, 16 MB: fewer checkpoints than SQLite's default while records stream in."""

_FORMS: Final = "write sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"
_WRITES: Final = "tailwatch_writes"


def parse_url(text: str) -> URL:
    """The database URL, drivers filled in: ``postgresql`` and ``postgres`` mean psycopg.

    Raises:
        StorageError: the text is not a URL, or of another kind of database; the text itself is not repeated,
            since it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StorageError("the database URL cannot be read", remedy=_FORMS) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if not url.database or url.database == ":memory:":
            raise StorageError("a database in memory would be lost at the end", remedy="write sqlite:///PATH")
        return url.set(drivername="sqlite")
    raise StorageError(f"{url.drivername} is not a database that Tailwatch knows", remedy=_FORMS)


def display_name(url: URL) -> str:
    """The database as people may read it: no password, no parameters."""
    if url.drivername == "sqlite":
        return str(url.database)
    bare = url.set(drivername="postgresql", query={})
    return bare._replace(password=None).render_as_string(hide_password=True)


def open_engine(url: URL) -> Engine:
    """An engine whose transactions write; nothing is connected yet, but a SQLite folder is made.

    Raises:
        StorageError: the folder cannot be made, or psycopg is not installed.
    """
    return _open_sqlite(url) if url.drivername == "sqlite" else _open_postgresql(url)


def reading(engine: Engine) -> Engine:
    """The same pool, whose transactions see one snapshot and change nothing."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_WRITES: False})
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _open_sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"its folder cannot be made: {error.strerror}", where=str(path), remedy="name a folder that may be written"
        ) from None
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        f"page_size={_PAGE_BYTES}",  # before the first write, so before the journal's mode
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        f"cache_size=-{_CACHE_KIB}",
        f"journal_size_limit={_WAL_LIMIT_BYTES}",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _open_postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            hide_parameters=True,
            pool_size=_CONNECTIONS,
            max_overflow=_MORE_CONNECTIONS,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "tailwatch"},
        )
    except ModuleNotFoundError:
        raise StorageError(
            "the PostgreSQL driver is not installed", remedy="pip install 'tailwatch[postgres]'"
        ) from None
