"""The ledger against brute force: any deltas in any order, late ones too, and nothing lost by folding."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.slo.calendar import Calendar
from detectors.slo.ledger import (
    FINE_SPAN_NS,
    HOUR_NS,
    MIDDLE_NS,
    MIDDLE_SPAN_NS,
    NEVER,
    Ledger,
)
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS, NANOS, bucket_start
from telemetry.windows import parse_duration as ns

T0 = 1_700_000_000 * NANOS
LENGTHS = [ns("5m"), ns("1h"), ns("6h"), ns("24h"), ns("3d"), ns("30d")]


def kept_start(bucket_ns: int, now_ns: int, horizon_ns: int) -> int:
    """Start of the bucket in which the ledger keeps a delta once it has reached ``now_ns``."""
    coarse_floor = (now_ns - horizon_ns) // HOUR_NS * HOUR_NS
    middle_floor = max((now_ns - MIDDLE_SPAN_NS) // HOUR_NS * HOUR_NS, coarse_floor)
    fine_floor = max((now_ns - FINE_SPAN_NS) // MIDDLE_NS * MIDDLE_NS, middle_floor)
    if bucket_ns >= fine_floor:
        return bucket_ns
    return bucket_start(bucket_ns, MIDDLE_NS if bucket_ns >= middle_floor else HOUR_NS)


def brute_force(deltas: list[SliDelta], group: str, now_ns: int, length_ns: int, horizon_ns: int) -> tuple[int, int]:
    inside = [
        delta for delta in deltas
        if delta.group == group and now_ns - length_ns <= kept_start(delta.bucket_ns, now_ns, horizon_ns)
        and delta.bucket_ns <= now_ns
    ]  # fmt: skip
    return sum(delta.good for delta in inside), sum(delta.total for delta in inside)


@st.composite
def histories(draw):
    """Steps of (seconds to move on, deltas that arrive then); most recent, some late, a few from the future."""
    steps = []
    now_s = 0
    for _ in range(draw(st.integers(1, 8))):
        now_s += draw(st.sampled_from([1, 10, 60, 299, 3600, 7 * 3600, 80 * 3600, 40 * 86400]))
        rows = []
        for _ in range(draw(st.integers(0, 6))):
            age_s = draw(st.sampled_from([-30, 0, 5, 70, 3599, 6 * 3600, 7 * 3600, 73 * 3600, 20 * 86400]))
            total = draw(st.integers(0, 50))
            bucket = bucket_start(T0 + (now_s - age_s) * NANOS)
            rows.append(SliDelta("r", draw(st.sampled_from("ab")), bucket, draw(st.integers(0, total)), total))
        steps.append((T0 + now_s * NANOS, rows))
    return steps


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from([ns("1h"), ns("7d"), ns("30d")]))
def test_window_sums_equal_brute_force(history, horizon_ns):
    lengths = [length for length in LENGTHS if length <= horizon_ns]
    ledger = Ledger(horizon_ns, windows_ns=lengths)
    seen: list[SliDelta] = []
    for now_ns, rows in history:
        # What is older than the horizon when it arrives is refused; no window reaches it.
        floor_ns = (now_ns - horizon_ns) // HOUR_NS * HOUR_NS
        ledger.add(rows)
        seen.extend(row for row in rows if row.bucket_ns >= floor_ns)
        ledger.advance(now_ns)
        good, total = ledger.window_sums(now_ns, lengths)
        for g, group in enumerate(ledger.groups):
            for w, length in enumerate(lengths):
                assert (good[w, g], total[w, g]) == brute_force(seen, group, now_ns, length, horizon_ns)
        assert ledger.sums.tolist() == [good.tolist(), total.tolist()], "moved on, they are what adding up gives"


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from(["UTC", "Asia/Kolkata"]), st.sampled_from(["day", "month"]))
def test_rolling_sums_of_odd_windows_and_periods_equal_sums_from_the_buckets(history, zone, unit):
    calendar = Calendar(unit, zone)
    lengths = [ns("10s"), ns("6h") + ns("2m"), ns("7h"), ns("74h")]
    ledger = Ledger(
        calendar.longest_ns, calendar.splits, lengths, period_start=lambda now_ns: calendar.period(now_ns).start_ns
    )
    for now_ns, rows in [*history, (history[-1][0] - ns("20s"), []), (history[-1][0] + ns("3m"), [])]:
        ledger.add(rows)
        ledger.advance(now_ns)
        good, total = ledger.window_sums(now_ns, [*lengths, now_ns - calendar.period(now_ns).start_ns])
        assert ledger.sums.tolist() == [good.tolist(), total.tolist()]


def test_counts_of_any_size_are_held():
    """Cells begin with 16 bits; a count that needs more is never cut, whether it comes at once or by folding."""
    ledger = Ledger(ns("30d"), windows_ns=[ns("30d")])
    for k, total in enumerate([30_000, 30_000, 2**31, 2**40]):
        ledger.add([SliDelta("r", "a", T0 + k // 2 * BUCKET_NS, 1, total), SliDelta("r", "b", T0, -3, -3)])
        ledger.advance(T0 + 10 * BUCKET_NS)
    for now_ns in (T0 + ns("1m"), T0 + ns("8h"), T0 + ns("4d")):
        ledger.advance(now_ns)
        assert ledger.sums.tolist() == [[[4, -12]], [[60_000 + 2**31 + 2**40, -12]]]


def totals(ledger: Ledger, now_ns: int) -> dict[str, int]:
    _, total = ledger.window_sums(now_ns, [ns("365d")])
    return dict(zip(ledger.groups, total[0].tolist(), strict=True))


@settings(max_examples=20, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(history, random):
    now_ns = history[-1][0]
    rows = [row for _, arrived in history for row in arrived]
    shuffled = random.sample(rows, len(rows))
    stepped, at_once = Ledger(ns("365d")), Ledger(ns("365d"))
    for time_ns, arrived in history:
        stepped.add(arrived)
        stepped.advance(time_ns)
    at_once.add(shuffled)
    at_once.advance(now_ns)
    assert totals(stepped, now_ns) == totals(at_once, now_ns)


def test_a_bucket_belongs_to_a_window_when_its_start_does():
    ledger = Ledger(ns("30d"))
    ledger.add([SliDelta("r", "a", T0, 1, 2)])
    ledger.advance(T0)
    at_edge = ledger.window_sums(T0 + ns("5m"), [ns("5m")])[1]
    behind = ledger.window_sums(T0 + ns("5m") + 1, [ns("5m")])[1]
    assert (at_edge.tolist(), behind.tolist()) == ([[2]], [[0]])


def test_advance_tells_what_changed():
    ledger = Ledger(ns("30d"))
    ledger.add([SliDelta("r", "a", T0, 1, 1), SliDelta("r", "b", T0 - BUCKET_NS, 1, 1)])
    assert ledger.advance(T0).tolist() == [T0, T0 - BUCKET_NS]
    ledger.add([SliDelta("r", "b", T0, 1, 1)])
    assert ledger.advance(T0 + NANOS).tolist() == [NEVER, T0]
    assert ledger.first_ns.tolist() == [T0, T0 - BUCKET_NS]
    assert ledger.last_ns.tolist() == [T0, T0]


def test_data_of_the_future_wait():
    ledger = Ledger(ns("30d"))
    ledger.add([SliDelta("r", "a", T0 + 2 * BUCKET_NS, 1, 1)])
    ledger.advance(T0)
    assert len(ledger) == 0
    ledger.advance(T0 + 2 * BUCKET_NS)
    assert ledger.window_sums(T0 + 2 * BUCKET_NS, [BUCKET_NS])[1].tolist() == [[1]]


def test_memory_does_not_grow_with_time():
    ledger = Ledger(ns("30d"))
    sizes = set()
    for day in range(60):
        now_ns = T0 + day * ns("1d")
        ledger.add([SliDelta("r", "a", bucket_start(now_ns), 1, 1)])
        ledger.advance(now_ns)
        sizes.add(ledger.nbytes)
    assert len(sizes) == 1
    assert sizes.pop() < 17_000
    # Today's and 29 before it; the oldest of 31 lies in an hour that starts before the window does.
    assert ledger.window_sums(now_ns, [ns("30d")])[1].tolist() == [[30]]


def test_series_and_sums_since():
    ledger = Ledger(ns("30d"))
    rows = [SliDelta("r", "a", T0 - k * HOUR_NS // 2, k, 2 * k) for k in range(1, 40)]
    ledger.add([*rows, SliDelta("r", "b", T0 - ns("10s"), 3, 4)])
    ledger.advance(T0)
    starts, good, total = ledger.series(0, T0 - ns("2d"), T0)
    assert (good.sum(), total.sum(), (np.diff(starts) > 0).all()) == (780, 1560, True)
    since = ledger.sums_since(np.asarray([T0 - HOUR_NS, T0 - ns("10s")]), np.arange(2), T0)
    assert ([counts.tolist() for counts in since]) == [[1 + 2, 3], [2 + 4, 4]]


def test_forgotten_groups_leave_the_others_as_they_were():
    ledger = Ledger(ns("30d"))
    ledger.add([SliDelta("r", group, T0, 1, i + 1) for i, group in enumerate("abc")])
    ledger.advance(T0)
    ledger.keep(np.asarray([0, 2]))
    ledger.add([SliDelta("r", "c", T0, 0, 10)])
    ledger.advance(T0)
    assert ledger.groups == ["a", "c"]
    assert ledger.window_sums(T0, [BUCKET_NS])[1].tolist() == [[1, 13]]


def test_what_came_more_than_an_hour_late_is_told():
    ledger = Ledger(ns("30d"))
    ledger.add([SliDelta("r", "a", T0 - ns("2d"), 1, 1)])
    ledger.advance(T0)
    assert ledger.late.tolist() == [0], "what was there at the beginning is history"
    ledger.add([SliDelta("r", "a", T0 - ns("2h"), 3, 4), SliDelta("r", "a", T0 - ns("1h"), 1, 2)])
    ledger.advance(T0)
    assert ledger.late.tolist() == [4]
