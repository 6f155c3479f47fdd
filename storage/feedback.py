"""Labels that arrive after the request that they judge: kept, and joined with what the request predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection, select

from storage.database import Database
from storage.requests import RequestKey, find_requests
from storage.statements import insert_rows, storable
from storage.tables import feedback
from telemetry.columns import Columns, Signal, StringColumn

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


def load_labelled(db: Database, start_ns: int, end_ns: int) -> tuple[Columns, Columns]:
    """The requests judged within [start, end): those that have an inference log, and those that have only a span.

    Beside the canonical fields each has the string ``feedback.label`` and the numbers ``feedback.correct``
    (1 or 0; where not said, label and prediction are compared) and ``feedback.score``. Of several judgements
    the last counts. Judgements of requests that are not stored are left out.

    Raises:
        StorageError: the database cannot be used.
    """
    latest = {(row.trace_id, row.span_id): row for row in load_feedback(db, start_ns, end_ns)}
    logs, rest = _judged(db, "log", latest)
    spans, _ = _judged(db, "span", rest)
    return logs, spans


def _judged(
    db: Database, signal: Signal, judgements: Mapping[RequestKey, FeedbackRow]
) -> tuple[Columns, dict[RequestKey, FeedbackRow]]:
    """The records of ``signal`` that are judged, one a request, and the judgements that found none."""
    columns, keys = find_requests(db, signal, judgements.keys())
    found = frozenset(keys)
    rest = {key: row for key, row in judgements.items() if key not in found}
    return _with_judgements(columns, [judgements[key] for key in keys]), rest


def _with_judgements(columns: Columns, rows: Sequence[FeedbackRow]) -> Columns:
    predictions = columns.string("prediction").optional()
    correct = [
        row.label == prediction if row.correct is None and row.label and prediction else row.correct
        for row, prediction in zip(rows, predictions, strict=True)
    ]
    return replace(
        columns,
        strings={**columns.strings, "feedback.label": StringColumn.of(row.label for row in rows)},
        numbers={
            **columns.numbers,
            "feedback.correct": np.asarray(correct, dtype=np.float64),
            "feedback.score": np.asarray([row.score for row in rows], dtype=np.float64),
        },
    )
