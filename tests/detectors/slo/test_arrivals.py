"""Slices judged by what arrived: silence is bad from the first event on, lateness too, and a sign of life is enough."""

from __future__ import annotations

import random

import pytest

from detectors.slo.arrivals import EXPECTED_NS, ArrivalSlices
from detectors.slo.slices import GRACE_NS
from telemetry.deltas import SliDelta
from telemetry.windows import NANOS

MINUTE = 60 * NANOS
DELAY = 30 * NANOS
START = 28_333_333 * MINUTE


def book() -> ArrivalSlices:
    return ArrivalSlices("r:slices", MINUTE, DELAY, frozenset({"tailwatch.queue.depth"}))


def arrived(minute: int, on_time: int, total: int) -> SliDelta:
    return SliDelta("r", "{}", START + minute * MINUTE, on_time, total)


def by_minute(deltas: list[SliDelta]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for delta in deltas:
        minute = (delta.bucket_ns - START) // MINUTE
        good, total = found.get(minute, (0, 0))
        found[minute] = good + delta.good, total + delta.total
    return found


def test_verdicts_are_what_a_naive_reader_says_minute_by_minute() -> None:
    chance = random.Random(3)
    minutes = {m: (chance.randint(0, 4), chance.randint(0, 4)) for m in range(60) if chance.random() < 0.6 or m == 0}
    slices, counted = book(), []
    for minute in range(62):
        on_time, late = minutes.get(minute, (0, 0))
        if on_time + late:
            slices.add([arrived(minute, on_time, on_time + late)])
        counted += slices.judge(START + (minute + 1) * MINUTE + DELAY + GRACE_NS)
    first = min(minute for minute, (on_time, late) in minutes.items() if on_time + late)
    expected = {}
    for minute in range(first, 62):
        on_time, late = minutes.get(minute, (0, 0))
        expected[minute] = (int(on_time + late > 0 and on_time >= late), 1)
    assert by_minute(counted) == expected


def test_nothing_is_expected_before_the_first_event() -> None:
    slices = book()
    assert slices.judge(START + 90 * MINUTE) == []
    slices.add([arrived(100, 1, 1)])
    assert by_minute(slices.judge(START + 103 * MINUTE)) == {100: (1, 1), 101: (0, 1)}


def test_a_slice_is_judged_when_what_is_on_time_must_be_there() -> None:
    slices = book()
    slices.add([arrived(0, 1, 1)])
    due = START + MINUTE + DELAY + GRACE_NS
    assert slices.judge(due - 1) == []
    assert by_minute(slices.judge(due)) == {0: (1, 1)}


def test_events_that_come_late_leave_silence_bad_and_those_on_time_turn_it_good() -> None:
    slices = book()
    slices.add([arrived(0, 1, 1)])
    silent = slices.judge(START + 5 * MINUTE)
    assert by_minute(silent) == {0: (1, 1), 1: (0, 1), 2: (0, 1), 3: (0, 1)}
    slices.add([arrived(1, 0, 9), arrived(2, 9, 9)])  # The second was received in time, and committed late.
    assert by_minute(slices.judge(START + 5 * MINUTE)) == {2: (1, 0)}


def test_a_heartbeat_is_enough_while_nobody_calls_and_excuses_no_late_call() -> None:
    slices = book()
    slices.add([arrived(0, 1, 1), arrived(2, 1, 5)])
    slices.add_sign("{}", START + MINUTE)
    slices.add_sign("{}", START + 2 * MINUTE)
    assert by_minute(slices.judge(START + 5 * MINUTE)) == {0: (1, 1), 1: (1, 1), 2: (0, 1), 3: (0, 1)}
    slices.add_sign("{}", START + 3 * MINUTE)  # It was not there when its minute was judged.
    assert slices.judge(START + 5 * MINUTE) == []


def test_a_group_that_is_gone_is_no_longer_waited_for() -> None:
    slices = book()
    slices.add([arrived(0, 1, 1)])
    week = EXPECTED_NS // MINUTE
    counted = by_minute(slices.judge(START + EXPECTED_NS + 1000 * MINUTE))
    assert set(counted) == set(range(week + 1))
    slices.add([arrived(week + 1000, 1, 1)])
    assert min(by_minute(slices.judge(START + (week + 1003) * MINUTE))) == week + 1000


@pytest.mark.parametrize("down_minutes", [5, 300])
def test_a_restart_goes_on_where_it_stopped(down_minutes: int) -> None:
    first, second = book(), book()
    first.add([arrived(0, 1, 1), arrived(2, 1, 1)])
    stored = first.judge(START + 10 * MINUTE)
    second.restore(stored)
    second.add([arrived(0, 1, 1), arrived(2, 1, 1), arrived(9, 1, 1)])
    now = START + (10 + down_minutes) * MINUTE
    together = by_minute([*stored, *second.judge(now)])
    assert together == {m: (int(m in (0, 2, 9)), 1) for m in range(10 + down_minutes - 1)}
