"""What people do is delivered once it is stored, not at the next pass."""

from __future__ import annotations

from alerting.outcomes import Outcome
from alerting.routing import GroupTiming, Route
from alerting.service import Alerting
from telemetry.clock import ManualClock
from tests.alerting.makers import SHIPPED, T0, AlertingConfig, Recorder, at, finding, parse, undiagnosed


def prompt(database, config: AlertingConfig) -> Alerting:
    """Alerting whose deliverer comes when it is called, and at no other time."""
    alerting = Alerting(database, config, ManualClock(T0), SHIPPED, deliver_soon=lambda: alerting.deliver(at(60)))
    return alerting


def test_what_people_do_is_told_by_the_time_that_they_have_their_answer(lite):
    told = Recorder(answers=[Outcome("permanent", "no such channel")])
    alerting = prompt(lite, AlertingConfig(receivers=(told,), route=Route(told.name, timing=GroupTiming())))
    alerting.apply([finding(), finding(slo="x", service="search")], undiagnosed, at(0))
    alerting.comment("INC-1", "Ada", "mine", at(1))
    (lost,) = alerting.undelivered()
    assert told.reasons == ["opened"]
    alerting.retry_undelivered(lost["id"], "Ada", at(2), actor="ada")
    assert told.reasons == ["opened", "opened"]
    alerting.resolve("INC-1", "Ada", "", at(3))
    alerting.reopen("INC-1", "Ada", "", at(4))
    alerting.merge("INC-2", "INC-1", "Ada", "", at(5))
    assert told.reasons[2:] == ["resolved", "reopened", "resolved"]


def test_hooks_are_called_by_the_time_that_people_have_their_answer(lite, hook):
    action = {"name": "note", "on": ["acknowledge"], "url": hook.url, "body": "{}", "per_incident": 2}
    allowed = hook.url.removeprefix("http://").removesuffix("/hook")
    document = {"allow_private": ["127.0.0.0/8"], "hooks": {"allow": [allowed], "actions": [action]}}
    alerting = prompt(lite, parse(document))
    alerting.apply([finding()], undiagnosed, at(0))
    alerting.acknowledge("INC-1", "Ada", "", at(1))
    assert len(hook.requests) == 1
    alerting.run_hook("INC-1", "note", "Ada", "", at(2), actor="ada")
    assert len(hook.requests) == 2
