"""Judgements come back as they were stored."""

from __future__ import annotations

from dataclasses import replace

from storage.database import Database
from storage.feedback import FeedbackRow, load_feedback
from storage.ingest import commit
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, payload, span_columns

END_NS = NOW_NS + 3600 * NANOS


def _judge(index: int, later_s: int = 1, **judgement: object) -> FeedbackRow:
    """A judgement of the request at ``index`` of ``span_columns(...)``."""
    columns = span_columns(6)
    return FeedbackRow(
        NOW_NS + later_s * NANOS, columns.trace_id[index].tobytes(), columns.span_id[index].tobytes(), **judgement
    )


def test_judgements_come_back_oldest_first_within_the_range(database: Database):
    rows = (_judge(1, 3, label="b", score=0.5), _judge(0, 1, correct=True), _judge(2, 9000))
    commit(database, [replace(payload("a"), feedback=rows)], NOW_NS)
    assert load_feedback(database, NOW_NS, END_NS) == [rows[1], rows[0]]
