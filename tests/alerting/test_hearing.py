"""Who hears of an incident, and for everybody who does not, why: now, and in the timeline from when it began."""

from __future__ import annotations

import pytest

from alerting.inhibition import InhibitRule
from alerting.outcomes import Outcome
from alerting.routing import Escalation, GroupTiming, Route
from alerting.state import AlertTiming
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder, at, finding, run, set_up
from tests.alerting.test_mute import HOUR_FROM_NOW
from tests.alerting.test_quieting import ERRORS, SLOW, silence

MINUTE_NS = 60 * NANOS
DATE = "2023-11-14"


def hearing(alerting, second, incident="INC-1"):
    """State and text by receiver."""
    found = alerting.incident(incident, at(second))["hearing"]
    return {one["receiver"]: (one["state"], one["text"]) for one in found}


def oncall(alerting, second):
    return hearing(alerting, second)["oncall/recorder"]


def notes(alerting, kind, incident="INC-1"):
    return [one["text"] for one in alerting.incident(incident)["timeline"] if one["kind"] == kind]


def test_who_was_told_is_reminded_until_somebody_takes_it_on(database):
    alerting = set_up(database, Recorder())
    run(alerting, [ERRORS], 0, 20)
    assert oncall(alerting, 20) == ("told", "told; reminded at 2023-11-15 02:13:20 UTC")
    (found,) = alerting.incident("INC-1", at(20))["hearing"]
    assert (found["told_at"], found["next_at"]) == (at(0) / NANOS, at(14400) / NANOS)
    assert (found["group"], found["escalates"]) == ({"incident": "INC-1"}, False)
    alerting.snooze("INC-1", "Ada", "", at(600), at(30))
    assert oncall(alerting, 40) == ("snoozed", f"told; not reminded, as Ada has snoozed it until {DATE} 22:23:20 UTC")
    alerting.acknowledge("INC-1", "Ada", "", at(50))
    assert oncall(alerting, 60) == ("acknowledged", "told; not reminded, as Ada has acknowledged it")
    run(alerting, [], 60, 140)
    assert oncall(alerting, 140) == ("over", "told of its end")


def test_groups_wait_for_more_and_for_their_interval(lite):
    timing = GroupTiming(group_wait_ns=MINUTE_NS, group_interval_ns=5 * MINUTE_NS)
    alerting = set_up(lite, Recorder(), route=Route("oncall", timing=timing))
    run(alerting, [ERRORS], 0, 20)
    assert oncall(alerting, 20) == ("grouped", f"waits for more alerts until {DATE} 22:14:20 UTC (group_wait)")
    run(alerting, [ERRORS], 20, 80)
    run(alerting, [ERRORS, SLOW], 80, 100)
    assert oncall(alerting, 100) == ("grouped", f"told of further alerts at {DATE} 22:19:20 UTC (group_interval)")


def test_whose_route_is_muted_is_named_now_and_in_the_timeline(database):
    muted = Route("oncall", muted_in=(HOUR_FROM_NOW,))
    chat = Route("chat", parse_matchers(["tenant=globex"]))
    alerting = set_up(database, Recorder(), Recorder("chat"), route=Route("oncall", routes=(chat, muted)))
    run(alerting, [ERRORS, SLOW], 0, 20)
    found = hearing(alerting, 20)
    assert found["oncall/recorder"] == (
        "muted", f"muted until {DATE} 23:13:00 UTC (the next hour), and not told that it has opened"
    )  # fmt: skip
    assert found["chat/recorder"][0] == "told"
    assert notes(alerting, "muted") == [f"oncall not told: muted until {DATE} 23:13:00 UTC (the next hour)"]


def test_what_is_silenced_is_said_now_and_in_the_timeline(database):
    alerting = set_up(database, Recorder())
    run(alerting, [ERRORS, SLOW], 0, 20)
    made = alerting.silences.put(silence("service=chat"), at(20))
    run(alerting, [ERRORS, SLOW], 20, 60)
    by = f"silenced until {DATE} 23:13:20 UTC by Ada: new tokenizer (silence {made})"
    assert oncall(alerting, 60) == ("suppressed", f"2 of 2 alerts {by}")
    (note,) = notes(alerting, "suppressed")
    assert note in (
        f"errors-burn of request-errors, slow of request-errors are {by}",
        f"slow of request-errors, errors-burn of request-errors are {by}",
    )


def test_many_silenced_at_once_are_one_note(lite):
    alerting = set_up(lite, Recorder())
    some = [finding(f"a{number}") for number in range(9)]
    run(alerting, some, 0, 10)
    alerting.silences.put(silence("service=chat"), at(10))
    run(alerting, some, 10, 40)
    (note,) = notes(alerting, "suppressed")
    assert " and 6 more are silenced until" in note


