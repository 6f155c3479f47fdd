"""Routes that tell nobody at certain times: what fires meanwhile is told afterwards, and an end is told at once."""

from __future__ import annotations

import datetime as dt

import pytest

from alerting.routing import Route
from alerting.time_intervals import NamedIntervals, TimeInterval
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import T0, Recorder, finding, run, set_up

START = dt.datetime.fromtimestamp(T0 // NANOS, tz=dt.UTC)
MINUTE = START.hour * 60 + START.minute
HOUR_FROM_NOW = NamedIntervals("the next hour", (TimeInterval(times=((MINUTE, MINUTE + 60),)),))
AFTER_THAT = NamedIntervals("afterwards", (TimeInterval(times=((MINUTE + 60, 24 * 60),)),))
TICKETS = parse_matchers(["severity=ticket"])


@pytest.fixture(params=["muted", "not active"])
def told(lite, request):
    oncall = Recorder("oncall")
    muted = {"muted_in": (HOUR_FROM_NOW,)} if request.param == "muted" else {"active_in": (AFTER_THAT,)}
    return oncall, set_up(lite, oncall, route=Route("oncall", routes=(Route("oncall", TICKETS, **muted),)))


TICKET = finding(severity="ticket")


def test_what_fires_meanwhile_is_told_afterwards(told):
    oncall, alerting = told
    run(alerting, [TICKET], 0, 3500, every=100)
    assert oncall.reasons == []
    run(alerting, [TICKET], 3500, 3800, every=100)
    assert oncall.reasons == ["opened"]


def test_what_ended_meanwhile_is_never_told(told):
    oncall, alerting = told
    run(alerting, [TICKET], 0, 300, every=100)
    run(alerting, [], 300, 4200, every=100)
    assert oncall.reasons == []


def test_other_routes_speak(told):
    oncall, alerting = told
    run(alerting, [finding(severity="page", slo="other")], 0, 100)
    assert oncall.reasons == ["opened"]


def test_who_was_told_of_the_beginning_is_told_of_the_end(lite):
    oncall = Recorder("oncall")
    in_five_minutes = NamedIntervals("soon", (TimeInterval(times=((MINUTE + 5, MINUTE + 60),)),))
    alerting = set_up(
        lite, oncall, route=Route("oncall", routes=(Route("oncall", TICKETS, muted_in=(in_five_minutes,)),))
    )
    run(alerting, [TICKET], 0, 600)
    run(alerting, [], 600, 900)
    assert oncall.reasons == ["opened", "resolved"]


def test_the_reason_names_the_interval():
    later = T0 + 3600 * NANOS
    assert Route("a", muted_in=(HOUR_FROM_NOW,)).mute_reason(T0) == "the next hour"
    assert Route("a", muted_in=(HOUR_FROM_NOW,)).mute_reason(later) is None
    assert Route("a", active_in=(AFTER_THAT,)).mute_reason(T0) == "outside of afterwards"
    assert Route("a", active_in=(AFTER_THAT,)).mute_reason(later) is None
