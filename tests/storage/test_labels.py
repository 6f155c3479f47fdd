"""Judgements find their requests, as log or as span or both, count once, and say whether the prediction was right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from storage.database import Database
from storage.feedback import FeedbackRow
from storage.ingest import commit
from storage.labelled import join
from storage.labels import counted_before, iterate_labelled, label_counts, settle, waiting
from storage.rollups import sli_totals
from telemetry.errors import StorageError
from telemetry.schema import DOUBT_RIGHT, DOUBT_WRONG, LABEL_CORRECT
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, log_columns, payload, sli, span_columns

END_NS = NOW_NS + 3600 * NANOS


def _judge(index: int, later_s: int = 1, **judgement: object) -> FeedbackRow:
    """A judgement of the request at ``index`` of ``span_columns(6)``."""
    columns = span_columns(6)
    return FeedbackRow(
        NOW_NS + later_s * NANOS, columns.trace_id[index].tobytes(), columns.span_id[index].tobytes(), **judgement
    )


def _store(database: Database, *rows: FeedbackRow, name: str = "a") -> None:
    spans, logs = span_columns(6), log_columns(6).take(np.arange(3))
    columns = (spans, logs) if name == "a" else ()
    commit(database, [replace(payload(name, columns=columns), feedback=rows)], NOW_NS)


def _joined(database: Database, *rows: FeedbackRow, **more: object):
    return join(database, {(row.trace_id, row.span_id): row for row in rows}, **more)


def test_a_judged_request_is_its_log_completed_by_its_span(database: Database):
    stray = FeedbackRow(NOW_NS + 1, b"x" * 16, b"y" * 8, "yes")
    rows = (
        _judge(0, label="yes"),  # the log predicts "no"
        _judge(1, 9, label="yes"),
        _judge(2, label="no", correct=False),  # said to be wrong, whatever the label
        _judge(4, correct=True, score=0.9),
        _judge(5, label="yes"),  # the span knows no prediction
        stray,
    )
    _store(database)
    columns, keys = _joined(database, *rows)
    by_key = {key: i for i, key in enumerate(keys)}
    order = [by_key[row.trace_id, row.span_id] for row in rows[:-1]]
    assert sorted(order) == [0, 1, 2, 3, 4]
    columns = columns.take(np.asarray(order))
    assert columns.time_ns.tolist() == [row.time_ns for row in rows[:-1]]
    np.testing.assert_array_equal(columns.number(LABEL_CORRECT), [0, 1, 0, 1, np.nan])
    doubt = [1 - i / 6 for i in range(3)]
    np.testing.assert_array_equal(columns.number(DOUBT_WRONG), [doubt[0], np.nan, doubt[2], np.nan, np.nan])
    np.testing.assert_array_equal(columns.number(DOUBT_RIGHT), [np.nan, doubt[1], np.nan, np.nan, np.nan])
    assert columns.string("prediction").tolist() == ["no", "yes", "no", "", ""]
    assert columns.string("user").tolist() == ["user-0", "user-1", "user-2", "user-4", "user-5"], "the span has it"
    assert columns.string("service").tolist() == ["chat"] * 5


def test_only_wanted_fields_are_read(database: Database):
    _store(database)
    columns, _ = _joined(database, _judge(0, label="no"), fields=frozenset({"model_version"}))
    assert columns.string("model_version").tolist() == ["v1"]
    assert columns.number(LABEL_CORRECT).tolist() == [1.0], "what the verdict needs is always read"
    assert "user" not in columns.strings


def test_nothing_is_joined_with_nothing(database: Database):
    columns, keys = _joined(database)
    assert (len(columns), keys) == (0, [])
    _store(database)
    columns, keys = _joined(database, FeedbackRow(NOW_NS, b"x" * 16, b"y" * 8, correct=True))
    assert (len(columns), keys) == (0, [])


def test_a_judgement_waits_until_it_is_settled_with_what_it_counts(database: Database):
    _store(database, _judge(0, correct=True), _judge(1, correct=False), _judge(2, correct=True))
    first, second, third = waiting(database)
    assert [one.row.correct for one in (first, second, third)] == [True, False, True]
    assert waiting(database, after_id=first.id, limit=1) == [second]
    settle(database, {"matched": [first.id], "unmatched": [second.id]}, [sli(NOW_NS, 1, 1)])
    assert waiting(database) == [third]
    assert label_counts(database) == {"waiting": 1, "matched": 1, "unmatched": 1}
    assert [(total.good, total.total) for total in sli_totals(database, "rule", 0, END_NS)] == [(1, 1)]


def test_a_judgement_that_was_settled_meanwhile_counts_nothing_again(database: Database):
    _store(database, _judge(0, correct=True), _judge(1, correct=True))
    first, second = waiting(database)
    settle(database, {"matched": [first.id]}, [sli(NOW_NS, 1, 1)])
    with pytest.raises(StorageError, match="another process counts labels"):
        settle(database, {"matched": [second.id, first.id]}, [sli(NOW_NS, 2, 2)])
    assert waiting(database) == [second], "all or nothing"
    assert [(total.good, total.total) for total in sli_totals(database, "rule", 0, END_NS)] == [(1, 1)]


def test_what_counts_of_a_request_so_far_is_its_last_judgement_that_was_settled(database: Database):
    _store(database, _judge(1, 5, correct=False), _judge(1, 2, correct=True), _judge(1, 9, correct=True))
    rows = waiting(database)
    key = rows[0].key
    assert counted_before(database, [key]) == {}
    settle(database, {"matched": [rows[0].id, rows[1].id]})
    assert counted_before(database, [key]) == {key: rows[0].row}


def test_a_range_has_each_request_once_with_its_last_judgement(database: Database):
    _store(database, _judge(1, 5, correct=False), _judge(1, 2, correct=True), _judge(2, 7, correct=True))
    _store(database, _judge(1, 9, correct=True), name="b")
    (columns,) = iterate_labelled(database, NOW_NS, END_NS)
    assert dict(zip(columns.time_ns.tolist(), columns.number(LABEL_CORRECT).tolist(), strict=True)) == {
        NOW_NS + 7 * NANOS: 1.0,
        NOW_NS + 9 * NANOS: 1.0,
    }
    settle(database, {"matched": [one.id for one in waiting(database)[:2]]})
    (columns,) = iterate_labelled(database, NOW_NS, END_NS, settled_only=True)
    assert columns.time_ns.tolist() == [NOW_NS + 5 * NANOS]
    assert columns.number(LABEL_CORRECT).tolist() == [0.0]
    assert list(iterate_labelled(database, 0, NOW_NS)) == []
