"""Recurring times: against days counted out by hand, and read from what people write."""

from __future__ import annotations

import calendar
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.time_intervals import (
    MONTHS,
    WEEKDAYS,
    TimeInterval,
    parse_clock_range,
    parse_days_of_month,
    parse_months,
    parse_weekdays,
    parse_years,
    parse_zone,
)
from telemetry.windows import NANOS


def moment(text, zone="UTC"):
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NANOS


def test_an_interval_without_conditions_always_holds():
    assert TimeInterval().contains(0)


@pytest.mark.parametrize(
    ("text", "inside"),
    [("08:59:59", False), ("09:00:00", True), ("16:59:59", True), ("17:00:00", False)],
)
def test_the_end_of_a_time_of_day_is_excluded(text, inside):
    interval = TimeInterval(times=(parse_clock_range("09:00", "17:00"),))
    assert interval.contains(moment(f"2026-03-04T{text}")) is inside


def test_24_00_is_the_end_of_the_day():
    assert TimeInterval(times=(parse_clock_range("20:00", "24:00"),)).contains(moment("2026-03-04T23:59:59"))


@pytest.mark.parametrize(
    ("days", "month", "expected"),
    [
        ("1:3", "2026-02", {1, 2, 3}),
        ("-3:-1", "2026-02", {26, 27, 28}),
        ("-3:-1", "2028-02", {27, 28, 29}),
        ("-1", "2026-04", {30}),
        ("28:31", "2026-02", {28}),
        ("30", "2026-02", set()),
        ("1:-1", "2026-02", set(range(1, 29))),
        ("-31:-30", "2026-02", set()),
    ],
)
def test_days_of_the_month_count_from_either_end(days, month, expected):
    interval = TimeInterval(days_of_month=(parse_days_of_month(days),))
    length = calendar.monthrange(int(month[:4]), int(month[5:]))[1]
    found = {day for day in range(1, length + 1) if interval.contains(moment(f"{month}-{day:02}T12:00:00"))}
    assert found == expected


def test_the_zone_decides_which_day_it_is():
    sundays = TimeInterval(weekdays=(parse_weekdays("sunday"),), zone="Pacific/Auckland")
    assert sundays.contains(moment("2026-03-08T00:30:00", "Pacific/Auckland"))
    assert not sundays.contains(moment("2026-03-08T23:30:00"))


def test_an_hour_that_daylight_saving_skips_is_not_missed_around_it():
    night = TimeInterval(times=(parse_clock_range("01:00", "04:00"),), zone="Europe/Berlin")
    start = moment("2026-03-29T00:00:00+00:00"[:19])  # 01:00 in Berlin; at 02:00 clocks go to 03:00
    held = [night.contains(start + minute * 60 * NANOS) for minute in range(180)]
    assert held == [True] * 120 + [False] * 60


@given(st.integers(631_152_000, 3_786_912_000), st.data())
def test_every_condition_must_hold(seconds, data):
    when = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    first = data.draw(st.integers(0, 6))
    last = data.draw(st.integers(first, 6))
    month = data.draw(st.sampled_from(MONTHS))
    year = data.draw(st.integers(1990, 2090))
    interval = TimeInterval(
        weekdays=(parse_weekdays(f"{WEEKDAYS[first]}:{WEEKDAYS[last]}"),),
        months=(parse_months(month),),
        years=(parse_years(f"{year}:2090"),),
    )
    days = [WEEKDAYS[number] for number in range(first, last + 1)]
    expected = (
        when.strftime("%A").lower() in days and when.strftime("%B").lower() == month and year <= when.year <= 2090
    )
    assert interval.contains(seconds * NANOS) is expected


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (parse_weekdays, "mo:fr", "'mo' is not one of sunday"),
        (parse_weekdays, "friday:monday", "ends before it begins"),
        (parse_months, "13", "out of range"),
        (parse_months, "febuary", "'febuary' is not one of january"),
        (parse_years, "26", "out of range"),
        (parse_days_of_month, "0:5", "is no range of days"),
        (parse_days_of_month, "65", "out of range"),
        (parse_days_of_month, "5:1", "ends before it begins"),
        (parse_days_of_month, "-1:-3", "ends before it begins"),
        (parse_days_of_month, "-1:1", "ends before it begins"),
        (parse_days_of_month, "1:2:3", "is no range of days"),
        (parse_zone, "Europe/Berln", "is not a time zone"),
        (parse_zone, "../etc/passwd", "is not a time zone"),
    ],
)
def test_what_cannot_be_meant_is_said(read, text, says):
    with pytest.raises(ValueError, match=says):
        read(text)


@pytest.mark.parametrize(("start", "end"), [("9:00", "17:00"), ("17:00", "09:00"), ("00:00", "24:01"), ("x", "y")])
def test_times_of_day_are_checked(start, end):
    with pytest.raises(ValueError, match="write"):
        parse_clock_range(start, end)
