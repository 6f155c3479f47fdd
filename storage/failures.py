"""Turns what a database driver raises into one clear sentence; it retries nothing and shows no data or secret.

Only faults of the environment are translated (files, disks, servers, locks, credentials). A violated
constraint or a faulty statement is the caller's and passes through.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from telemetry.errors import StorageError

_LOCKED: Final = ("the database is locked", "another process holds a long transaction: wait for it or end it")
_SQLITE: Final[tuple[tuple[str, str, str], ...]] = (
    ("SQLITE_CANTOPEN", "the database file cannot be opened", "check that the folder exists and may be written"),
    ("SQLITE_READONLY", "the database file is read-only", "make the file and its folder writable"),
    ("SQLITE_PERM", "the database file may not be accessed", "make the file and its folder writable"),
    ("SQLITE_NOTADB", "the file is not a database", "name another file, or move this one away"),
    ("SQLITE_CORRUPT", "the database file is damaged", "restore it from a backup, or move it away to start anew"),
    ("SQLITE_BUSY", *_LOCKED),
    ("SQLITE_LOCKED", *_LOCKED),
    ("SQLITE_FULL", "the disk is full", "free some space or shorten the retention"),
    ("SQLITE_IOERR", "the disk reports an error", "check the disk and the file system"),
)
"""By prefix of the SQLite result code's name: what is wrong, what to do."""

_POSTGRESQL: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("28", "authentication failed|no password supplied", "the server refused the user or the password",
     "check the user, the password and pg_hba.conf"),
    ("3D", r"database \".*\" does not exist", "the database does not exist", "create it, or correct its name"),
    ("53300", "too many (clients|connections)", "the server has no connection left",
     "raise max_connections or close other clients"),
    ("53100", "no space left", "the server's disk is full", "free some space or shorten the retention"),
    ("55P03", "lock timeout", *_LOCKED),
    ("40", "deadlock detected|could not serialize", "two transactions were in each other's way", "try again"),
    ("42501", "permission denied", "the user may not do this", "make the user the owner of the database"),
    ("25006", "read-only transaction", "the server is read-only", "connect to the primary"),
)  # fmt: skip
"""By prefix of SQLSTATE, or by message while connecting, where libpq gives no SQLSTATE: what is wrong, what to do."""


@contextmanager
def explained(where: str, driver: Any) -> Iterator[None]:
    """Raise what ``driver``, a DB-API module, raises inside as StorageError; ``where`` is the database's name.

    Raises:
        StorageError: the environment is at fault.
    """
    try:
        yield
    except PoolTimeoutError:
        raise StorageError(
            "every connection is in use", where=where, remedy="try again, or send fewer requests at once"
        ) from None
    except (DBAPIError, driver.Error) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        faults_of_ours = (driver.IntegrityError, driver.ProgrammingError, driver.DataError)
        if isinstance(original, faults_of_ours) and not _is_refusal(original):
            raise
        raise _explain(original, where) from None


def _is_refusal(error: BaseException) -> bool:
    """Missing privileges are reported as faulty statements, though the statement is right."""
    return getattr(error, "sqlstate", None) == "42501"


def _explain(error: BaseException | None, where: str) -> StorageError:
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        for prefix, what, remedy in _SQLITE:
            if name.startswith(prefix):
                return StorageError(what, where=where, remedy=remedy)
        return StorageError(f"the database failed: {error}", where=where)
    sqlstate = getattr(error, "sqlstate", None) or ""
    message = _first_line(error)
    for prefix, pattern, what, remedy in _POSTGRESQL:
        if sqlstate.startswith(prefix) if sqlstate else re.search(pattern, message, re.IGNORECASE):
            return StorageError(what, where=where, remedy=remedy)
    if not sqlstate or sqlstate.startswith(("08", "57P")):
        return StorageError(
            f"the server cannot be reached ({message})", where=where, remedy="check that it runs, and its host and port"
        )
    return StorageError(f"the database failed: {message}", where=where)


def _first_line(error: BaseException | None) -> str:
    """The driver's first line; libpq names host, port and user there, never the password."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
