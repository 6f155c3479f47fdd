"""An incremental reader misses nothing and reads nothing twice, however commits overlap; ranges merge exactly."""

from __future__ import annotations

import random
from contextlib import ExitStack

import numpy as np
import pytest
from sqlalchemy import Connection, insert, update

from storage.database import Database
from storage.ingest import commit
from storage.rollups import Increment, load, load_distributions, load_sli, read_since, sli_totals
from storage.tables import sli_deltas
from telemetry.deltas import count_of, group_key
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS, NANOS
from tests.postgres import PrivatePostgres
from tests.storage.build import GROUP, NOW_NS, payload, sli, spread

START_NS = NOW_NS - NOW_NS % (3600 * NANOS)
END_NS = START_NS + 3600 * NANOS


def _begin(stack: ExitStack, database: Database) -> Connection:
    return stack.enter_context(database.write())


def _add(connection: Connection, good: int) -> None:
    """One increment whose ``good`` tells it apart."""
    connection.execute(
        insert(sli_deltas).values(
            rule="rule", group_key=GROUP, bucket_ns=START_NS, width_ns=BUCKET_NS, good=good, total=good
        )
    )


def _goods(increment: Increment) -> list[int]:
    return [delta.good for delta in increment.sli]


def test_what_is_new_since_a_position(database: Database):
    start = load(database, None, 0, END_NS).position
    commit(database, [payload("a", sli(START_NS, 1, 2), spread(START_NS, {"x": 3}))], NOW_NS)
    commit(database, [payload("b", sli(START_NS + BUCKET_NS, 4, 5))], NOW_NS)
    first = read_since(database, start)
    assert tuple(first.sli) == (sli(START_NS, 1, 2), sli(START_NS + BUCKET_NS, 4, 5))
    assert first.distributions == (spread(START_NS, {"x": 3}),)
    again = read_since(database, first.position)
    assert (tuple(again.sli), again.distributions) == ((), ())
    commit(database, [payload("c", spread(START_NS, DDSketch.of([2.0])))], NOW_NS)
    (delta,) = read_since(database, again.position).distributions
    assert isinstance(delta.distribution, DDSketch)
    assert delta.distribution.high == 2.0


def test_distributions_that_nobody_needs_are_left_out_for_good(database: Database):
    position = load(database, None, 0, END_NS).position
    deltas = sli(START_NS), spread(START_NS, {"x": 1}), spread(START_NS, {"y": 1}, rule="series")
    commit(database, [payload("a", *deltas)], NOW_NS)
    increment = read_since(database, position, without_distributions_of={"series"})
    assert [delta.rule for delta in increment.distributions] == ["rule"]
    assert len(increment.sli) == 1
    assert read_since(database, increment.position).distributions == ()


def test_loading_and_reading_on_meet_without_gap_or_overlap(database: Database):
    commit(database, [payload("a", sli(START_NS, 1, 1))], NOW_NS)
    loaded = load(database, None, START_NS, END_NS)
    commit(database, [payload("b", sli(START_NS, 2, 2))], NOW_NS)
    assert [series.good.tolist() for series in loaded.sli] == [[1]]
    assert _goods(read_since(database, loaded.position)) == [2]


def test_older_distributions_are_those_before_the_others_of_the_rules_asked_for(database: Database):
    early, late = spread(START_NS, {"x": 1}), spread(START_NS + BUCKET_NS, {"x": 2})
    commit(database, [payload("a", early, late, spread(START_NS, {"y": 5}, rule="unasked"))], NOW_NS)
    loaded = load(
        database, None, START_NS, END_NS, distributions_start_ns=START_NS + BUCKET_NS, older_distributions_of=["rule"]
    )
    assert [(one.rule, one.distributions) for one in loaded.distributions] == [("rule", ({"x": 2},))]
    assert [(one.rule, one.distributions) for one in loaded.older] == [("rule", ({"x": 1},))]
    assert load(database, None, START_NS, END_NS).older == ()


