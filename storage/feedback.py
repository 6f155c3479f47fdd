"""Labels that arrive after the request that they judge, kept and read back as they came; it joins nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from storage.database import Database
from storage.statements import insert_rows, storable
from storage.tables import feedback

_COLUMNS = ("time_ns", "trace_id", "span_id", "label", "correct", "score")


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """A judgement of one request.

    Attributes:
        time_ns: when it was given.
        trace_id, span_id: the request's, 16 and 8 bytes.
        label: the true answer, if known.
        correct: whether the prediction was right, if said.
        score: a rating, if given; its scale is the sender's.
    """

    time_ns: int
    trace_id: bytes
    span_id: bytes
    label: str | None = None
    correct: bool | None = None
    score: float | None = None


def insert_feedback(connection: Connection, rows: Sequence[FeedbackRow]) -> None:
    """Add judgements within the caller's transaction."""
    insert_rows(
        connection,
        feedback,
        _COLUMNS,
        [
            (
                row.time_ns,
                row.trace_id,
                row.span_id,
                None if row.label is None else storable(row.label),
                row.correct,
                row.score,
            )
            for row in rows
        ],
    )


def load_feedback(db: Database, start_ns: int, end_ns: int) -> list[FeedbackRow]:
    """Judgements given within [start, end), oldest first.

    Raises:
        StorageError: the database cannot be used.
    """
    query = (
        select(*(feedback.c[name] for name in _COLUMNS))
        .where(feedback.c.time_ns >= start_ns, feedback.c.time_ns < end_ns)
        .order_by(feedback.c.time_ns, feedback.c.id)
    )
    with db.read() as connection:
        return [FeedbackRow(*row) for row in connection.execute(query)]
