"""Retention deletes what is past its time, that and nothing else, in bounded transactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import event

from storage import logs, spans
from storage.coverage import complete_from
from storage.database import Database
from storage.feedback import FeedbackRow, load_feedback
from storage.ingest import PreparedPayload, commit, known
from storage.partitions import partitions
from storage.retention import RetentionPolicy, apply
from storage.rollups import load_sli
from storage.tables import record_blocks
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, digest, log_columns, payload, sli, span_columns, spread

HOUR_NS = 3600 * NANOS
DAY_NS = 24 * HOUR_NS
POLICY = RetentionPolicy(
    spans_ns=3 * DAY_NS, logs_ns=3 * DAY_NS, feedback_ns=3 * DAY_NS, deltas_ns=30 * DAY_NS, digests_ns=DAY_NS
)


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
        "spans": 6, "inference_logs": 4, "feedback": 2, "payloads": 3,
        "sli_deltas": 1, "distribution_deltas": 1,
    }  # fmt: skip
    assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 6
    assert len(logs.load_columns(database, 0, NOW_NS + 1)) == 4
    assert len(load_feedback(database, 0, NOW_NS + 1)) == 2
    assert sum(int(series.total.sum()) for series in load_sli(database, None, 0, NOW_NS + 1)) == 3
    assert known(database, [digest(name) for name in given]) == {digest("fresh")}


def test_blocks_go_in_batches_and_by_signal(database: Database):
    batches = tuple(span_columns(1, end_ns=NOW_NS - hours * HOUR_NS, seed=hours) for hours in range(40))
    logs_of_then = log_columns(3, end_ns=NOW_NS - DAY_NS)
    commit(database, [payload("a", columns=(*batches, logs_of_then))], NOW_NS)
    counts: list[int] = []

    def count(_connection: Any, cursor: Any, sql: str, *_: Any) -> None:
        if sql.startswith("DELETE FROM record_blocks"):
            counts.append(cursor.rowcount)

    event.listen(database._writer, "after_cursor_execute", count)
    deleted = apply(database, NOW_NS, replace(POLICY, spans_ns=0))
    assert (deleted["spans"], deleted["inference_logs"]) == (39, 0)  # one is of this very moment
    if database.dialect == "sqlite":  # which says how many only once the deleted rows have been read
        assert len(counts) == 3
    assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 1
    assert len(logs.load_columns(database, 0, NOW_NS + 1)) == 3


def test_a_block_goes_when_its_newest_record_is_due(database: Database):
    commit(database, [payload("a", columns=(span_columns(120),))], NOW_NS)
    assert apply(database, NOW_NS + NANOS, replace(POLICY, spans_ns=60 * NANOS))["spans"] == 0
    with database.read() as connection:
        assert complete_from(connection) == NOW_NS - 59 * NANOS


def test_days_that_are_over_are_dropped_as_partitions(migrated_postgres_url: str):
    with Database(migrated_postgres_url) as database:
        for age in (9, 5, 0):
            columns = (span_columns(3, end_ns=NOW_NS - age * DAY_NS), log_columns(2, end_ns=NOW_NS - age * DAY_NS))
            commit(database, [payload(f"{age}", columns=columns)], NOW_NS)
        with database.read() as connection:
            before = partitions(connection, record_blocks)
        deleted = apply(database, NOW_NS, POLICY)
        with database.read() as connection:
            after = partitions(connection, record_blocks)
        today = NOW_NS // DAY_NS
        assert set(before.values()) == {today - 9, today - 5, today}
        assert set(after.values()) == {today, today + 1, today + 2}
        assert (deleted["spans"], deleted["inference_logs"]) == (6, 4)
        # A connection that remembers the dropped day leaves its records to the default partition.
        commit(database, [payload("late", columns=(span_columns(4, end_ns=NOW_NS - 9 * DAY_NS, seed=5),))], NOW_NS)
        assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 7
        assert apply(database, NOW_NS, POLICY)["spans"] == 4
