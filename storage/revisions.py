"""Every meaning that an SLO ever had, and whether its counters hold every record that came in; it compares none.

A revision is whole once its counters were filled from stored rows while every commit counted by it. Each commit of
records undoes that, in its own transaction, for the revisions that it did not count by: whoever takes in a record, and
by whatever rules, no revision that lacks it passes for whole.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Update, select, update

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
        backfilled_ns: when that was done; None if it was not, or records came in since that were not counted by it.
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
    return _revision(connection.execute(query).one())


def revisions(db: Database, name: str | None = None) -> list[SloRevision]:
    """The revisions of an SLO, or of all, by name, oldest first.

    Raises:
        StorageError: the database cannot be used.
    """
    query = select(slo_revisions).order_by(slo_revisions.c.name, slo_revisions.c.created_ns, slo_revisions.c.revision)
    if name is not None:
        query = query.where(slo_revisions.c.name == name)
    with db.read() as connection:
        return [_revision(row) for row in connection.execute(query)]


def begin_backfill(connection: Connection, name: str, revision: str, now_ns: int) -> None:
    """Write down that the counters of a revision are about to be filled, and that commits count by it from now on.

    Raises:
        NotFoundError: the revision was never registered.
    """
    # Negative while it is under way: the same commits that undo what is done undo what is about to be.
    if connection.execute(_of(name, revision).values(backfilled_ns=-now_ns)).rowcount == 0:
        raise NotFoundError(f"SLO {name} has no revision {revision}", remedy="register it first")


def end_backfill(connection: Connection, name: str, revision: str, began_ns: int) -> bool:
    """Write down that the counters of a revision are whole; False if a commit since ``began_ns`` did not count by it.

    Also False when another process has begun anew meanwhile: it will say so itself.
    """
    under_way = _of(name, revision).where(slo_revisions.c.backfilled_ns == -began_ns)
    return connection.execute(under_way.values(backfilled_ns=began_ns)).rowcount > 0


def note_uncounted(connection: Connection, counted: Collection[str]) -> None:
    """Write down that this transaction commits records that only ``counted`` were counted by: others lack them."""
    stored = connection.execute(select(slo_revisions.c.revision).where(slo_revisions.c.backfilled_ns.is_not(None)))
    for some in chunks(sorted(set(stored.scalars()).difference(counted))):
        connection.execute(update(slo_revisions).where(slo_revisions.c.revision.in_(some)).values(backfilled_ns=None))


def _of(name: str, revision: str) -> Update:
    return update(slo_revisions).where(slo_revisions.c.name == name, slo_revisions.c.revision == revision)


def _revision(row: Any) -> SloRevision:
    backfilled_ns = row.backfilled_ns if row.backfilled_ns is not None and row.backfilled_ns >= 0 else None
    return SloRevision(row.name, row.revision, row.meaning, row.created_ns, backfilled_ns)
