"""When a route is muted next, as the intervals themselves say minute by minute."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.mute_times import mute_documents
from alerting.mute_windows import Window, next_window
from alerting.time_intervals import NamedIntervals, TimeInterval
from telemetry.windows import NANOS
from tests.alerting.makers import parse

MINUTE = 60 * NANOS


def moment(text):
    return round(dt.datetime.fromisoformat(text).timestamp()) * NANOS


def named(*intervals):
    return NamedIntervals("x", intervals)


NIGHTS = named(
    TimeInterval(times=((20 * 60, 24 * 60), (0, 8 * 60)), zone="Europe/Berlin"),
)


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        ("2026-01-07T12:00+01:00", "2026-01-07T20:00+01:00", "2026-01-08T08:00+01:00"),
        ("2026-01-07T23:30+01:00", "2026-01-07T20:00+01:00", "2026-01-08T08:00+01:00"),
        ("2026-01-08T07:59+01:00", "2026-01-07T20:00+01:00", "2026-01-08T08:00+01:00"),
        ("2026-01-08T08:00+01:00", "2026-01-08T20:00+01:00", "2026-01-09T08:00+01:00"),
        ("2026-03-28T21:00+01:00", "2026-03-28T20:00+01:00", "2026-03-29T08:00+02:00"),
    ],
)
def test_a_night_is_one_window_also_when_the_clocks_change(now, start, end):
    assert next_window(NIGHTS, moment(now)) == Window(moment(start), moment(end))


def test_weekends_months_and_what_never_ends_or_never_comes():
    weekend = named(TimeInterval(weekdays=((6, 6), (0, 0))))
    assert next_window(weekend, moment("2026-01-07T12:00+00:00")) == Window(
        moment("2026-01-10T00:00+00:00"), moment("2026-01-12T00:00+00:00")
    )
    december = named(TimeInterval(months=((12, 12),), days_of_month=((-1, -1),)))
    assert next_window(december, moment("2026-01-07T12:00+00:00")).start_ns == moment("2026-12-31T00:00+00:00")
    assert next_window(named(TimeInterval()), moment("2026-01-07T12:00+00:00")).end_ns is None
    assert next_window(named(TimeInterval(years=((2030, 2030),))), moment("2026-01-07T12:00+00:00")) is None
    assert next_window(named(), 0) is None


ranges = st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda pair: pair[0] < pair[1])
intervals = st.builds(
    TimeInterval,
    times=st.lists(ranges.map(lambda pair: (60 * pair[0], 60 * pair[1])), max_size=2).map(tuple),
    weekdays=st.lists(st.integers(0, 6).map(lambda day: (day, day)), max_size=3).map(tuple),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(intervals, min_size=1, max_size=3), st.integers(0, 6 * 24 * 60))
def test_it_is_what_the_intervals_say_minute_by_minute(some, minute):
    """Through a week of January, in which no clock changes."""
    both = named(*some)
    now_ns = moment("2026-01-05T00:00+00:00") + minute * MINUTE
    window = next_window(both, now_ns)
    step = 60 * MINUTE
    hour_ns = now_ns - now_ns % step
    first = next((at for at in range(hour_ns, hour_ns + 8 * 24 * step, step) if both.contains(at)), None)
    if window is None:
        assert first is None
        return
    assert both.contains(now_ns) == (window.start_ns <= now_ns)
    assert first is not None
    assert max(window.start_ns, hour_ns) == first
    if window.end_ns is not None:
        assert not both.contains(window.end_ns)
        assert both.contains(window.end_ns - MINUTE)
        assert not both.contains(window.start_ns - MINUTE)
        assert all(both.contains(at) for at in range(window.start_ns, min(window.end_ns, now_ns + 9 * 24 * step), step))


def test_routes_say_what_mutes_them_and_what_they_are_limited_to():
    hours = {"name": "office", "time_intervals": [{"times": [{"start_time": "09:00", "end_time": "17:00"}]}]}
    nights = {"name": "nights", "time_intervals": [{"times": [{"start_time": "20:00", "end_time": "24:00"}]}]}
    config = parse(
        {
            "receivers": [{"name": "x", "slack": {"webhook_url_env": "X"}}],
            "time_intervals": [hours, nights, {**nights, "name": "unused"}],
            "route": {
                "receiver": "x",
                "routes": [
                    {"matchers": ["severity=ticket"], "active_time_intervals": ["office"]},
                    {"matchers": ["slo=cost"], "mute_time_intervals": ["nights"]},
                ],
            },
        }
    )
    at_noon = moment("2026-01-07T12:00+00:00")
    nightly, office = mute_documents(config, at_noon)
    assert (nightly["name"], nightly["effect"], nightly["holds"], nightly["quiet"]) == ("nights", "mutes", False, False)
    assert (nightly["starts"], nightly["ends"]) == (at_noon / NANOS + 8 * 3600, at_noon / NANOS + 12 * 3600)
    assert nightly["routes"] == [{"path": '{}/{slo="cost"}', "receiver": "x"}]
    assert (office["name"], office["effect"], office["holds"], office["quiet"]) == ("office", "only", True, False)
    assert mute_documents(parse({}), at_noon) == []
