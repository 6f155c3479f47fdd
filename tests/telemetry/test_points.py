"""States of points merge in any order, and identities keep apart what must not be added up."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.deltas import group_key
from telemetry.errors import TailwatchError
from telemetry.histograms import ExponentialHistogram
from telemetry.points import (
    GaugeState,
    Increment,
    MetricSeries,
    Segment,
    State,
    Total,
    merge_points,
    merge_states,
    point,
)
from telemetry.windows import NANOS

TIMES = st.integers(0, 20)
VALUES = st.integers(-100, 100).map(float)
GAUGES = st.builds(GaugeState.of, TIMES, VALUES)
INCREMENTS = st.builds(Increment, TIMES, TIMES, st.builds(Total, VALUES))
SEGMENTS = st.builds(Segment.of, TIMES, st.builds(Total, VALUES))
STATES = st.sampled_from([GAUGES, INCREMENTS, SEGMENTS]).flatmap(lambda one: st.lists(one, min_size=2, max_size=5))

SERIES = MetricSeries("queue", "{request}", "gauge", "", "chat", "a", group_key({"model": "m"}))


def merged(states: list[State]) -> State:
    result = states[0]
    for one in states[1:]:
        result = merge_states(result, one)
    return result


@given(STATES, st.randoms())
def test_states_merge_in_any_order(states: list[State], random: object) -> None:
    shuffled = list(states)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merged(shuffled) == merged(states)


@given(STATES, st.data())
def test_states_merge_in_any_grouping(states: list[State], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(states) - 1))
    assert merge_states(merged(states[:cut]), merged(states[cut:])) == merged(states)


@given(SEGMENTS)
def test_a_cumulative_value_that_comes_twice_counts_once(one: Segment) -> None:
    assert merge_states(one, one) == one


def test_a_gauge_keeps_all_but_the_order() -> None:
    states = [GaugeState.of(at, value) for at, value in [(1, 5.0), (3, -1.0), (2, 9.0)]]
    expected = GaugeState(3, 13.0, -1.0, 9.0, 3, -1.0)
    assert all(merged(list(order)) == expected for order in permutations(states))


@pytest.mark.parametrize(
    "other",
    [
        replace(SERIES, unit="1"),
        replace(SERIES, service="other"),
        replace(SERIES, instance="b"),
        replace(SERIES, labels="{}"),
        replace(SERIES, scope="library"),
        replace(SERIES, kind="sum", temporality="delta"),
        replace(SERIES, kind="histogram", temporality="delta", bounds=(1.0,)),
    ],
)
def test_identities_differ(other: MetricSeries) -> None:
    assert other.id != SERIES.id
    assert 0 <= other.id < 2**63


def test_the_identity_is_stable_and_knows_no_description() -> None:
    assert replace(SERIES, description="how many wait").id == SERIES.id == 5587736815133683846


def test_points_of_a_bucket_and_start_become_one() -> None:
    counter = MetricSeries("requests", "1", "sum", "cumulative", "chat")
    points = [point(counter, (100 + at) * NANOS, start, Total(float(at))) for at in range(12) for start in (1, 2)]
    found = {(one.bucket_ns // NANOS, one.start_ns): one.state for one in merge_points(points)}
    assert found.keys() == {(100, 1), (100, 2), (110, 1), (110, 2)}
    assert found[100, 1] == Segment(100 * NANOS, Total(0.0), 109 * NANOS, Total(9.0))


def test_a_delta_without_a_start_is_of_its_bucket() -> None:
    delta = MetricSeries("requests", "1", "sum", "delta", "chat")
    assert point(delta, 105 * NANOS, 0, Total(3.0)).state == Increment(100 * NANOS, 105 * NANOS, Total(3.0))


def test_kinds_do_not_mix() -> None:
    with pytest.raises(TailwatchError, match="cannot be one series"):
        merge_states(GaugeState.of(1, 1.0), Segment.of(1, Total(1.0)))
    with pytest.raises(TailwatchError, match="cannot be one series"):
        merge_states(Increment(1, 2, Total(1.0)), Increment(1, 2, ExponentialHistogram()))
