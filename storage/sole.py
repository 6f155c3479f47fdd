"""Holds a SQLite file for one server: two would count time slices twice and notify twice. PostgreSQL has its own locks.

The lock ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.engines import parse_url
from telemetry.errors import ConfigError


@contextmanager
def sole_server(url: str) -> Iterator[None]:
    """Be the only server on the database at ``url``, by whatever path it is reached, as far as it is a file.

    Raises:
        ConfigError: there is another, or the folder cannot be written.
        StorageError: the URL is none.
    """
    parsed = parse_url(url)
    if parsed.drivername != "sqlite":
        yield
        return
    file = Path(str(parsed.database)).resolve()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_name(f"{file.name}.lock").open("a")
    except OSError as error:
        raise ConfigError(
            f"the data directory cannot be written: {error.strerror}", where=str(file.parent),
            remedy="check its permissions, or set another data_dir",
        ) from None  # fmt: skip
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                "another tailwatch serve uses this database, and SQLite is for one", where=str(file),
                remedy="end it, set another data_dir, or let both use a PostgreSQL",
            ) from None  # fmt: skip
        yield
