"""Calendar periods: against the clocks that people read, in zones of every kind, and over every odd day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.slo.calendar import UNITS, Calendar, Period, is_zone
from telemetry.windows import NANOS
from telemetry.windows import parse_duration as ns

HOUR = ns("1h")
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "America/St_Johns", "Asia/Kolkata",
    "Asia/Kathmandu", "Australia/Lord_Howe", "Australia/Adelaide", "Pacific/Chatham", "Pacific/Kiritimati",
    "Pacific/Pago_Pago", "Pacific/Apia", "America/Sao_Paulo", "America/Havana", "Africa/Cairo", "Asia/Beirut",
    "Africa/Casablanca", "America/Nuuk", "Asia/Tehran",
)  # fmt: skip
CALENDARS = st.builds(Calendar, st.sampled_from(UNITS), st.sampled_from(ZONES))
TIMES = st.integers(ns("730d"), 68 * ns("365d"))


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NANOS


def local(time_ns: int, zone: str) -> datetime:
    return datetime.fromtimestamp(time_ns // NANOS, UTC).astimezone(ZoneInfo(zone))


def first_day(calendar: Calendar, day: date) -> date:
    """The first day of the period of ``day``, by the rules of the calendar and no arithmetic on times."""
    starts = {
        "day": day,
        "week": day - timedelta(days=day.isocalendar().weekday - 1),
        "month": day.replace(day=1),
        "quarter": day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1),
        "year": day.replace(day=1, month=1),
    }
    return starts[calendar.unit]


@given(CALENDARS, TIMES)
def test_periods_follow_each_other_without_gap_or_overlap(calendar, time_ns):
    period = calendar.period(time_ns)
    assert period.start_ns <= time_ns < period.end_ns
    assert calendar.period(period.start_ns) == calendar.period(period.end_ns - 1) == period
    after = calendar.period(period.end_ns)
    assert after.start_ns == period.end_ns
    assert calendar.period(period.start_ns - 1).end_ns == period.start_ns
    assert period.end_ns - period.start_ns <= calendar.longest_ns


@given(CALENDARS, TIMES)
def test_a_period_begins_when_the_clocks_of_the_zone_first_show_its_first_day(calendar, time_ns):
    period = calendar.period(time_ns)
    begins, before = local(period.start_ns, calendar.timezone), local(period.start_ns - NANOS, calendar.timezone)
    assert before.date() < begins.date(), "a second earlier it was still the day before"
    assert first_day(calendar, begins.date()) == begins.date() or before.date() < first_day(calendar, begins.date())
    assert period.start_ns % ns("5m") == 0, "counts are folded to 5 min without a loss"


@given(CALENDARS, TIMES)
def test_every_moment_of_a_period_shows_a_day_of_it(calendar, time_ns):
    period = calendar.period(time_ns)
    day = first_day(calendar, local(time_ns, calendar.timezone).date())
    begins = first_day(calendar, local(period.start_ns, calendar.timezone).date())
    set_back = local(time_ns, calendar.timezone).fold == 1  # a day shown again after the next one has begun
    assert begins == day or (set_back and day < begins)


@pytest.mark.parametrize(
    ("unit", "zone", "inside", "start", "end", "hours"),
    [
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-29 00:00+01:00", "2026-03-30 00:00+02:00", 23),
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-25 00:00+02:00", "2026-10-26 00:00+01:00", 25),
        ("day", "Australia/Lord_Howe", "2026-04-05T12:00", "2026-04-05 00:00+11:00", "2026-04-06 00:00+10:30", 24.5),
        ("week", "America/New_York", "2026-03-08T23:59", "2026-03-02 00:00-05:00", "2026-03-09 00:00-04:00", 167),
        ("week", "UTC", "2026-01-01T00:00", "2025-12-29 00:00+00:00", "2026-01-05 00:00+00:00", 168),
        ("month", "UTC", "2028-02-29T12:00", "2028-02-01 00:00+00:00", "2028-03-01 00:00+00:00", 29 * 24),
        ("month", "UTC", "2100-02-28T12:00", "2100-02-01 00:00+00:00", "2100-03-01 00:00+00:00", 28 * 24),
        ("month", "Europe/Berlin", "2026-10-31T23:59", "2026-10-01 00:00+02:00", "2026-11-01 00:00+01:00", 745),
        ("quarter", "Asia/Kathmandu", "2026-02-14T00:00", "2026-01-01 00:00+05:45", "2026-04-01 00:00+05:45", 2160),
        ("year", "Asia/Kolkata", "2028-07-01T00:00", "2028-01-01 00:00+05:30", "2029-01-01 00:00+05:30", 366 * 24),
        # Clocks that go forward at midnight: the day begins at 01:00, and is an hour short.
        ("day", "Africa/Cairo", "2026-04-24T12:00", "2026-04-24 01:00+03:00", "2026-04-25 00:00+03:00", 23),
        # Midnight twice: the day begins with the first.
        ("day", "America/Havana", "2026-11-01T12:00", "2026-11-01 00:00-04:00", "2026-11-02 00:00-05:00", 25),
        # Samoa went without 30 December 2011.
        ("day", "Pacific/Apia", "2011-12-29T12:00", "2011-12-29 00:00-10:00", "2011-12-31 00:00+14:00", 24),
    ],
)
def test_periods_of_odd_length(unit, zone, inside, start, end, hours):
    period = Calendar(unit, zone).period(at(inside, zone))
    shown = [local(time_ns, zone).isoformat(" ", "minutes") for time_ns in (period.start_ns, period.end_ns)]
    assert shown == [start, end]
    assert (period.end_ns - period.start_ns) / HOUR == hours


def test_the_periods_of_a_range_and_the_boundaries_within_hours():
    start_ns, end_ns = at("2026-01-15"), at("2026-04-01")
    months = list(Calendar("month", "Asia/Kolkata").periods(start_ns, end_ns))
    assert [local(month.start_ns, "Asia/Kolkata").date().isoformat() for month in months] == [
        "2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01",
    ]  # fmt: skip
    splits = Calendar("month", "Asia/Kolkata").splits(start_ns, end_ns)
    assert [local(split, "UTC").isoformat() for split in splits] == [
        "2026-01-31T18:30:00+00:00", "2026-02-28T18:30:00+00:00", "2026-03-31T18:30:00+00:00",
    ]  # fmt: skip
    assert Calendar("month", "Europe/Berlin").splits(start_ns, end_ns) == []
    assert Calendar("day", "UTC").period(0) == Period(0, ns("1d"))


def test_what_is_a_zone():
    assert all(map(is_zone, ZONES))
    assert not any(map(is_zone, ("Europe/Bonn", "", "../etc/passwd", "localtime", "posix/UTC", "Europe", "a\0b")))
