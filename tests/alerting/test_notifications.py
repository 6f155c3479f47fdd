"""What receivers are told, when, in which order, and how often, over the whole way from finding to delivery."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from alerting import outbox as box
from alerting.delivery import Courier, DeliveryPolicy
from alerting.outcomes import Outcome
from alerting.routing import GroupTiming, Route, destinations
from alerting.silences import Silence
from alerting.tables import outbox
from telemetry.clock import ManualClock
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import T0, Recorder, at, diagnosis, finding, parse, run, set_up, undiagnosed

DOWN = Outcome("transient", "down")
GONE = Outcome("permanent", "gone")


def rows(database):
    with database.read() as connection:
        return connection.execute(select(outbox).order_by(outbox.c.id)).mappings().all()


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
    assert rows(lite) == []


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


def test_a_receiver_that_was_down_hears_the_present_truth_and_no_flood(database):
    down, up = Recorder("down", answers=[DOWN] * 500), Recorder("up")
    route = Route("down", routes=(Route("down", go_on=True), Route("up")))
    alerting = set_up(database, down, up, route=route)
    one, two, late = finding(slo="a"), finding(slo="b"), finding(slo="c", since=250)
    run(alerting, [one], 0, 30)
    run(alerting, [one, two], 30, 400)
    run(alerting, [one, two, late], 400, 800)
    run(alerting, [], 800, 900)
    assert up.reasons[0] == "opened"
    assert up.reasons[-1] == "resolved"
    assert down.heard == []
    down.answers.clear()
    run(alerting, [], 1000, 1200)
    assert down.reasons == ["resolved"]
    assert "superseded" in [event["kind"] for event in alerting.incident("INC-1")["timeline"]]


def test_a_receiver_that_was_down_and_wants_no_ends_hears_nothing_of_what_is_over(lite):
    told = Recorder(send_resolved=False, answers=[DOWN] * 100)
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 100)
    run(alerting, [], 100, 300)
    told.answers.clear()
    run(alerting, [], 300, 500)
    assert told.heard == []
    assert [row["status"] for row in rows(lite)] == ["superseded"]


def test_what_is_refused_is_given_up_and_said_and_the_next_is_tried(database):
    told = Recorder(answers=[GONE])
    alerting = set_up(database, told)
    run(alerting, [finding()], 0, 30)
    assert told.heard == []
    event = alerting.incident("INC-1")["timeline"][-1]
    assert (event["kind"], event["text"]) == ("undelivered", "oncall/recorder could not be told (opened): gone")
    assert alerting.health()[0].last_error == "gone"
    run(alerting, [], 30, 120)
    assert told.reasons == ["resolved"]
    assert alerting.health()[0].last_error is None


def test_retry_after_holds_back_everything_for_that_receiver_only(lite):
    patient, other = Recorder("patient", answers=[Outcome("transient", "429", 100.0)]), Recorder("other")
    route = Route("patient", routes=(Route("patient", go_on=True), Route("other")))
    alerting = set_up(lite, patient, other, route=route)
    run(alerting, [finding(), finding(service="search", slo="x")], 0, 100)
    assert len(patient.keys) == 1
    assert other.reasons == ["opened", "opened"]
    run(alerting, [finding(), finding(service="search", slo="x")], 100, 120)
    assert patient.reasons == ["opened", "opened"]


def test_a_message_that_always_fails_does_not_hold_up_other_incidents(lite):
    class Picky(Recorder):
        def send(self, notification, idempotency_key, now_ns):
            if notification.incident["service"] == "chat":
                return DOWN
            return super().send(notification, idempotency_key, now_ns)

    told = Picky()
    alerting = set_up(lite, told)
    run(alerting, [finding(), finding(service="search", slo="x")], 0, 30)
    assert [notification.incident["service"] for notification in told.heard] == ["search"]


def test_a_receiver_with_a_fault_inside_is_tried_again(lite):
    class Faulty(Recorder):
        def send(self, notification, idempotency_key, now_ns):
            raise KeyError(idempotency_key)

    alerting = set_up(lite, Faulty())
    run(alerting, [finding()], 0, 10)
    (row,) = rows(lite)
    assert (row["status"], row["attempts"], row["last_error"]) == (
        "pending", 1, "the receiver failed from within: KeyError",
    )  # fmt: skip


def test_a_slow_receiver_holds_up_itself_only(lite):
    entered, release = threading.Event(), threading.Event()

    class Slow(Recorder):
        def send(self, notification, idempotency_key, now_ns):
            entered.set()
            assert release.wait(20)
            return super().send(notification, idempotency_key, now_ns)

    slow, quick = Slow("slow"), Recorder("quick")
    route = Route("slow", routes=(Route("slow", go_on=True), Route("quick")))
    alerting = set_up(lite, slow, quick, route=route)
    alerting.apply([finding()], undiagnosed, at(0))
    first = threading.Thread(target=alerting.deliver, args=(at(0),))
    first.start()
    assert entered.wait(20)
    alerting.apply([finding(), finding(service="x", slo="x")], undiagnosed, at(1))
    alerting.deliver(at(1))  # returns, though the first pass still waits for the slow receiver
    assert "opened" in quick.reasons
    assert slow.heard == []
    release.set()
    first.join(20)
    alerting.deliver(at(2))
    assert slow.reasons == ["opened", "opened"]


def test_a_receiver_that_is_configured_no_longer_is_given_up(lite):
    run(set_up(lite, Recorder("old", answers=[DOWN])), [finding()], 0, 10)
    alerting = set_up(lite, Recorder("new"))
    alerting.deliver(at(299))
    assert [row["status"] for row in rows(lite)] == ["pending"], "a process that was configured later may know it"
    alerting.deliver(at(300))
    (row,) = rows(lite)
    assert (row["status"], row["last_error"]) == ("failed", "the receiver is no longer configured")


def test_a_lease_is_exclusive_runs_out_and_a_late_conclusion_still_counts(database):
    set_up(database, Recorder()).apply([finding()], undiagnosed, at(0))

    def lease(seconds):
        with database.write() as connection:
            return box.lease(connection, "oncall/recorder", at(seconds), 30 * NANOS, 60 * NANOS)

    first = lease(0)
    assert lease(29) is None
    second = lease(30)
    assert (first.idempotency_key, first.attempt) == (second.idempotency_key, 1)
    assert second.attempt == 2
    with database.write() as connection:  # the first holder reports a failure: the lease is not its any more
        box.conclude(connection, first, GONE, at(31), 0.0)
    assert rows(database)[0]["status"] == "pending"
    with database.write() as connection:  # or that it was delivered after all: a fact
        box.conclude(connection, first, Outcome("delivered"), at(32), 0.0)
    assert rows(database)[0]["status"] == "delivered"
    with database.write() as connection:
        box.conclude(connection, second, DOWN, at(33), 1.0)
    assert rows(database)[0]["status"] == "delivered"


def test_many_couriers_send_each_notification_once(database):
    told = Recorder()
    alerting = set_up(database, told)
    alerting.apply([finding(service=f"s{number}", slo=f"s{number}") for number in range(12)], undiagnosed, at(0))
    couriers = [Courier(database, [told], DeliveryPolicy(), ManualClock(T0)) for _ in range(4)]
    threads = [threading.Thread(target=courier.deliver, args=(at(0),)) for courier in couriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(told.keys) == len(set(told.keys)) == 12


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
