"""A receiver that is down for an hour hears, once it is back, each group as it stands: one message, and no history."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from alerting.outcomes import Outcome
from alerting.routing import GroupTiming, Route
from alerting.service import Alerting
from telemetry.findings import Finding
from telemetry.matchers import parse_matchers
from tests.alerting.makers import Recorder, at, finding, run, set_up

BACK = 3600
CAP_S = 60
"""Seconds that an attempt waits at most for the next."""


@dataclass
class Down(Recorder):
    """Answers 503 until it is back."""

    refused: int = 0

    def send(self, notification, idempotency_key, now_ns):
        if now_ns < at(BACK):
            self.refused += 1
            return Outcome("transient", "answered 503")
        return super().send(notification, idempotency_key, now_ns)


def steady(service: str, start: float, end: float = 5000, **more: str) -> tuple[float, float, Finding]:
    """A condition that holds from ``start`` to ``end``."""
    return start, end, finding(slo=more.pop("slo", service), service=service, since=start, **more)


COURSE = [
    steady("goes-on", 0),
    steady("ends", 100, 400),
    steady("grows", 200), steady("grows", 450, slo="joins"),
    steady("worsens", 300, severity="ticket"), steady("worsens", 1500, severity="page", name="worse"),
    steady("splits", 500), steady("splits", 520, slo="apart"),
    *(steady("flaps", start, start + 100) for start in range(200, 2600, 300)),
    steady("is-reopened", 700), steady("is-resolved", 800, 4800), steady("is-late", 3400),
]  # fmt: skip
"""What holds when; the last of it changes more than a minute before the receiver is back."""


def between(alerting: Alerting, start: int, end: int) -> None:
    """Evaluate and deliver every half minute."""
    for second in range(start, end, 30):
        holding = [one for begins, ends, one in COURSE if begins <= second < ends]
        run(alerting, holding, second, second + 1)


def start(database, told: Recorder) -> Alerting:
    """One root, and what is about the SLO ``apart`` in a group of its own."""
    apart = Route("oncall", parse_matchers(["slo=apart"]), timing=GroupTiming())
    return set_up(database, told, route=Route("oncall", routes=(apart,), timing=GroupTiming()))


def incident_of(alerting: Alerting, service: str) -> str:
    (found,) = [one["id"] for one in alerting.incidents() if one["service"] == service]
    return found


def an_hour(database, told: Recorder) -> Alerting:
    """All of the course and what people do meanwhile; in the middle of it the service restarts."""
    alerting = start(database, told)
    between(alerting, 0, 1200)
    for service in ("is-reopened", "is-resolved"):
        alerting.resolve(incident_of(alerting, service), "Ada", "", at(1200))
    between(alerting, 1200, 1800)
    alerting = start(database, told)
    alerting.reopen(incident_of(alerting, "is-reopened"), "Ada", "", at(1800))
    between(alerting, 1800, 3100)
    # By itself it was opened again 30 min after its first end, since its alert goes on.
    alerting.resolve(incident_of(alerting, "is-resolved"), "Ada", "", at(3100))
    between(alerting, 3100, BACK)
    return alerting


def test_an_hour_of_incidents_is_one_message_a_group_of_how_it_stands(lite):
    told = Down()
    alerting = an_hour(lite, told)
    assert told.heard == []
    assert told.refused > 60, "it was tried all the time"
    between(alerting, BACK, BACK + CAP_S + 30)
    heard = {(one.incident["service"], "apart" in one.group_key): one for one in told.heard}
    assert len(told.heard) == len(heard), "one message a group"
    assert {name[0]: one.reason for name, one in heard.items()} == {
        "goes-on": "opened", "ends": "resolved", "grows": "updated", "worsens": "escalated", "splits": "opened",
        "flaps": "resolved", "is-reopened": "reopened", "is-resolved": "resolved", "is-late": "opened",
    }  # fmt: skip
    for (service, _), one in heard.items():
        now = alerting.incident(one.incident["id"])
        assert (one.phase == "resolved") == (now["status"] == "resolved"), service
        assert one.incident["severity"] == now["severity"], service
    firing = [
        {alert["labels"]["slo"] for alert in heard[name].alerts} for name in [("grows", False), ("splits", False)]
    ]
    assert firing == [{"grows", "joins"}, {"splits"}]
    left_out = [
        event
        for one in alerting.incidents()
        for event in alerting.incident(one["id"])["timeline"]
        if event["kind"] == "superseded"
    ]
    assert len(left_out) >= len(heard), "the history was left out, and the timelines say so"


def test_what_follows_comes_after_it_and_once(lite):
    told = Down()
    alerting = an_hour(lite, told)
    between(alerting, BACK, 7200)
    course = defaultdict(list)
    for one in told.heard:
        course[one.incident["service"], "apart" in one.group_key].append(one.phase)
    over = {"ends", "flaps", "is-resolved"}
    assert {name: phases for (name, _), phases in course.items() if name in over} == {
        name: ["resolved"] for name in over
    }
    assert all(phases == ["firing", "resolved"] for (name, _), phases in course.items() if name not in over)
    assert len(course) == 10
    assert len(set(told.keys)) == len(told.keys)
    assert alerting.health()[0].pending == 0
