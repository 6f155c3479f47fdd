"""What evaluations know beyond the counts, as bytes by what the arithmetic depends on; it does not look into them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select

from storage.database import Database, Moment
from storage.statements import chunks, insert_into
from storage.tables import slo_memories


def save_memories(db: Database, memories: Mapping[str, bytes]) -> None:
    """Replace everything by ``memories``.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        stored = set(connection.execute(select(slo_memories.c.layout)).scalars())
        for gone in chunks(sorted(stored - set(memories))):
            connection.execute(delete(slo_memories).where(slo_memories.c.layout.in_(gone)))
        for layouts in chunks(sorted(memories)):
            statement = insert_into(connection, slo_memories).values(
                [{"layout": layout, "body": memories[layout]} for layout in layouts]
            )
            connection.execute(
                statement.on_conflict_do_update(index_elements=["layout"], set_={"body": statement.excluded.body})
            )


def load_memories(db: Database | Moment) -> dict[str, bytes]:
    """What was saved last.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        return {row.layout: row.body for row in connection.execute(select(slo_memories))}
