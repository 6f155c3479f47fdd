"""The order in which counts become known, and folded counts spread over their bucket."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.rollups import SliSeries
from tailwatch.backtest.timeline import Timeline, at_bucket_end, spread
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS

HOUR_NS = 360 * BUCKET_NS


def series(bucket_ns: int, width_ns: int, good: int, total: int) -> SliSeries:
    return SliSeries("r", "{}", *(np.asarray([value]) for value in (bucket_ns, width_ns, good, total)))


def test_a_bucket_is_known_when_it_has_ended_and_once():
    rows = [SliDelta("r", "{}", place * BUCKET_NS, place, 9) for place in (3, 0, 2, 1)]
    timeline = Timeline(at_bucket_end(rows))
    assert timeline.due(BUCKET_NS - 1) == ([], [], [])
    assert [row.good for row in timeline.due(BUCKET_NS)[0]] == [0]
    assert [row.good for row in timeline.due(4 * BUCKET_NS)[0]] == [1, 2, 3]
    assert timeline.due(9 * BUCKET_NS) == ([], [], [])


def test_what_is_added_later_comes_in_its_place_and_nothing_twice():
    first, late, last = (SliDelta("r", "{}", place * BUCKET_NS, 1, 1) for place in range(3))
    timeline = Timeline(at_bucket_end([first, last]))
    assert timeline.due(BUCKET_NS).sli == [first]
    timeline.add([(3 * BUCKET_NS, late)])
    assert timeline.due(3 * BUCKET_NS).sli == [last, late]
    assert timeline.due(9 * BUCKET_NS).sli == []


@given(
    st.integers(0, 2000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))),
    st.sampled_from([BUCKET_NS, 30 * BUCKET_NS, HOUR_NS]),
)
def test_a_folded_bucket_keeps_its_counts_and_is_known_at_its_end(counts: tuple[int, int], width_ns: int):
    good, total = counts
    rows = list(spread(series(HOUR_NS, width_ns, good, total)))
    assert sum(row.good for _, row in rows) == good
    assert sum(row.total for _, row in rows) == total
    assert all(0 <= row.good <= row.total for _, row in rows)
    assert {known_ns for known_ns, _ in rows} <= {HOUR_NS + width_ns}
    assert all(HOUR_NS <= row.bucket_ns < HOUR_NS + width_ns for _, row in rows)
    shares = [row.total for _, row in rows]
    assert width_ns == BUCKET_NS or max(shares, default=0) - min(shares, default=0) <= 1


def test_a_correction_of_a_count_is_passed_on_as_it_is():
    assert list(spread(series(0, HOUR_NS, -3, -1))) == [(HOUR_NS, SliDelta("r", "{}", 0, -3, -1))]
