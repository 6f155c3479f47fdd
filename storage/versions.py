"""Which schema a database has and should have, and the way there by Alembic; it never goes back.

Migrations are numbered: a file ``migrations/versions/0002_name.py`` holds revision ``0002``. So the newest one is
known from the file names, and Alembic is imported only when there is something to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from telemetry.errors import SchemaError, StorageError

VERSION_TABLE: Final = "tailwatch_schema"
"""Of our own name, so that another application of Alembic may share the PostgreSQL database."""

MIGRATIONS: Final = Path(__file__).resolve().parent.parent / "migrations"
"""Found beside this package, never by import: a working directory may hold a ``migrations`` of its own."""

_UPGRADE_LOCK: Final = 0x7461696C77617463
"""Key of PostgreSQL's advisory lock: "tailwatc" in ASCII."""


def newest_version() -> str:
    """The revision that this Tailwatch works with."""
    return max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def stored_version(connection: Connection) -> str | None:
    """The revision of the database; None when it holds none of our tables."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  # a constant
    return version


def check_version(connection: Connection, where: str) -> bool:
    """Whether the database is up to date.

    Raises:
        SchemaError: a newer Tailwatch wrote it.
    """
    stored, newest = stored_version(connection), newest_version()
    if stored is not None and stored > newest:
        raise SchemaError(
            f"the database has schema {stored}, this Tailwatch knows schemas up to {newest}",
            where=where,
            remedy="use the Tailwatch that wrote it, or newer",
        )
    return stored == newest


def upgrade(connection: Connection, where: str) -> None:
    """Run the missing migrations within the transaction of ``connection``, one process at a time.

    Raises:
        SchemaError: a newer Tailwatch wrote the database.
        StorageError: the migrations are not installed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    if check_version(connection, where):
        return
    from alembic import command  # noqa: PLC0415  # only when there is something to do: it costs 0.2 s
    from alembic.config import Config  # noqa: PLC0415

    if not (MIGRATIONS / "env.py").is_file():
        raise StorageError("the migrations are not installed", where=str(MIGRATIONS), remedy="install Tailwatch again")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