def test_what_is_inhibited_is_said_now_and_in_the_timeline(lite):
    rule = InhibitRule(parse_matchers(["alertname=down"]), parse_matchers(["alertname!=down"]))
    alerting = set_up(lite, Recorder(), inhibit_rules=(rule,))
    run(alerting, [ERRORS], 0, 20)
    run(alerting, [ERRORS, finding("down", slo="db", service="db")], 20, 40)
    assert oncall(alerting, 40) == ("suppressed", "1 of 1 alert inhibited while down of db of INC-2 fires")
    assert notes(alerting, "suppressed") == ["errors-burn of request-errors is inhibited while down of db fires"]


def test_what_was_quiet_from_its_beginning_has_been_heard_by_nobody(lite):
    tickets = Route("tickets", parse_matchers(["severity=ticket"]))
    alerting = set_up(lite, Recorder(), Recorder("tickets"), route=Route("oncall", routes=(tickets,)))
    ticket = finding("slow", severity="ticket", suppressed_by=ERRORS.fingerprint)
    run(alerting, [ERRORS, ticket], 0, 20)
    assert hearing(alerting, 20)["tickets/recorder"] == (
        "suppressed", "1 of 1 alert inhibited while errors-burn of request-errors of INC-1 fires"
    )  # fmt: skip


def test_what_flaps_is_told_once_it_holds(lite):
    timing = AlertTiming(keep_firing_for_ns=0, renotify_after_ns=5 * MINUTE_NS)
    alerting = set_up(lite, Recorder(), timing=timing)
    run(alerting, [ERRORS], 0, 20)
    run(alerting, [], 20, 40)
    run(alerting, [ERRORS], 40, 60)
    text = f"fires again soon after its end: told at {DATE} 22:19:00 UTC if it holds"
    assert oncall(alerting, 60) == ("damped", text)
    (note,) = notes(alerting, "reopened")
    assert note.endswith("(so soon after its end that it is told only once it has held for 5m)")


def test_an_escalation_waits_until_somebody_has_had_time(lite):
    boss = Escalation("boss", 10 * MINUTE_NS)
    alerting = set_up(lite, Recorder(), Recorder("boss"), escalations=(boss,))
    run(alerting, [ERRORS], 0, 20)
    text = f"told at {DATE} 22:23:20 UTC unless somebody acknowledges it"
    assert hearing(alerting, 20)["boss/recorder"] == ("escalates", text)
    alerting.acknowledge("INC-1", "Ada", "", at(30))
    assert hearing(alerting, 700)["boss/recorder"] == ("acknowledged", "told only of what nobody acknowledges")


def test_who_could_not_be_told_says_why(database):
    refusals = [Outcome("transient", "answered 429", retry_after_s=90.0)]
    alerting = set_up(database, Recorder(answers=refusals))
    run(alerting, [ERRORS], 0, 5)
    run(alerting, [ERRORS, finding(slo="b", service="b")], 10, 15)
    state, text = oncall(alerting, 15)
    assert (state, text.partition(" ")[0]) == ("waiting", "tried")
    assert text.endswith("(opened); attempt 1 failed: answered 429")
    again = alerting.incident("INC-1", at(15))["hearing"][0]["next_at"]
    assert again >= at(90) / NANOS
    run(alerting, [ERRORS, finding(slo="b", service="b")], 200, 205)
    assert oncall(alerting, 205)[0] == "told"


def test_a_receiver_that_asks_for_a_pause_gets_it_for_everything(lite):
    refusals = [Outcome("transient", "answered 429", retry_after_s=90.0)]
    alerting = set_up(lite, Recorder(answers=refusals))
    other = finding(slo="b", service="b")
    run(alerting, [ERRORS, other], 0, 5)
    found = {hearing(alerting, 5, number)["oncall/recorder"] for number in ("INC-1", "INC-2")}
    paused = f"the receiver has asked for a pause until {DATE} 22:14:50 UTC (opened)"
    assert ("waiting", paused) in found
    assert len(found) == 2, "the other was tried"


def test_what_was_given_up_says_why(lite):
    alerting = set_up(lite, Recorder(answers=[Outcome("permanent", "channel_not_found")]))
    run(alerting, [ERRORS], 0, 20)
    assert oncall(alerting, 20) == ("failed", "given up (opened): channel_not_found")


@pytest.mark.parametrize("routed", [True, False])
def test_where_no_route_leads_nobody_hears(lite, routed):
    route = Route("oncall") if routed else None
    alerting = set_up(lite, *([Recorder(), Recorder("other")] if routed else []), route=route)
    run(alerting, [ERRORS], 0, 20)
    expected = {"other/recorder": ("unrouted", "no route of its alerts leads there")} if routed else {}
    found = hearing(alerting, 20)
    found.pop("oncall/recorder", None)
    assert found == expected


def test_who_went_on_in_another_incident_is_told_there(lite):
    alerting = set_up(lite, Recorder())
    run(alerting, [ERRORS, finding(slo="b", service="b")], 0, 20)
    alerting.merge("INC-2", "INC-1", "Ada", "", at(30))
    assert hearing(alerting, 40, "INC-2") == {}
    assert "hearing" not in alerting.incident("INC-1"), "of no moment"
