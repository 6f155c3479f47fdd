"""Compaction changes no total, leaves what the evaluator has not read, and is invisible to an incremental reader."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from storage import retention
from storage.compaction import FOLDS, compact
from storage.database import Database
from storage.ingest import commit
from storage.positions import Position
from storage.rollups import load, load_sli, read_since, sli_totals
from storage.tables import sli_deltas
from telemetry.deltas import SliDelta, group_key
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS, NANOS
from tests.storage.build import NOW_NS, payload, sli, spread

DAY_NS = 86400 * NANOS
NOW = NOW_NS - NOW_NS % DAY_NS
FUTURE = NOW + DAY_NS


def _position(database: Database) -> Position:
    return load(database, [], 0, 0).position


def _levels(database: Database) -> dict[int, int]:
    query = select(sli_deltas.c.level, func.count()).group_by(sli_deltas.c.level)
    with database.read() as connection:
        return dict(connection.execute(query).all())


def _totals(database: Database) -> Counter[tuple[str, str, int]]:
    """Good and total by rule, group and hour: what no fold may change."""
    counts: Counter[tuple[str, str, int]] = Counter()
    for series in load_sli(database, None, 0, FUTURE, 3600 * NANOS):
        for bucket, good, total in zip(series.bucket_ns, series.good, series.total, strict=True):
            counts[series.rule, series.group, int(bucket)] += int(good) * 10**6 + int(total)
    return counts


def _clear(database: Database) -> None:
    retention.apply(database, FUTURE, retention.RetentionPolicy(0, 0, 0, 0, 0))


DELTAS = st.lists(
    st.builds(
        lambda rule, service, age, good, bad: SliDelta(
            rule, group_key({"service": service}), NOW - age * BUCKET_NS, good, good + bad
        ),
        st.sampled_from(["errors", "latency"]),
        st.sampled_from(["chat", "search"]),
        st.integers(0, 5 * 8640),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=30,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(DELTAS, min_size=1, max_size=4), batch_rows=st.sampled_from([1, 7, 1000]))
def test_totals_stay_exact_whatever_comes_when(database: Database, groups: list[list[SliDelta]], batch_rows: int):
    """Deltas of any age arrive between compactions, as late telemetry does."""
    _clear(database)
    for number, deltas in enumerate(groups):
        commit(database, [payload(f"p{number}", *deltas)], NOW)
        before = _totals(database)
        compact(database, NOW, _position(database), batch_rows)
        assert _totals(database) == before
    seen = {
        (delta.rule, delta.group, delta.bucket_ns, number if delta.bucket_ns >= NOW - FOLDS[0].age_ns else -1)
        for number, deltas in enumerate(groups) for delta in deltas
    }  # fmt: skip
    assert sum(_levels(database).values()) <= len(seen), "a row a commit while buckets are young, then one a bucket"
    assert compact(database, NOW, _position(database), batch_rows) == 0


def test_buckets_are_as_wide_as_their_age_allows(database: Database):
    ages_s = [10, 3600, 8 * 3600, 100 * 3600]
    commit(database, [payload("a", *(sli(NOW - age * NANOS) for age in ages_s))], NOW)
    compact(database, NOW, _position(database))
    (series,) = load_sli(database, None, 0, FUTURE)
    widths = {
        int(NOW - start) // NANOS: int(width) // NANOS
        for start, width in zip(series.bucket_ns, series.width_ns, strict=True)
    }
    assert widths == {10: 10, 3600: 10, 8 * 3600: 300, 100 * 3600: 3600}
    assert _levels(database) == {0: 1, 1: 1, 2: 1, 3: 1}


def test_hours_that_a_period_begins_within_stay_in_buckets_of_five_minutes(database: Database):
    hour_ns = 3600 * NANOS
    first, second = NOW - 100 * hour_ns, NOW - 99 * hour_ns
    commit(database, [payload("a", *(sli(at + k * 600 * NANOS) for at in (first, second) for k in range(6)))], NOW)
    asked = []

    def splits(start_ns: int, end_ns: int) -> list[int]:
        asked.append((start_ns, end_ns))
        return [second + 1800 * NANOS]

    before = _totals(database)
    for _ in range(2):
        compact(database, NOW, _position(database), batch_rows=4, splits=splits)
        assert _levels(database) == {2: 6, 3: 1}
    assert _totals(database) == before
    assert asked[1][0] == first, "from the oldest bucket that is due"
    assert asked[-1][0] == second, "and not from what has been folded"
    assert compact(database, NOW, _position(database)) == 6, "they fold once no period needs them"


def test_nothing_is_folded_across_the_edge_of_a_correction(database: Database):
    """The five minutes that hold the edge stay in buckets of 10 s at every age, their hour in buckets of 5 min."""
    hour_ns, edge = NOW - 100 * 3600 * NANOS, NOW - 100 * 3600 * NANOS + 1270 * NANOS
    commit(database, [payload("a", *(sli(hour_ns + k * 10 * NANOS) for k in range(360)))], NOW)
    compact(database, NOW, _position(database), splits=lambda start_ns, end_ns: [edge])
    (series,) = load_sli(database, None, 0, FUTURE)
    widths = dict(zip(series.bucket_ns.tolist(), (series.width_ns // NANOS).tolist(), strict=True))
    assert sorted(widths.values()) == [10] * 30 + [300] * 11
    assert widths[edge] == 10
    before = series.bucket_ns < edge
    assert series.total[before].sum() * 360 == series.total.sum() * 127


def test_many_increments_of_one_bucket_become_one_row(database: Database):
    for number in range(20):
        commit(database, [payload(f"p{number}", sli(NOW - 3600 * NANOS, 1, 2))], NOW)
    assert compact(database, NOW, _position(database), batch_rows=3) == 20
    assert _levels(database) == {1: 1}
    assert sli_totals(database, "rule", 0, FUTURE)[0].total == 40


def test_distributions_are_merged_exactly(database: Database):
    values = np.random.default_rng(2).lognormal(size=400)
    for number, part in enumerate(np.split(values, 8)):
        bucket_ns = NOW - 100 * 3600 * NANOS + number * 70 * BUCKET_NS
        deltas = spread(bucket_ns, DDSketch.of(part)), spread(bucket_ns, {"yes": 1, "no": number}, field="prediction")
        commit(database, [payload(f"p{number}", *deltas)], NOW)
    compact(database, NOW, _position(database), batch_rows=3)
    loaded = load(database, None, 0, FUTURE, 2 * DAY_NS)
    merged = {series.field: series.distributions for series in loaded.distributions}
    assert merged["prediction"] == ({"yes": 8, "no": 28},)
    (sketch,) = merged["duration"]
    expected = DDSketch.of(values)
    assert isinstance(sketch, DDSketch)
    np.testing.assert_array_equal(sketch.keys, expected.keys)
    np.testing.assert_array_equal(sketch.counts, expected.counts)
    np.testing.assert_allclose(sketch.total, expected.total)


def test_what_the_evaluator_has_not_read_stays_for_it(database: Database):
    position = _position(database)
    commit(database, [payload("a", sli(NOW - DAY_NS, 1, 1), spread(NOW - DAY_NS, {"x": 1}))], NOW)
    assert compact(database, NOW, position) == 0
    increment = read_since(database, position)
    assert (len(increment.sli), len(increment.distributions)) == (1, 1)
    assert compact(database, NOW, increment.position) == 4, "two rows, folded to 10 s and then to 5 min"
    after = read_since(database, increment.position)
    assert (tuple(after.sli), after.distributions) == ((), ())


def test_a_reader_that_is_behind_reads_everything_once_although_old_rows_are_folded(database: Database):
    """Compaction up to a position must not lift the row numbers that a reader at that position goes by."""
    commit(database, [payload("a", sli(NOW - DAY_NS, 1, 1))], NOW)
    position = _position(database)
    commit(database, [payload("b", sli(NOW - DAY_NS, 2, 2))], NOW)
    compact(database, NOW, position)
    increment = read_since(database, position)
    assert [delta.good for delta in increment.sli] == [2]
    commit(database, [payload("c", sli(NOW - DAY_NS, 4, 4))], NOW)
    compact(database, NOW, increment.position)
    assert [delta.good for delta in read_since(database, increment.position).sli] == [4]
    assert sli_totals(database, "rule", 0, FUTURE)[0].good == 7


def test_two_compactions_and_a_writer_at_once_lose_nothing(database: Database):
    deltas = [sli(NOW - (1 + number % 50) * 3600 * NANOS, 1, 1) for number in range(300)]
    for number, delta in enumerate(deltas[:200]):
        commit(database, [payload(f"p{number}", delta)], NOW)
    failures: list[BaseException] = []

    def run(step: object) -> None:
        try:
            step()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    def write() -> None:
        for number, delta in enumerate(deltas[200:]):
            commit(database, [payload(f"q{number}", delta)], NOW)

    steps = [
        lambda: compact(database, NOW, _position(database), 17),
        lambda: compact(database, NOW, _position(database), 5),
        write,
    ]
    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sli_totals(database, "rule", 0, FUTURE)[0].total == 300
    compact(database, NOW, _position(database))
    assert sum(_levels(database).values()) == 50


def test_folds_widen_with_age():
    for narrow, wide in pairwise(FOLDS):
        assert wide.level == narrow.level + 1
        assert wide.width_ns % narrow.width_ns == 0
        assert wide.age_ns > narrow.age_ns + wide.width_ns
