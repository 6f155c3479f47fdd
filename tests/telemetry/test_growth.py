"""What was added is exact in sum, resets included, however points arrive, are merged, and steps are laid."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.growth import Growth, Steps, of_increments, of_segments
from telemetry.points import Increment, Segment, State, Total, merge_states
from telemetry.windows import NANOS

START = 1_700_000_000 * NANOS


def total(growths: list[Growth]) -> float:
    return sum(growth.quantity.value for growth in growths if isinstance(growth.quantity, Total))


def segments(points: list[tuple[int, float]], bucket: int = 10) -> list[Segment]:
    """Points (second, value) as what is stored of them: one segment a bucket."""
    stored: dict[int, State] = {}
    for at, value in points:
        one = Segment.of(START + at * NANOS, Total(value))
        stored[at // bucket] = merge_states(stored[at // bucket], one) if at // bucket in stored else one
    return [one for one in stored.values() if isinstance(one, Segment)]


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=40),
    st.integers(1, 15),
    st.sampled_from([10, 60]),
    st.integers(0, 1000),
)
def test_the_growth_of_a_counter_is_what_was_added(added: list[int], every: int, bucket: int, seed: int) -> None:
    values = [(every * (index + 1), float(sum(added[: index + 1]))) for index in range(len(added))]
    random.Random(seed).shuffle(values)
    assert total(of_segments(START, segments(values, bucket), START)) == sum(added)


def test_values_before_what_was_read_are_not_growth() -> None:
    assert total(of_segments(START, segments([(100, 1000.0), (110, 1010.0)]), START + 1)) == 10


def test_without_a_start_a_fall_is_a_reset_and_the_first_value_none() -> None:
    points = [(0, 100.0), (10, 130.0), (20, 5.0), (30, 9.0)]
    assert total(of_segments(0, segments(points), 0)) == 30 + 5 + 4


def test_a_fall_within_a_bucket_is_a_reset() -> None:
    assert total(of_segments(0, segments([(0, 100.0), (9, 4.0), (15, 6.0)]), 0)) == 4 + 2


def test_a_late_value_within_a_folded_bucket_adds_nothing() -> None:
    folded = Segment(START, Total(10.0), START + 300 * NANOS, Total(70.0))
    late = Segment.of(START + 100 * NANOS, Total(30.0))
    assert total(of_segments(0, [late, folded], 0)) == 60


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60), st.integers(0, 100)), max_size=20),
    st.sampled_from([7, 10, 60]),
)
def test_steps_hold_everything(raw: list[tuple[int, int, int]], step: int) -> None:
    growths = [
        Growth(START + since * NANOS, START + (since + width) * NANOS, Total(float(quantity)))
        for since, width, quantity in raw
    ]
    steps = Steps(START, step * NANOS, 600 // step + 1)
    for growth in growths:
        steps.add(growth)
    found = sum(added.value for added in steps.added if isinstance(added, Total))
    assert found == pytest.approx(total(growths))
    covered = {second for since, width, _ in raw for second in range(since, since + width)}
    assert sum(steps.observed_ns()) == len(covered) * NANOS


def test_growth_is_spread_evenly_and_cut_at_the_ends() -> None:
    steps = Steps(START, 10 * NANOS, 3)
    steps.add(Growth(START - 30 * NANOS, START + 15 * NANOS, Total(45.0)))
    assert steps.added == [Total(pytest.approx(10.0)), Total(pytest.approx(5.0)), None]
    assert steps.observed_ns() == [10 * NANOS, 5 * NANOS, 0]


def test_growth_elsewhere_is_left_out() -> None:
    steps = Steps(START, 10 * NANOS, 3)
    for since in (-20, 30):
        steps.add(Growth(START + since * NANOS, START + (since + 10) * NANOS, Total(1.0)))
    steps.add(Growth(START + 30 * NANOS, START + 30 * NANOS, Total(1.0)))
    assert steps.added == [None, None, None]


def test_a_moment_is_in_one_step() -> None:
    steps = Steps(START, 10 * NANOS, 3)
    (growth,) = of_increments([Increment(START + 10 * NANOS, START + 10 * NANOS, Total(4.0))])
    steps.add(growth)
    assert steps.added == [None, Total(4.0), None]
