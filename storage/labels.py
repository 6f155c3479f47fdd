"""Which judgements wait for their request, and how that ended; finding the request is ``storage.labelled``'s.

A judgement waits until its request is found, since either may be stored first. ``outcome`` of its row says how that
ended, and is set in the transaction that stores what the judgement counted: so each counts once, whatever fails and
in whatever order commits become visible. Of several judgements of a request the last counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from storage.database import Database
from storage.feedback import FeedbackRow
from storage.increments import insert_distributions, insert_sli
from storage.labelled import join
from storage.locks import Lock, take_turn
from storage.requests import RequestKey
from storage.statements import chunks
from storage.tables import feedback
from telemetry.columns import Columns
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.errors import StorageError

Outcome: TypeAlias = Literal["matched", "unmatched"]

BATCH: Final = 10_000

_ROW: Final = tuple(feedback.c[name] for name in ("time_ns", "trace_id", "span_id", "label", "correct", "score"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A judgement whose request was not found yet, by the id of its row."""

    id: int
    row: FeedbackRow

    @property
    def key(self) -> RequestKey:
        """The request that it judges."""
        return self.row.trace_id, self.row.span_id


def waiting(db: Database, after_id: int = 0, limit: int = BATCH) -> list[Waiting]:
    """Judgements that wait for their request, with ids above ``after_id``, in the order of ids.

    Raises:
        StorageError: the database cannot be used.
    """
    query = (
        select(feedback.c.id, *_ROW)
        .where(feedback.c.outcome.is_(None), feedback.c.id > after_id)
        .order_by(feedback.c.id)
        .limit(limit)
    )
    with db.read() as connection:
        return [Waiting(row[0], FeedbackRow(*row[1:])) for row in connection.execute(query)]


def counted_before(db: Database, keys: Collection[RequestKey]) -> dict[RequestKey, FeedbackRow]:
    """The judgement that counts so far of each of the requests that have one.

    Raises:
        StorageError: the database cannot be used.
    """
    found: dict[RequestKey, FeedbackRow] = {}
    with db.read() as connection:
        for traces in chunks(sorted({trace_id for trace_id, _ in keys})):
            query = (
                select(*_ROW)
                .where(feedback.c.trace_id.in_(traces), feedback.c.outcome == "matched")
                .order_by(feedback.c.time_ns, feedback.c.id)
            )
            for row in connection.execute(query):
                judgement = FeedbackRow(*row)
                found[judgement.trace_id, judgement.span_id] = judgement
    return {key: row for key, row in found.items() if key in frozenset(keys)}


def settle(
    db: Database,
    outcomes: Mapping[Outcome, Sequence[int]],
    sli: Sequence[SliDelta] = (),
    distributions: Sequence[DistributionDelta] = (),
    still_valid: Callable[[], bool] = lambda: True,
) -> bool:
    """Store how waiting judgements ended, by the ids of their rows, and what they counted: all of it or nothing.

    ``still_valid`` is asked in a moment in which nobody fills counters from stored rows: whoever began to do so after
    the judgements were counted may have missed them. Where it says no, nothing is stored, and the answer is False.

    Raises:
        StorageError: nothing was stored: the database cannot be used, or somebody else settled one of them.
    """
    with db.write() as connection:
        take_turn(connection, Lock.COMPACTION)
        if not still_valid():
            return False
        for outcome, ids in outcomes.items():
            _mark(connection, outcome, ids)
        insert_sli(connection, sli)
        insert_distributions(connection, distributions)
    return True


def label_counts(db: Database) -> dict[str, int]:
    """How many stored judgements there are, by outcome; ``waiting`` are those without one.

    Raises:
        StorageError: the database cannot be used.
    """
    query = select(feedback.c.outcome, func.count()).group_by(feedback.c.outcome)
    with db.read() as connection:
        counts = {row[0] or "waiting": int(row[1]) for row in connection.execute(query)}
    return {"waiting": 0, "matched": 0, "unmatched": 0} | counts


def iterate_labelled(
    db: Database, start_ns: int, end_ns: int, *, fields: frozenset[str] | None = None, settled_only: bool = False
) -> Iterator[Columns]:
    """The requests judged within [start, end), each with its last judgement and by its time, as ``join`` gives them.

    ``settled_only``: as if those judgements that still wait for their request had not come yet.

    Raises:
        StorageError: the database cannot be used.
    """
    later = feedback.alias()
    is_later = or_(
        later.c.time_ns > feedback.c.time_ns,
        and_(later.c.time_ns == feedback.c.time_ns, later.c.id > feedback.c.id),
    )
    same = [later.c.trace_id == feedback.c.trace_id, later.c.span_id == feedback.c.span_id, is_later]
    conditions: list[ColumnElement[bool]] = [feedback.c.time_ns >= start_ns, feedback.c.time_ns < end_ns]
    if settled_only:
        conditions.append(feedback.c.outcome == "matched")
        same.append(later.c.outcome == "matched")
    query = select(*_ROW).where(*conditions, ~exists().where(*same)).order_by(feedback.c.time_ns, feedback.c.id)
    with db.read() as connection:
        for batch in connection.execute(query).yield_per(BATCH).partitions():
            judgements = [FeedbackRow(*row) for row in batch]
            columns, _ = join(db, {(one.trace_id, one.span_id): one for one in judgements}, fields)
            if len(columns):
                yield columns


def _mark(connection: Connection, outcome: Outcome, ids: Sequence[int]) -> None:
    for some in chunks(ids):
        waits = and_(feedback.c.id.in_(some), feedback.c.outcome.is_(None))
        if connection.execute(update(feedback).where(waits).values(outcome=outcome)).rowcount != len(some):
            raise StorageError("another process counts labels too", remedy="let one process evaluate a database")
