"""Every meaning that an SLO ever had, and whether its counters were filled from stored rows; it compares none."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from storage.database import Database
from storage.statements import insert_into
from storage.tables import slo_revisions
from telemetry.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class SloRevision:
    """One meaning of an SLO.

    Attributes:
        revision: its identity, which changes with the meaning.
        meaning: JSON text of what it counts.
        created_ns: when it was first seen; what came in before has to be backfilled.
        backfilled_ns: when that was done; None if it was not.
    """

    name: str
    revision: str
    meaning: str
    created_ns: int
    backfilled_ns: int | None


def register(db: Database, name: str, revision: str, meaning: str, now_ns: int) -> SloRevision:
    """The revision as it is stored, written down now if it is new; two evaluators may do this at once.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        statement = insert_into(connection, slo_revisions).values(
            name=name, revision=revision, meaning=meaning, created_ns=now_ns
        )
        connection.execute(statement.on_conflict_do_nothing())
        query = select(slo_revisions).where(slo_revisions.c.name == name, slo_revisions.c.revision == revision)
        return SloRevision(*connection.execute(query).one())


def revisions(db: Database, name: str | None = None) -> list[SloRevision]:
    """The revisions of an SLO, or of all, by name, oldest first.

    Raises:
        StorageError: the database cannot be used.
    """
    query = select(slo_revisions).order_by(slo_revisions.c.name, slo_revisions.c.created_ns, slo_revisions.c.revision)
    if name is not None:
        query = query.where(slo_revisions.c.name == name)
    with db.read() as connection:
        return [SloRevision(*row) for row in connection.execute(query)]


def mark_backfilled(db: Database, name: str, revision: str, now_ns: int) -> None:
    """Write down that the counters of a revision hold what came in before it was created.

    Raises:
        NotFoundError: the revision was never registered.
        StorageError: the database cannot be used.
    """
    statement = (
        update(slo_revisions)
        .where(slo_revisions.c.name == name, slo_revisions.c.revision == revision)
        .values(backfilled_ns=now_ns)
    )
    with db.write() as connection:
        if connection.execute(statement).rowcount == 0:
            raise NotFoundError(f"SLO {name} has no revision {revision}", remedy="register it first")