def test_a_smaller_row_number_that_is_committed_later_is_not_missed(migrated_postgres_url: str):
    with Database(migrated_postgres_url) as database, Database(migrated_postgres_url) as other, ExitStack() as late:
        position = load(database, None, 0, END_NS).position
        slow = _begin(late, other)
        _add(slow, 1)
        with database.write() as quick:
            _add(quick, 2)
        first = read_since(database, position)
        assert _goods(first) == [2]
        late.close()
        second = read_since(database, first.position)
        assert _goods(second) == [1]
        assert _goods(read_since(database, second.position)) == []


def test_a_transaction_that_began_before_the_position_but_wrote_after_it_is_not_missed(migrated_postgres_url: str):
    with Database(migrated_postgres_url) as database, Database(migrated_postgres_url) as other, ExitStack() as late:
        slow = _begin(late, other)
        _add(slow, 1)
        position = load(database, None, 0, END_NS).position
        _add(slow, 2)
        late.close()
        assert _goods(read_since(database, position)) == [1, 2]


def test_a_long_transaction_does_not_hold_up_the_others(migrated_postgres_url: str):
    with Database(migrated_postgres_url) as database, Database(migrated_postgres_url) as other, ExitStack() as late:
        position = load(database, None, 0, END_NS).position
        _add(_begin(late, other), 99)
        for good in (1, 2, 3):
            with database.write() as quick:
                _add(quick, good)
            increment = read_since(database, position)
            assert _goods(increment) == [good]
            position = increment.position


