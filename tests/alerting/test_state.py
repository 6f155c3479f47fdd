"""The alert's state machine: its examples, and its promises over any course of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.state import LEGAL, AlertState, AlertTiming, step
from telemetry.windows import NANOS
from tests.alerting.makers import at, finding

TIMING = AlertTiming()
FOUND = finding()
QUIET = finding(severity="ticket", suppressed_by="0123456789abcdef")


def course(*entries, timing=TIMING):
    """States and events after each ``(seconds, finding or None)``."""
    state, told = AlertState(), []
    for seconds, found in entries:
        state, events = step(state, found, at(seconds), timing)
        told.append((state.status, *events))
    return state, told


def test_fires_at_once_and_resolves_only_after_a_minute_of_absence():
    _, told = course((0, FOUND), (10, None), (69, None), (70, None))
    assert told == [("firing", "fired"), ("firing",), ("firing",), ("resolved", "resolved")]


def test_absence_counts_from_the_first_evaluation_that_missed_it():
    _, told = course((0, FOUND), (3600, None), (3650, None), (3660, None))
    assert [status for status, *_ in told] == ["firing", "firing", "firing", "resolved"]


def test_a_gap_shorter_than_the_keeping_is_no_end():
    _, told = course((0, FOUND), (10, None), (50, FOUND), (60, None), (110, None))
    assert [events for _, *events in told] == [["fired"], [], [], [], []]


def test_pending_fires_when_it_has_held_and_is_cleared_when_it_has_not():
    timing = replace(TIMING, pending_for_ns=30 * NANOS)
    _, told = course((0, FOUND), (29, FOUND), (30, FOUND), timing=timing)
    assert told == [("pending", "pending"), ("pending",), ("firing", "fired")]
    _, told = course((0, FOUND), (29, None), timing=timing)
    assert told[-1] == ("inactive", "cleared")


def test_firing_again_soon_is_damped_and_speaks_up_once_it_lasts():
    state, told = course((0, FOUND), (10, None), (70, None), (100, FOUND))
    assert told[-1] == ("firing", "reopened")
    assert state.damped
    state, events = step(state, FOUND, at(399), TIMING)
    assert events == ()
    state, events = step(state, FOUND, at(400), TIMING)
    assert events == ("sustained",)
    assert state.loud


def test_nobody_waits_for_a_clock_that_was_set_back():
    hour = -3600
    _, told = course((0, FOUND), (10, None), (hour, None), (hour + 59, None), (hour + 60, None))
    assert [status for status, *_ in told] == ["firing", "firing", "firing", "firing", "resolved"]
    _, told = course((0, FOUND), (10, None), (70, None), (100, FOUND), (hour, FOUND), (hour + 299, FOUND))
    assert told[-3:] == [("firing", "reopened"), ("firing",), ("firing",)]
    timing = replace(TIMING, pending_for_ns=30 * NANOS)
    _, told = course((0, FOUND), (hour, FOUND), (hour + 30, FOUND), timing=timing)
    assert told[-1] == ("firing", "fired")


def test_firing_again_late_is_a_new_alert():
    state, told = course((0, FOUND), (10, None), (70, None), (70 + 1801, FOUND))
    assert told[-1] == ("firing", "fired")
    assert not state.damped


def test_an_ended_alert_is_forgotten_after_its_window():
    _, told = course((0, FOUND), (10, None), (70, None), (1870, None), (1871, None))
    assert told[-2:] == [("resolved",), ("inactive", "forgotten")]


def test_a_suppressed_alert_fires_when_nobody_suppresses_it_any_more():
    loud = replace(QUIET, suppressed_by=None)
    _, told = course((0, QUIET), (10, QUIET), (20, loud))
    assert told == [("suppressed", "suppressed"), ("suppressed",), ("firing", "fired")]


def test_a_suppressed_alert_that_never_fired_leaves_no_trace():
    state, told = course((0, QUIET), (10, None), (70, None))
    assert told[-1] == ("inactive", "cleared")
    assert state.fired_ns is None


def test_withdrawn_at_once():
    state, _ = step(AlertState(), FOUND, at(0), TIMING)
    state, events = step(state, None, at(1), TIMING, withdrawn=True)
    assert (state.status, events) == ("withdrawn", ("withdrawn",))


def test_somebody_else_may_suppress():
    state, events = step(AlertState(), FOUND, at(0), TIMING, suppressed=True)
    assert (state.status, events) == ("suppressed", ("suppressed",))


moments = st.lists(
    st.tuples(
        st.integers(min_value=-60, max_value=2500),
        st.sampled_from(["loud", "quiet", "absent", "withdrawn"]),
    ),
    max_size=40,
)


def seconds_up_to(limit):
    return st.integers(min_value=0, max_value=limit).map(lambda seconds: seconds * NANOS)


timings = st.builds(AlertTiming, *map(seconds_up_to, (120, 120, 3600, 600)))


@settings(max_examples=100, deadline=None)
@given(moments, timings)
def test_any_course_of_events_keeps_to_the_legal_states(entries, timing):
    state, now = AlertState(), 1000.0
    for seconds, what in entries:
        now += seconds  # clocks may step back
        held = FOUND if what in ("loud", "quiet") else None
        after, events = step(state, held, at(now), timing, suppressed=what == "quiet", withdrawn=what == "withdrawn")
        assert after.status in LEGAL[state.status]
        assert (after.status == state.status) or events, "a change of state is always told"
        assert len(events) <= 1
        assert after.status != "inactive" or (after.fired_ns is None and not after.damped)
        assert not after.damped or after.status == "firing"
        assert (after.held_since_ns is not None) == (held is not None)
        again, more = step(after, held, at(now), timing, suppressed=what == "quiet", withdrawn=what == "withdrawn")
        if not {"pending", "reopened"} & set(events):
            assert (again, more) == (after, ()), "an evaluation that is repeated changes nothing"
        state = after


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=120),
    st.sampled_from([0, 30, 60]),
    st.sampled_from([0, 60, 300]),
)
def test_no_page_is_lost(held, pending_s, renotify_s):
    """Whoever holds for longer than all the delays is loud, whatever came before."""
    timing = AlertTiming(pending_s * NANOS, 60 * NANOS, 1800 * NANOS, renotify_s * NANOS)
    state, streak = AlertState(), 0
    for tick, present in enumerate(held):
        state, _ = step(state, FOUND if present else None, at(10 * tick), timing)
        streak = streak + 1 if present else 0
        if 10 * (streak - 1) >= pending_s + renotify_s:
            assert state.loud
        if present and state.status == "firing" and not state.damped:
            assert state.fired_ns is not None


@pytest.mark.parametrize("gap", [0, 1, 59])
def test_resolving_takes_the_keeping_whatever_the_gap(gap):
    state, _ = course((0, FOUND), (5, None))
    state, _ = step(state, None, at(5 + gap), TIMING)
    assert state.status == "firing"


def test_what_flaps_is_soon_held_open():
    """Off for 90 s, on for 10 s, for two hours: with a minute's keeping alone it would end every time."""
    state, ends = AlertState(), 0
    for tick in range(720):
        state, events = step(state, FOUND if tick % 10 == 0 else None, at(10 * tick), TIMING)
        ends += "resolved" in events
    assert (ends, state.returns, state.status) == (1, 1, "firing")


@pytest.mark.parametrize(("returns", "kept_s"), [(0, 60), (1, 120), (4, 960), (5, 1800), (1000, 1800)])
def test_each_return_doubles_the_keeping_up_to_the_time_to_reopen(returns, kept_s):
    assert TIMING.keep_after_ns(returns) == kept_s * NANOS
    assert replace(TIMING, reopen_within_ns=0).keep_after_ns(returns) == 60 * NANOS


def test_an_alert_that_stays_away_begins_anew():
    state, _ = course((0, FOUND), (10, None), (70, None), (100, FOUND), (110, None), (230, None), (2100, FOUND))
    assert (state.returns, state.damped) == (0, False)
