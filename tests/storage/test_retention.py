"""Retention deletes what is past its time, that and nothing else, in bounded transactions."""

from __future__ import annotations

import pytest
from sqlalchemy import event, select

from storage import logs, spans
from storage.database import Database
from storage.feedback import FeedbackRow, load_feedback
from storage.ingest import PreparedPayload, commit, known
from storage.retention import RetentionPolicy, apply
from storage.rollups import load_sli
from storage.tables import resources
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, digest, log_columns, payload, sli, span_columns, spread

DAY_NS = 86400 * NANOS
POLICY = RetentionPolicy(rows_ns=3 * DAY_NS, deltas_ns=30 * DAY_NS, digests_ns=DAY_NS)


def _fill(database: Database, name: str, at_ns: int) -> PreparedPayload:
    given = PreparedPayload(
        digests=(digest(name),),
        columns=(span_columns(3, end_ns=at_ns), log_columns(2, end_ns=at_ns)),
        feedback=(FeedbackRow(at_ns, b"t" * 16, b"s" * 8),),
        sli=(sli(at_ns - at_ns % NANOS),),
        distributions=(spread(at_ns, {"x": 1}),),
    )
    commit(database, [given], at_ns)
    return given


def test_each_kind_is_kept_for_its_own_time(database: Database):
    ages = {"fresh": 0, "two days": 2 * DAY_NS, "five days": 5 * DAY_NS, "forty days": 40 * DAY_NS}
    given = {name: _fill(database, name, NOW_NS - age) for name, age in ages.items()}
    deleted = apply(database, NOW_NS, POLICY)
    assert deleted == {
        "spans": 6, "inference_logs": 4, "feedback": 2, "resources": 0, "payloads": 3,
        "sli_deltas": 1, "distribution_deltas": 1,
    }  # fmt: skip
    assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 6
    assert len(logs.load_columns(database, 0, NOW_NS + 1)) == 4
    assert len(load_feedback(database, 0, NOW_NS + 1)) == 2
    assert sum(int(series.total.sum()) for series in load_sli(database, None, 0, NOW_NS + 1)) == 3
    assert known(database, [digest(name) for name in given]) == {digest("fresh")}


def test_a_resource_goes_after_its_last_rows(database: Database):
    _fill(database, "a", NOW_NS)
    apply(database, NOW_NS + 3 * DAY_NS + DAY_NS // 2, POLICY)
    with database.read() as connection:
        assert len(connection.execute(select(resources.c.id)).all()) == 2
    apply(database, NOW_NS + 5 * DAY_NS, POLICY)
    with database.read() as connection:
        assert connection.execute(select(resources.c.id)).all() == []


@pytest.mark.parametrize("rows", [0, 9, 10, 11, 25])
def test_deletion_goes_in_batches_and_ends(database: Database, rows: int):
    commit(database, [payload("a", columns=(span_columns(rows),))], NOW_NS)
    assert apply(database, NOW_NS + 10 * DAY_NS, POLICY, batch_rows=10)["spans"] == rows
    assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 0


def test_no_transaction_deletes_more_than_a_batch(database: Database):
    commit(database, [payload("a", columns=(span_columns(25),))], NOW_NS)
    counts: list[int] = []
    watched = database._writer
    event.listen(
        watched,
        "after_cursor_execute",
        lambda _c, cursor, sql, *_: counts.append(cursor.rowcount) if sql.startswith("DELETE FROM spans") else None,
    )
    apply(database, NOW_NS + 10 * DAY_NS, POLICY, batch_rows=10)
    assert counts == [10, 10, 5]
