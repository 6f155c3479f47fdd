"""What is given up blocks nobody, says why, and can be tried again as long as nothing later has been told."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from alerting.outcomes import Outcome
from alerting.tables import outbox
from storage import audit
from telemetry.errors import ConflictError, NotFoundError
from tests.alerting.makers import Recorder, at, finding, run, set_up, undiagnosed

REFUSED = Outcome("permanent", "answered 400: invalid_blocks")


def retry(alerting, number=None, seconds=100.0):
    return alerting.retry_undelivered(number, "Ada", at(seconds), actor="ada-laptop")


def test_what_is_refused_is_listed_with_its_reason_and_told_when_tried_again(database):
    told = Recorder(answers=[REFUSED])
    alerting = set_up(database, told)
    run(alerting, [finding(), finding(slo="x", service="search")], 0, 20)
    assert [one.incident["service"] for one in told.heard] == ["search"], "it blocks nobody"
    (lost,) = alerting.undelivered()
    assert (lost["incident"], lost["receiver"], lost["reason"], lost["error"]) == (
        "INC-1", "oncall/recorder", "opened", "answered 400: invalid_blocks",
    )  # fmt: skip
    assert alerting.health()[0].undelivered == 1
    assert [one["id"] for one in retry(alerting, lost["id"])] == [lost["id"]]
    alerting.deliver(at(100))
    assert told.reasons == ["opened", "opened"]
    assert told.keys[0] == told.keys[-1], "it is the same notification"
    assert alerting.undelivered() == []
    assert "told again" in " ".join(event["text"] for event in alerting.incident("INC-1")["timeline"])
    (entry,) = audit.load(database, action="notification")
    assert (entry.actor, entry.action, entry.subject) == ("ada-laptop", "notification.retry", "INC-1")
    with pytest.raises(ConflictError, match="it was delivered"):
        retry(alerting, lost["id"])
    with pytest.raises(NotFoundError, match="no notification 4711"):
        retry(alerting, 4711)


def test_something_later_makes_good_what_was_given_up(lite):
    told = Recorder(answers=[REFUSED])
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 20)
    (lost,) = alerting.undelivered()
    run(alerting, [], 20, 120)
    assert told.reasons == ["resolved"]
    assert (alerting.undelivered(), alerting.health()[0].undelivered) == ([], 0)
    with pytest.raises(ConflictError, match="something later has been delivered"):
        retry(alerting, lost["id"], 200)


def test_what_cannot_be_read_is_given_up_and_what_follows_is_told(database):
    told = Recorder()
    alerting = set_up(database, told)
    alerting.apply([finding()], undiagnosed, at(0))
    with database.write() as connection:
        connection.execute(update(outbox).values(message='{"of": "a later version"}'))
    run(alerting, [finding(), finding(slo="x", service="search")], 10, 20)
    assert [one.incident["service"] for one in told.heard] == ["search"]
    (lost,) = alerting.undelivered()
    assert lost["error"] == "it cannot be read any more: TypeError"


def test_a_fault_of_our_own_is_given_up_after_some_attempts(lite):
    class Faulty(Recorder):
        def send(self, notification, idempotency_key, now_ns):
            if notification.reason == "opened":
                raise KeyError("what only this one lacks")
            return super().send(notification, idempotency_key, now_ns)

    told = Faulty()
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 200)
    (lost,) = alerting.undelivered()
    assert (lost["error"], lost["attempts"]) == ("the receiver failed from within: KeyError", 5)
    run(alerting, [], 200, 300)
    assert told.reasons == ["resolved"]


def test_all_are_tried_again_at_once(lite):
    told = Recorder(answers=[REFUSED] * 3)
    alerting = set_up(lite, told)
    run(alerting, [finding(slo=name, service=name) for name in "abc"], 0, 20)
    assert len(retry(alerting)) == 3
    alerting.deliver(at(100))
    assert told.reasons == ["opened"] * 3
    assert retry(alerting) == []
    with lite.read() as connection:
        assert set(connection.execute(select(outbox.c.status)).scalars()) == {"delivered"}
