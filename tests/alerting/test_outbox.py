"""How the outbox is emptied: receivers that are down, refuse, are slow or gone, and several who deliver."""

from __future__ import annotations

import threading

from alerting import outbox as box
from alerting.outcomes import Outcome
from alerting.routing import Route
from telemetry.windows import NANOS
from tests.alerting.makers import DOWN, Recorder, at, finding, outbox_rows, run, set_up, undiagnosed

GONE = Outcome("permanent", "gone")


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
    assert [row["status"] for row in outbox_rows(lite)] == ["superseded"]


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
    (row,) = outbox_rows(lite)
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
    assert [row["status"] for row in outbox_rows(lite)] == ["pending"], (
        "a process that was configured later may know it"
    )
    alerting.deliver(at(300))
    (row,) = outbox_rows(lite)
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
    assert outbox_rows(database)[0]["status"] == "pending"
    with database.write() as connection:  # or that it was delivered after all: a fact
        box.conclude(connection, first, Outcome("delivered"), at(32), 0.0)
    assert outbox_rows(database)[0]["status"] == "delivered"
    with database.write() as connection:
        box.conclude(connection, second, DOWN, at(33), 1.0)
    assert outbox_rows(database)[0]["status"] == "delivered"


def test_many_couriers_send_each_notification_once(database):
    told = Recorder()
    alerting = set_up(database, told)
    alerting.apply([finding(service=f"s{number}", slo=f"s{number}") for number in range(12)], undiagnosed, at(0))
    processes = [set_up(database, told) for _ in range(4)]
    threads = [threading.Thread(target=one.deliver, args=(at(0),)) for one in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(told.keys) == len(set(told.keys)) == 12
