"""Every meaning that an SLO ever had, and whether its counters were filled from stored rows; it compares none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from storage.database import Database
from storage.statements import chunks, insert_into
from storage.tables import slo_revisions
from telemetry.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class SloRevision:
    """One meaning of an SLO.

    Attributes:
        revision: its identity, which changes with the meaning.
        meaning: JSON text of what it counts.
        created_ns: when it was first seen; what came in before has to be backfilled.
        backfilled_ns: when that was done; None if it was not, or the collector has not counted by it since.
    """

    name: str
    revision: str
    meaning: str
    created_ns: int
    backfilled_ns: int | None


def register(connection: Connection, name: str, revision: str, meaning: str, now_ns: int) -> SloRevision:
    """The revision as it is stored, written down now if it is new; two collectors may do this at once."""
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


def mark_backfilled(connection: Connection, name: str, revision: str, now_ns: int) -> None:
    """Write down that the counters of a revision hold what came in while the collector did not count by it.

    Raises:
        NotFoundError: the revision was never registered.
    """
    statement = (
        update(slo_revisions)
        .where(slo_revisions.c.name == name, slo_revisions.c.revision == revision)
        .values(backfilled_ns=now_ns)
    )
    if connection.execute(statement).rowcount == 0:
        raise NotFoundError(f"SLO {name} has no revision {revision}", remedy="register it first")


def retire(connection: Connection, revisions: Collection[str]) -> None:
    """Write down that the collector no longer counts by ``revisions``: their counters will lack what comes in."""
    for some in chunks(sorted(revisions)):
        connection.execute(update(slo_revisions).where(slo_revisions.c.revision.in_(some)).values(backfilled_ns=None))