def test_an_abandoned_transaction_leaves_no_trace(database: Database):
    position = load(database, None, 0, END_NS).position

    def abandon() -> None:
        with database.write() as connection:
            _add(connection, 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        abandon()
    with database.write() as connection:
        _add(connection, 2)
    increment = read_since(database, position)
    assert _goods(increment) == [2]
    assert _goods(read_since(database, increment.position)) == []


@pytest.mark.parametrize("seed", range(3))
def test_any_interleaving_of_writers_and_a_reader_reads_each_increment_once(migrated_postgres_url: str, seed: int):
    chance = random.Random(seed)
    with Database(migrated_postgres_url) as database, ExitStack() as everything:
        position = load(database, None, 0, END_NS).position
        open_writers: list[ExitStack] = []
        read: list[int] = []
        for number in range(100):
            action = chance.choice(["open", "open", "add", "add", "close", "read"])
            if action == "open" and len(open_writers) < 5:
                writer = everything.enter_context(ExitStack())
                writer.connection = _begin(writer, database)
                open_writers.append(writer)
            elif action == "close" and open_writers:
                open_writers.pop(chance.randrange(len(open_writers))).close()
            elif action == "read":
                increment = read_since(database, position)
                read += _goods(increment)
                position = increment.position
            elif open_writers:
                _add(chance.choice(open_writers).connection, number)
        everything.close()
        read += _goods(read_since(database, position))
        (series,) = load_sli(database, None, START_NS, END_NS)
        assert sum(read) == int(series.good[0])
        assert len(set(read)) == len(read) > 5


def test_rows_restored_from_another_server_are_not_unread_forever(
    postgres: PrivatePostgres, migrated_postgres_url: str
):
    with Database(migrated_postgres_url) as database:
        with database.write() as connection:
            _add(connection, 7)
            connection.execute(update(sli_deltas).values(transaction_id=2**60))
        loaded = load(database, None, START_NS, END_NS)
        assert [series.good.tolist() for series in loaded.sli] == [[7]]
        assert _goods(read_since(database, loaded.position)) == []


def test_a_range_is_merged_by_rule_group_and_bucket(database: Database):
    other = group_key({"service": "search"})
    commit(
        database,
        [payload("a", sli(START_NS, 1, 2), sli(START_NS + BUCKET_NS, 3, 4), sli(START_NS, 5, 6, group=other))],
        NOW_NS,
    )
    commit(database, [payload("b", sli(START_NS, 10, 20), sli(START_NS, 7, 8, rule="zone"))], NOW_NS)
    commit(database, [payload("c", sli(END_NS, 100, 100), sli(START_NS - 1, 100, 100))], NOW_NS)
    found = {(series.rule, series.group): series for series in load_sli(database, ["rule", "zone"], START_NS, END_NS)}
    assert set(found) == {("rule", GROUP), ("rule", other), ("zone", GROUP)}
    mine = found["rule", GROUP]
    assert mine.bucket_ns.tolist() == [START_NS, START_NS + BUCKET_NS]
    assert (mine.good.tolist(), mine.total.tolist()) == ([11, 3], [22, 4])
    assert mine.width_ns.tolist() == [BUCKET_NS, BUCKET_NS]
    assert [series.rule for series in load_sli(database, ["zone"], START_NS, END_NS)] == ["zone"]
    assert load_sli(database, [], START_NS, END_NS) == ()
    wide = load_sli(database, ["rule"], START_NS, END_NS, 60 * NANOS)
    assert [(series.total.tolist(), series.width_ns.tolist()) for series in wide] == [
        ([26], [60 * NANOS]), ([6], [60 * NANOS]),
    ]  # fmt: skip


def test_more_rules_than_fit_one_statement(database: Database):
    rules = [f"rule-{number:04}" for number in range(1100)]
    commit(database, [payload("a", *(sli(START_NS, rule=rule) for rule in rules))], NOW_NS)
    assert [series.rule for series in load_sli(database, rules, START_NS, END_NS)] == rules
    assert len(load_sli(database, None, START_NS, END_NS)) == len(rules)


def test_distributions_of_a_range_are_those_of_all_values_together(database: Database):
    values = np.random.default_rng(5).lognormal(size=600)
    for number, part in enumerate(np.split(values, 6)):
        bucket_ns = START_NS + number % 2 * BUCKET_NS
        deltas = (
            spread(bucket_ns, DDSketch.of(part)),
            spread(bucket_ns, {"a": 1, f"b{number % 2}": 2}, field="prediction"),
        )
        commit(database, [payload(f"p{number}", *deltas)], NOW_NS)
    counts, sketches = sorted(
        load_distributions(database, None, START_NS, END_NS, width_ns=60 * NANOS),
        key=lambda series: series.field != "prediction",
    )
    assert counts.distributions == ({"a": 6, "b0": 6, "b1": 6},)
    (sketch,) = sketches.distributions
    assert isinstance(sketch, DDSketch)
    expected = DDSketch.of(values)
    assert sketch.quantiles((0, 0.5, 0.99, 1)) == expected.quantiles((0, 0.5, 0.99, 1))
    assert sketch.count == 600
    fine = load_distributions(database, ["rule"], START_NS, END_NS, field="duration")
    assert [series.bucket_ns.tolist() for series in fine] == [[START_NS, START_NS + BUCKET_NS]]


def test_numbers_and_texts_under_one_key_are_read_as_the_kind_that_has_more_values(database: Database):
    """A field whose values changed from numbers to texts, or a client that sends "n/a", must not break the load."""
    later_ns = START_NS + BUCKET_NS
    commit(database, [payload("a", spread(START_NS, DDSketch.of([1.0, 2.0])), spread(later_ns, {"n/a": 3}))], NOW_NS)
    commit(database, [payload("b", spread(START_NS, {"n/a": 1}), spread(later_ns, DDSketch.of([4.0])))], NOW_NS)
    (series,) = load(database, ["rule"], START_NS, END_NS).distributions
    assert series.bucket_ns.tolist() == [START_NS, later_ns]
    numbers, texts = series.distributions
    assert isinstance(numbers, DDSketch)
    assert (numbers.count, numbers.high) == (2, 2.0)
    assert texts == {"n/a": 3}
    (wide,) = load(database, ["rule"], START_NS, END_NS, 60 * NANOS).distributions
    assert [count_of(one) for one in wide.distributions] == [4], "four texts against three numbers"


def test_totals_by_group(database: Database):
    other = group_key({"service": "search"})
    commit(database, [payload("a", sli(START_NS, 1, 2), sli(START_NS, 5, 6, group=other))], NOW_NS)
    commit(database, [payload("b", sli(START_NS + BUCKET_NS, 1, 1))], NOW_NS)
    totals = sli_totals(database, "rule", START_NS, END_NS)
    assert [(dict(total.labels), total.good, total.total) for total in totals] == [
        ({"service": "chat"}, 2, 3),
        ({"service": "search"}, 5, 6),
    ]
    assert sli_totals(database, "unknown", START_NS, END_NS) == ()
