from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.clock import ManualClock, SystemClock
from telemetry.errors import DurationError
from telemetry.windows import BUCKET_NS, NANOS, bucket_start, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("30d", 2_592_000), ("4w", 2_419_200),
        ("1.5h", 5400), (" 2s ", 2), ("0", 0), ("0s", 0), (2, 2), (0.5, 0.5), ("1m500ms", 60.5),
    ],
)  # fmt: skip
def test_the_spellings(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == round(seconds * NANOS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "5 m",
        "5x",
        "-5m",
        "5m-",
        "1h,30m",
        "1e3s",
        "٣s",
        -1,
        True,
        math.nan,
        math.inf,
        "5M",
        "9" * 400 + "d",
    ],
)
def test_what_is_no_duration_is_refused_with_a_remedy(text: str | float) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert caught.value.remedy


@settings(max_examples=200, deadline=None)
@given(duration_ns=st.one_of(st.integers(0, 10**12), st.integers(0, 10**9).map(lambda count: count * 1_000_000)))
def test_a_formatted_duration_reads_back(duration_ns: int) -> None:
    assert parse_duration(format_duration(duration_ns)) == duration_ns


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"),
        (90 * 60 * NANOS, "1h30m"),
        (30 * 86400 * NANOS, "30d"),
        (1_000_000, "1ms"),
        (500_000, "0.5ms"),
        (1, "0.000001ms"),
    ],
)
def test_durations_are_written_shortest(duration_ns: int, text: str) -> None:
    assert format_duration(duration_ns) == text
    assert parse_duration(text) == duration_ns


@settings(max_examples=100, deadline=None)
@given(time_ns=st.integers(0, 2**62), width_ns=st.sampled_from([BUCKET_NS, 300 * NANOS, 7]))
def test_a_bucket_holds_its_time_and_is_aligned(time_ns: int, width_ns: int) -> None:
    start = bucket_start(time_ns, width_ns)
    assert start <= time_ns < start + width_ns
    assert start % width_ns == 0


def test_the_manual_clock_moves_only_by_hand() -> None:
    clock = ManualClock(5)
    assert (clock.now_ns(), clock.now_ns()) == (5, 5)
    assert clock.advance(0.5) == clock.now_ns() == 500_000_005


def test_the_system_clock_tells_nanoseconds_of_this_century() -> None:
    assert 1_600_000_000 * NANOS < SystemClock().now_ns() < 4_000_000_000 * NANOS
