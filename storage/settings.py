"""What an installation must remember about itself, as text by key; secrets do not belong here."""

from __future__ import annotations

from sqlalchemy import select

from storage.database import Database, Moment
from storage.statements import insert_into
from storage.tables import settings


def read_setting(db: Database, key: str) -> str | None:
    """The value of ``key``; None when it was never set.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        value: str | None = connection.execute(select(settings.c.value).where(settings.c.key == key)).scalar()
        return value


def read_settings(db: Database | Moment, prefix: str) -> dict[str, str]:
    """Every key that begins with ``prefix``, and its value.

    Raises:
        StorageError: the database cannot be used.
    """
    query = select(settings.c.key, settings.c.value).where(settings.c.key.startswith(prefix, autoescape=True))
    with db.read() as connection:
        return {row.key: row.value for row in connection.execute(query)}


def settle_setting(db: Database, key: str, value: str) -> str:
    """The value of ``key``, which is ``value`` if nobody has set it; processes that ask at once agree on one.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        statement = insert_into(connection, settings).values(key=key, value=value)
        # On PostgreSQL this waits for another writer's transaction, so what is read next is what that one committed.
        connection.execute(statement.on_conflict_do_nothing())
        settled: str = connection.execute(select(settings.c.value).where(settings.c.key == key)).scalar_one()
        return settled


def write_setting(db: Database, key: str, value: str) -> None:
    """Set ``key`` to ``value``.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        statement = insert_into(connection, settings).values(key=key, value=value)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value})
        )
