"""Judgements find their requests, as log or as span, and say whether the prediction was right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from storage.database import Database
from storage.feedback import FeedbackRow, load_feedback, load_labelled
from storage.ingest import commit
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, log_columns, payload, span_columns

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


def test_a_judged_request_is_its_log_or_else_its_span(database: Database):
    spans, logs = span_columns(6), log_columns(6).take(np.arange(3))
    stray = FeedbackRow(NOW_NS + 1, b"x" * 16, b"y" * 8, "yes")
    rows = (
        _judge(0, label="yes"),  # the log predicts "no"
        _judge(1, label="yes"),
        _judge(2, label="no", correct=False),  # said to be wrong, whatever the label
        _judge(4, correct=True, score=0.9),
        _judge(5, label="yes"),  # the span knows no prediction
        stray,
    )
    commit(database, [replace(payload("a", columns=(spans, logs)), feedback=rows)], NOW_NS)
    from_logs, from_spans = load_labelled(database, NOW_NS, END_NS)
    assert (from_logs.signal, from_spans.signal) == ("log", "span")
    assert from_logs.string("feedback.label").tolist() == ["yes", "yes", "no"]
    assert from_logs.number("feedback.correct").tolist() == [0.0, 1.0, 0.0]
    assert from_logs.number("confidence").tolist() == logs.number("confidence").tolist()
    assert from_spans.string("user").tolist() == ["user-4", "user-5"]
    np.testing.assert_array_equal(from_spans.number("feedback.correct"), [1.0, np.nan])
    np.testing.assert_array_equal(from_spans.number("feedback.score"), [0.9, np.nan])


def test_the_last_of_several_judgements_counts(database: Database):
    rows = (_judge(1, 5, correct=False), _judge(1, 2, correct=True))
    commit(database, [replace(payload("a", columns=(log_columns(6),)), feedback=rows)], NOW_NS)
    logs, spans = load_labelled(database, NOW_NS, END_NS)
    assert logs.number("feedback.correct").tolist() == [0.0]
    assert len(spans) == 0


def test_no_judgements(database: Database):
    assert [len(columns) for columns in load_labelled(database, NOW_NS, END_NS)] == [0, 0]
