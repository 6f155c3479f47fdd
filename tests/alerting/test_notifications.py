"""What receivers are told, when, in which order, and how often, over the whole way from finding to delivery."""

from __future__ import annotations

import threading

import pytest

from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.routing import GroupTiming, Route, destinations
from alerting.silences import Silence
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import (
    DOWN,
    Recorder,
    at,
    diagnosis,
    finding,
    notification,
    outbox_rows,
    parse,
    run,
    set_up,
    undiagnosed,
)


def test_the_first_notification_leaves_within_the_tick_that_opens_the_incident(database):
    told = Recorder()
    alerting = set_up(database, told)
    alerting.apply([finding()], lambda _: diagnosis(tenant="acme"), at(0))
    report = alerting.deliver(at(0))
    assert report.delivered == 1
    (heard,) = told.heard
    assert (heard.reason, heard.phase, heard.incident["id"]) == ("opened", "firing", "INC-1")
    assert heard.runbook["first_step"].startswith("Open one of the failed requests")
    assert heard.evidence["budget"]["remaining"] == 0.5
    assert alerting.incident("INC-1")["timeline"][-1]["text"] == "Told oncall/recorder (opened)"


def test_one_opening_and_one_end_however_many_alerts_share_the_fault(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    findings = [finding(slo=slo) for slo in "abcdef"]
    run(alerting, findings, 0, 100)
    run(alerting, [], 100, 200)
    run(alerting, [], 200, 2000, every=100)
    assert told.reasons == ["opened", "resolved"]
    assert len(told.heard[0].alerts) == 6


def test_what_flaps_is_told_once_more_and_then_held_open(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    for cycle in range(12):
        run(alerting, [finding()], 300 * cycle, 300 * cycle + 100)
        run(alerting, [], 300 * cycle + 100, 300 * cycle + 300)
    assert told.reasons == ["opened", "resolved", "reopened"]
    run(alerting, [], 3600, 6000, every=50)
    assert told.reasons == ["opened", "resolved", "reopened", "resolved"]
    assert len(alerting.incidents()) == 1


def test_one_short_return_is_quiet_and_an_outage_that_returns_is_not(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 100)
    run(alerting, [], 100, 300)
    run(alerting, [finding()], 300, 340)
    run(alerting, [], 340, 700)
    assert told.reasons == ["opened", "resolved"]
    run(alerting, [finding()], 700, 1100)
    assert told.reasons == ["opened", "resolved", "reopened"]
    assert len(alerting.incidents()) == 1


def test_a_return_before_the_end_was_said_is_told(lite):
    """Otherwise a receiver that was down would hear "resolved" of what fires."""
    told = Recorder(answers=[Outcome("delivered"), DOWN, DOWN])
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 10)
    run(alerting, [], 10, 80)
    run(alerting, [finding()], 90, 110)
    run(alerting, [finding()], 110, 200)
    assert told.reasons[-1] == "reopened"
    assert told.heard[-1].phase == "firing"


def test_escalation_is_told_at_once_and_company_after_the_group_interval(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    ticket, page, other = finding(slo="a", severity="ticket"), finding(slo="b"), finding(slo="c")
    run(alerting, [ticket], 0, 20)
    run(alerting, [ticket, page], 20, 40)
    assert told.reasons == ["opened", "escalated"]
    run(alerting, [ticket, page, other], 40, 320)
    assert told.reasons == ["opened", "escalated"]
    run(alerting, [ticket, page, other], 320, 340)
    assert told.reasons == ["opened", "escalated", "updated"]


def test_a_clock_that_is_set_back_holds_up_no_page(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    one, two, elsewhere = finding(slo="a"), finding(slo="b"), finding(slo="c", service="search")
    run(alerting, [one], 0, 20)
    run(alerting, [one, two], -7200, -7180)
    assert told.reasons == ["opened", "updated"], "two hours are more than a group's interval, back too"
    told.answers = [DOWN]
    run(alerting, [one, two, elsewhere], -7180, -7170)
    run(alerting, [one, two, elsewhere], -10_800, -10_780)
    assert told.reasons == ["opened", "updated", "opened"], "a retry does not wait for the clock to catch up"


def test_reminders_state_the_budget_as_it_is_and_stop_when_acknowledged(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 10)
    now = finding(evidence={"budget": {"remaining": -0.2, "objective": 0.995}})
    run(alerting, [now], 4 * 3600, 4 * 3600 + 20)
    assert told.reasons == ["opened", "reminder"]
    assert told.heard[-1].evidence["budget"]["remaining"] == -0.2
    alerting.acknowledge("INC-1", "Ada", "", at(5 * 3600))
    run(alerting, [now], 9 * 3600, 9 * 3600 + 20)
    assert told.reasons == ["opened", "reminder"]


def test_a_suppressed_ticket_tells_nobody(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    page = finding("fast")
    run(alerting, [page, finding("slow", severity="ticket", suppressed_by=page.fingerprint)], 0, 1000, every=50)
    assert told.reasons == ["opened"]
    assert [alert["name"] for alert in told.heard[0].alerts] == ["fast"]


def test_a_silence_keeps_an_alert_from_everybody(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    chat = parse_matchers(["service=chat"])
    alerting.silences.put(Silence("", chat, at(0), at(60), "Ada", "maintenance", 0), at(0))
    run(alerting, [finding()], 0, 60)
    assert (told.heard, alerting.incidents()) == ([], [])
    run(alerting, [finding()], 60, 70)
    assert told.reasons == ["opened"]


def test_a_resolve_by_a_person_is_told_and_so_is_the_contradiction(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 10)
    alerting.resolve("INC-1", "Ada", "fixed", at(10))
    alerting.deliver(at(10))
    assert told.reasons == ["opened", "resolved"]
    assert told.heard[-1].alerts[0]["state"] == "resolved"
    run(alerting, [finding()], 20, 2000, every=30)
    assert told.reasons == ["opened", "resolved", "reopened"]


def test_without_receivers_incidents_open_all_the_same(lite):
    alerting = set_up(lite)
    run(alerting, [finding()], 0, 20)
    assert len(alerting.incidents()) == 1
    assert outbox_rows(lite) == []


def test_group_wait_holds_the_first_notification_back(lite):
    told = Recorder()
    route = Route("oncall", timing=GroupTiming(group_wait_ns=30 * NANOS))
    alerting = set_up(lite, told, route=route)
    run(alerting, [finding()], 0, 30)
    assert told.heard == []
    run(alerting, [finding()], 30, 40)
    assert told.reasons == ["opened"]


def test_who_does_not_want_to_hear_of_the_end_hears_of_the_return(lite):
    told = Recorder(send_resolved=False)
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 10)
    run(alerting, [], 10, 100)
    assert told.reasons == ["opened"]
    run(alerting, [finding()], 100, 500)
    assert told.reasons == ["opened", "reopened"]


def test_evaluations_and_people_at_the_same_time_lose_nothing(database):
    alerting = set_up(database, Recorder())
    alerting.apply([finding()], undiagnosed, at(0))
    errors = []

    def comment(author):
        try:
            for number in range(5):
                alerting.comment("INC-1", author, f"{number}", at(number))
                alerting.apply([finding(), finding(service=author, slo=author)], undiagnosed, at(number))
        except Exception as error:  # noqa: BLE001  (reported by the test's thread)
            errors.append(error)

    threads = [threading.Thread(target=comment, args=(f"author-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert sum(event["kind"] == "commented" for event in alerting.incident("INC-1")["timeline"]) == 20
    numbers = [incident["id"] for incident in alerting.incidents()]
    assert len(numbers) == len(set(numbers)) == 5


TREE = parse(
    {
        "receivers": [{"name": name, "webhook": {"url": "http://127.0.0.1/x"}} for name in ("all", "db", "tickets")],
        "route": {
            "receiver": "all",
            "group_by": ["slo"],
            "repeat_interval": "1h",
            "routes": [
                {"matchers": ['service="db"'], "receiver": "db", "continue": True, "group_by": []},
                {"matchers": ["severity=ticket"], "receiver": "tickets", "routes": [{"matchers": ["slo=~a.*"]}]},
                {"matchers": ["severity=ticket", "service=db"], "receiver": "all"},
            ],
        },
    }
).route


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"slo": "x", "severity": "page"}, [("all", '{}:{incident="INC-1", slo="x"}')]),
        ({"slo": "x", "severity": "page", "service": "db"}, [("db", '{}/{service="db"}:{incident="INC-1"}')]),
        (
            {"slo": 'a"b', "severity": "ticket", "service": "db"},
            [
                ("db", '{}/{service="db"}:{incident="INC-1"}'),
                ("tickets", r'{}/{severity="ticket"}/{slo=~"a.*"}:{incident="INC-1", slo="a\"b"}'),
            ],
        ),
        ({"severity": "ticket"}, [("tickets", '{}/{severity="ticket"}:{incident="INC-1"}')]),
    ],
)
def test_the_route_tree_is_alertmanagers(labels, expected):
    found = destinations(TREE, labels, "INC-1")
    assert [(destination.receiver, destination.key) for destination in found] == expected
    assert {destination.route.timing.repeat_interval_ns for destination in found} == {3600 * NANOS}


def test_tickets_and_pages_of_one_incident_go_their_own_ways(lite):
    oncall, tickets = Recorder("oncall"), Recorder("tickets")
    route = Route("oncall", routes=(Route("tickets", parse_matchers(["severity=ticket"])),))
    alerting = set_up(lite, oncall, tickets, route=route)
    ticket, page = finding(slo="a", severity="ticket"), finding(slo="b")
    run(alerting, [ticket], 0, 20)
    run(alerting, [ticket, page], 20, 40)
    run(alerting, [ticket], 40, 200)
    run(alerting, [], 200, 300)
    assert tickets.reasons == oncall.reasons == ["opened", "resolved"]
    assert [alert["labels"]["slo"] for alert in tickets.heard[0].alerts] == ["a"]
    assert len(alerting.incidents()) == 1


def test_a_notification_survives_its_storage():
    assert Notification.from_json(notification().to_json()) == notification()
