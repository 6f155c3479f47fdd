"""A commit is all or nothing, counts a payload once, and keeps hostile text."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from storage import spans
from storage.database import Database
from storage.feedback import FeedbackRow
from storage.ingest import PreparedPayload, RepeatedError, commit, known
from storage.rollups import load, sli_totals
from storage.tables import distribution_deltas, feedback, payloads, record_blocks, sli_deltas
from telemetry.deltas import group_key
from telemetry.sketches import DDSketch
from telemetry.windows import NANOS
from tests.storage.build import GROUP, NOW_NS, digest, log_columns, payload, sli, span_columns, spread

HOUR_NS = 3600 * NANOS


def _rows(database: Database, table: object) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _records(database: Database) -> dict[str, int]:
    query = select(record_blocks.c.signal, func.sum(record_blocks.c.records)).group_by(record_blocks.c.signal)
    with database.read() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(query)}


def test_no_payloads_need_no_transaction(database: Database):
    database.close()
    commit(database, [], NOW_NS)
    assert _rows(database, payloads) == 0


def test_everything_of_a_payload_is_kept(database: Database):
    whole = replace(
        payload("a", sli(NOW_NS, 2, 3), columns=(span_columns(5), log_columns(4))),
        feedback=(FeedbackRow(NOW_NS, b"t" * 16, b"s" * 8, "yes", None, 0.5),),
    )
    commit(database, [whole], NOW_NS)
    assert _records(database) == {"span": 5, "log": 4}
    assert [_rows(database, table) for table in (feedback, sli_deltas)] == [1, 1]


def test_a_group_with_a_repeat_is_not_committed_and_the_repeat_is_named(database: Database):
    first, second = payload("a", sli(NOW_NS)), payload("b", sli(NOW_NS, 0, 1))
    commit(database, [first, second], NOW_NS)
    third = replace(payload("c", sli(NOW_NS)), digests=(digest("c"), digest("d")))
    for repeated in (second, replace(second, digests=(digest("e"), digest("b")))):
        with pytest.raises(RepeatedError) as caught:
            commit(database, [repeated, third], NOW_NS)
        assert caught.value.digests == {digest("b")}
    assert known(database, [digest(name) for name in "abcde"]) == {digest("a"), digest("b")}
    commit(database, [third], NOW_NS)
    assert known(database, [digest(name) for name in "abcde"]) == {digest(name) for name in "abcd"}
    (total,) = sli_totals(database, "rule", NOW_NS, NOW_NS + 1)
    assert (total.good, total.total) == (2, 3)


def test_a_digest_that_occurs_twice_in_a_group_is_a_mistake_of_the_caller(database: Database):
    group = [payload("a", sli(NOW_NS)), payload("b"), payload("a", sli(NOW_NS))]
    with pytest.raises(ValueError, match="twice"):
        commit(database, group, NOW_NS)
    assert _rows(database, payloads) == _rows(database, sli_deltas) == 0


def test_more_payloads_than_fit_one_statement(database: Database):
    group = [payload(f"p{number}", sli(NOW_NS)) for number in range(1201)]
    commit(database, group, NOW_NS)
    with pytest.raises(RepeatedError) as caught:
        commit(database, group, NOW_NS)
    assert caught.value.digests == known(database, [name for one in group for name in one.digests])
    assert len(caught.value.digests) == 1201
    assert _rows(database, payloads) == 1201


def test_increments_of_one_counter_in_a_group_become_one_row(database: Database):
    group = [
        payload(f"p{number}", sli(NOW_NS, 1, 2), spread(NOW_NS, DDSketch.of([float(number + 1)])))
        for number in range(10)
    ]
    commit(database, group, NOW_NS)
    assert _rows(database, sli_deltas) == _rows(database, distribution_deltas) == 1
    loaded = load(database, ["rule"], NOW_NS, NOW_NS + 1)
    assert loaded.sli[0].total.tolist() == [20]
    (sketch,) = loaded.distributions[0].distributions
    assert isinstance(sketch, DDSketch)
    assert (sketch.count, sketch.low, sketch.high) == (10, 1.0, 10.0)


def test_what_is_not_kept_is_counted_all_the_same(database: Database):
    given = replace(
        payload("a", sli(NOW_NS), columns=(span_columns(3), log_columns(2))),
        feedback=(FeedbackRow(NOW_NS, b"t" * 16, b"s" * 8),),
    )
    commit(database, [given], NOW_NS, kept=frozenset())
    assert _records(database) == {}
    assert [_rows(database, table) for table in (sli_deltas, feedback)] == [1, 0]


def test_when_a_part_cannot_be_written_nothing_is_and_the_payload_can_come_again(database: Database):
    unwritable = FeedbackRow(NOW_NS, None, b"s" * 8)  # type: ignore[arg-type]  # the column is NOT NULL
    broken = replace(payload("a", sli(NOW_NS), spread(NOW_NS, {"x": 1})), feedback=(unwritable,))
    with pytest.raises(Exception, match=r"(?i)not.null"):
        commit(database, [payload("b", sli(NOW_NS)), broken], NOW_NS)
    assert [_rows(database, table) for table in (payloads, sli_deltas, distribution_deltas)] == [0, 0, 0]
    commit(database, [payload("b", sli(NOW_NS)), payload("a", sli(NOW_NS))], NOW_NS)
    assert _rows(database, payloads) == 2


@pytest.mark.parametrize("text", ["nul \0 byte", "lone \ud800 surrogate", "emoji 🦉 'quote\" \\ \n %s ?", "\0"])
def test_any_text_can_be_stored(database: Database, text: str):
    columns = span_columns(1)
    strings = dict(columns.strings)
    for name in ("service", "http.route"):
        strings[name] = type(columns.name).of([text])
    hostile = replace(columns, strings=strings, name=type(columns.name).of([text]))
    deltas = (sli(NOW_NS, group=group_key({"service": text})), spread(NOW_NS, {text: 1}))
    given = replace(
        payload("a", *deltas, columns=(hostile,)), feedback=(FeedbackRow(NOW_NS, b"t" * 16, b"s" * 8, text),)
    )
    commit(database, [given], NOW_NS)
    read = spans.load_columns(database, 0, NOW_NS + 1)
    kept = text.replace("\0", "\ufffd").replace("\ud800", "?")
    assert read.string("service").tolist() == read.string("http.route").tolist() == read.name.tolist() == [kept]
    assert load(database, None, NOW_NS, NOW_NS + 1).sli[0].total.tolist() == [1]


def test_collectors_with_the_same_payloads_in_another_order_count_each_once(database: Database):
    group = [payload(f"p{number}", sli(NOW_NS), columns=(span_columns(3, seed=number),)) for number in range(30)]
    orders = [group, group[::-1], group[10:] + group[:10], group[::2] + group[1::2]]
    counted: list[bytes] = []
    barrier = threading.Barrier(len(orders))

    def collect(order: list[PreparedPayload]) -> None:
        barrier.wait()
        for start in range(0, len(order), 10):
            left = order[start : start + 10]
            while left:
                try:
                    commit(database, left, NOW_NS)
                except RepeatedError as error:
                    left = [one for one in left if error.digests.isdisjoint(one.digests)]
                else:
                    counted.extend(one.digests[0] for one in left)
                    break

    threads = [threading.Thread(target=collect, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == sorted(one.digests[0] for one in group)
    assert sli_totals(database, "rule", NOW_NS, NOW_NS + 1)[0].total == len(group)
    assert _records(database)["span"] == 3 * len(group)


def test_counts_near_the_limits_of_64_bits(database: Database):
    large = 2**62 - 1
    commit(database, [payload("a", sli(NOW_NS, large, large))], NOW_NS)
    commit(database, [payload("b", sli(NOW_NS, large, large))], NOW_NS)
    (total,) = sli_totals(database, "rule", NOW_NS, NOW_NS + 1)
    assert total.total == 2 * large
    assert load(database, None, NOW_NS, NOW_NS + 1).sli[0].good.dtype == np.int64
    assert total_key(total.labels) == GROUP


def total_key(labels: object) -> str:
    return group_key(dict(labels))  # type: ignore[call-overload]


def test_digests_of_any_length_are_compared_whole(database: Database):
    long = digest("x") * 4
    commit(database, [PreparedPayload((long, long[:-1]))], NOW_NS)
    assert known(database, [long, long[:-1], long[:-2]]) == {long, long[:-1]}
