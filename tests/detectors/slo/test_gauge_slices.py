"""Slices judged by gauges: against a naive oracle over single values, whatever order and repetition they come in."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from detectors.slo.gauge_slices import Aggregate, GaugeSlices
from detectors.slo.slices import GRACE_NS, LATE_NS
from telemetry.deltas import SliDelta
from telemetry.gauges import GaugeReading
from telemetry.points import GaugeState, MetricSeries
from telemetry.windows import BUCKET_NS, NANOS

MINUTE = 60 * NANOS
START = 28_333_333 * MINUTE
QUEUES = [MetricSeries("tailwatch.queue.depth", "{request}", "gauge", "", "chat", f"replica-{i}") for i in range(3)]


def book(aggregate: Aggregate = "max", below: float = 50.0) -> GaugeSlices:
    return GaugeSlices("r:slices", MINUTE, frozenset({"tailwatch.queue.depth"}), aggregate, below)


def reading(series: MetricSeries, time_ns: int, *values: float) -> GaugeReading:
    states = [GaugeState.of(time_ns + i, value) for i, value in enumerate(values)]
    merged = states[0]
    for state in states[1:]:
        merged = merged.merged(state)
    return GaugeReading(series, time_ns - time_ns % BUCKET_NS, merged)


def totals(deltas: list[SliDelta]) -> dict[tuple[str, int], tuple[int, int]]:
    found: dict[tuple[str, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for delta in deltas:
        good, total = found[delta.group, delta.bucket_ns]
        found[delta.group, delta.bucket_ns] = good + delta.good, total + delta.total
    return dict(found)


@pytest.mark.parametrize("aggregate", ["max", "mean", "last"])
def test_slices_are_what_a_reader_of_single_values_says(aggregate: Aggregate) -> None:
    chance = random.Random(7)
    values: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    readings = []
    for i, series in enumerate(QUEUES):
        for bucket in range(20 * 6):
            if chance.random() < 0.4:
                continue
            time_ns = START + bucket * BUCKET_NS
            some = [chance.uniform(0, 60) for _ in range(chance.randint(1, 4))]
            values[i, time_ns // MINUTE].extend((time_ns + j, value) for j, value in enumerate(some))
            # Later readings of a bucket know more of it.
            shown = range(1, len(some) + 1)
            readings += [(chance.random(), some_of, reading(series, time_ns, *some[:some_of])) for some_of in shown]
    of = {
        "max": lambda seen: max(value for _, value in seen),
        "mean": lambda seen: sum(value for _, value in seen) / len(seen),
        "last": lambda seen: max(seen)[1],
    }[aggregate]
    expected = {
        ("{}", minute * MINUTE): (int(all(of(values[i, minute]) < 50 for i in range(3) if (i, minute) in values)), 1)
        for minute in {minute for _, minute in values}
    }
    counted: list[SliDelta] = []
    slices = book(aggregate)
    for turn, (_, _, one) in enumerate(sorted(readings, key=lambda item: (item[1], item[0]))):
        slices.add("{}", one)
        if turn % 50 == 0:
            counted += slices.judge(START + 21 * MINUTE)
    counted += slices.judge(START + 21 * MINUTE)
    assert totals(counted) == expected


def test_a_slice_waits_for_its_end_and_counts_once() -> None:
    slices = book()
    assert slices.add("{}", reading(QUEUES[0], START, 10.0, 20.0)) == 2
    assert slices.add("{}", reading(QUEUES[0], START, 10.0, 20.0)) == 0
    assert slices.judge(START + MINUTE + GRACE_NS - 1) == []
    assert slices.judge(START + MINUTE + GRACE_NS) == [SliDelta("r:slices", "{}", START, 1, 1)]
    slices.add("{}", reading(QUEUES[0], START, 10.0, 20.0))
    assert slices.judge(START + 2 * MINUTE) == []
    assert slices.latest("{}") is not None


def test_late_values_change_the_verdict_for_an_hour() -> None:
    slices = book()
    slices.add("{}", reading(QUEUES[0], START, 10.0))
    slices.judge(START + 2 * MINUTE)
    slices.add("{}", reading(QUEUES[1], START, 70.0))
    assert slices.judge(START + 30 * MINUTE) == [SliDelta("r:slices", "{}", START, -1, 0)]
    slices.judge(START + MINUTE + LATE_NS + MINUTE)
    assert slices.add("{}", reading(QUEUES[2], START, 90.0)) == 0
    assert slices.too_late == 1


def test_a_restart_counts_only_the_difference() -> None:
    first, second = book(), book()
    first.add("{}", reading(QUEUES[0], START, 10.0))
    stored = first.judge(START + 2 * MINUTE)
    second.restore(stored)
    second.add("{}", reading(QUEUES[0], START, 10.0))
    assert second.judge(START + 3 * MINUTE) == []
    second.add("{}", reading(QUEUES[0], START + BUCKET_NS, 99.0))
    assert totals([*stored, *second.judge(START + 3 * MINUTE)]) == {("{}", START): (0, 1)}


def test_a_slice_without_values_says_nothing() -> None:
    slices = book()
    slices.add("{}", reading(QUEUES[0], START, 10.0))
    slices.add("{}", reading(QUEUES[0], START + 5 * MINUTE, 10.0))
    assert {delta.bucket_ns for delta in slices.judge(START + 10 * MINUTE)} == {START, START + 5 * MINUTE}
