"""Numbers and times as text."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (0.000042, "42 µs"),
        (0.00996, "9.96 ms"),
        (0.0852, "85.2 ms"),
        (0.4204, "420 ms"),
        (0.9996, "1 s"),
        (1.0, "1 s"),
        (1.4249, "1.42 s"),
        (59.97, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (86400 * 13 + 3600, "13 d 1 h"),
        (-1.5, "-1.5 s"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1.0, "100 %"),
        (0.999961, "99.9961 %"),
        (0.9999999, "99.9999 %"),
        (0.995, "99.5 %"),
        (0.98812, "98.81 %"),
    ],
)
def test_a_ratio_never_rounds_up_to_perfection(value: float | None, text: str) -> None:
    assert formats.ratio(value) == text


@given(st.floats(0, 1))
def test_a_ratio_below_one_never_reads_as_all(value: float) -> None:
    text = formats.ratio(value)
    assert text != "100 %" or value > 1 - 1e-7
    assert float(text.removesuffix(" %")) <= value * 100 + 1e-5


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.004, "0.00×"), (1, "1.00×"), (14.4, "14.4×"), (1000, "1,000×")],
)
def test_burn(value: float | None, text: str) -> None:
    assert formats.burn(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "$0.00"), (0.00042, "$0.00042"), (0.0123456, "$0.0123"), (0.5, "$0.5"), (1234.5, "$1,234.50")],
)
def test_money(value: float | None, text: str) -> None:
    assert formats.money(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (1240, "1,240"), (12_400, "12.4k"), (3_100_000, "3.1M"), (45.6, "45.6"), (2.5e9, "2.5G")],
)
def test_count(value: float | None, text: str) -> None:
    assert formats.count(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_every_number_has_a_short_text(value: float) -> None:
    for form in (formats.seconds, formats.percent, formats.burn, formats.money, formats.count):
        assert 0 < len(form(value)) < 32


@given(st.floats(min_value=1e-6, max_value=50))
def test_seconds_are_right_within_half_a_percent(value: float) -> None:
    number, unit = formats.seconds(value).split(" ")
    scale = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit]
    assert math.isclose(float(number) * scale, value, rel_tol=0.006) or value < 1e-4


def test_measures_have_their_units() -> None:
    assert formats.measured("ttft", 0.31) == "310 ms"
    assert formats.measured("cost", 0.0008) == "$0.0008"
    assert formats.measured("confidence", 0.82) == "0.820"
    assert formats.measured("tokens_in", 812) == "812"
    assert formats.measured("confidence", None) == "–"


def test_windows() -> None:
    assert [formats.window(s) for s in (2592000, 3600, 90, None)] == ["30 d", "1 h", "1 min 30 s", "calendar"]


def test_the_days_of_a_calendar_period() -> None:
    def days(start: str, end: str, name: str) -> str:
        tz = ZoneInfo(name)
        times = [datetime.fromisoformat(text).replace(tzinfo=tz).timestamp() for text in (start, end)]
        return formats.days(*times, name)

    assert days("2026-10-01", "2026-11-01", "Europe/Berlin") == "1 Oct to 31 Oct 2026"
    assert days("2025-12-29", "2026-01-05", "Asia/Kathmandu") == "29 Dec 2025 to 4 Jan 2026"
    assert days("2026-03-29", "2026-03-30", "Europe/Berlin") == "29 Mar 2026"
    assert formats.calendar_window("month", "Europe/Berlin") == "calendar month, Europe/Berlin"


def test_a_time_names_its_day_only_when_it_is_another() -> None:
    noon = 1_790_000_000 - 1_790_000_000 % 86400 + 43200
    assert formats.clock(noon, UTC, noon + 60) == "12:00:00"
    assert formats.clock(noon - 86400, UTC, noon).endswith("12:00:00")
    assert len(formats.clock(noon - 86400, UTC, noon)) > 8
    assert formats.clock(noon, timezone(timedelta(hours=2)), noon) == "14:00:00"
    assert formats.clock(noon + 0.25, UTC, noon, exact=True) == "12:00:00.250"
    assert formats.clock(None, UTC) == "–"


def test_ages() -> None:
    assert [formats.ago(then, 10_000) for then in (None, 10_000, 9_960, 2_500)] == [
        "–",
        "just now",
        "40 s ago",
        "2 h 5 min ago",
    ]


def test_an_unknown_time_zone_is_utc() -> None:
    assert formats.zone("Europe/Berlin").utcoffset(None) is None
    assert str(formats.zone("Europe/Berlin")) == "Europe/Berlin"
    for name in (None, "", "Middle/Earth", "../etc/passwd"):
        assert formats.zone(name) is UTC


def test_labels_have_a_stable_order() -> None:
    assert formats.labels({"b": "2", "a": "1"}) == "a=1, b=2"
    assert formats.p_value(0.00002) == "< 0.0001"
    assert formats.p_value(0.0123) == "0.012"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (840, "840 B"),
        (12_400, "12.4 kB"),
        (1e6, "1 MB"),
        (3.14159e9, "3.14 GB"),
        (5e13, "50 TB"),
    ],
)
def test_sizes(number: float | None, text: str) -> None:
    assert formats.size(number) == text
