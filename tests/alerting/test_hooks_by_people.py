"""What people say of response hooks: approval, denial, runs by hand, and the switches that stop them."""

from __future__ import annotations

import pytest

from alerting.receivers.story import story
from alerting.service import Alerting
from storage import audit
from telemetry.errors import ConflictError, NotFoundError
from tests.alerting import makers
from tests.alerting.hook_makers import (
    bad_release,
    configured,
    hook_events,
    open_incident,
    set_up,
    states,
)
from tests.alerting.hook_server import status
from tests.alerting.makers import at, diagnosis, finding


def test_a_person_approves_and_only_then_it_runs(lite, hook):
    alerting = set_up(lite, hook, approval=True)
    open_incident(alerting)
    alerting.deliver(at(1))
    assert (hook.requests, states(alerting)) == ([], ["waiting"])
    assert alerting.incident("INC-1")["hooks"][0]["waiting"] is True
    run = alerting.run_hook("INC-1", "rollback", "maria", "v3 is bad", at(5), actor="token-7")
    assert (run["state"], run["author"]) == ("queued", "maria")
    alerting.deliver(at(6))
    assert hook.requests[0].document["event"] == "by hand"
    assert states(alerting) == ["sent"]
    assert audit.load(lite, action="hook.approve")[0].actor == "token-7"
    with pytest.raises(ConflictError, match="as often as it may"):
        alerting.run_hook("INC-1", "rollback", "maria", "", at(7), actor="token-7")


WAITS = "Response hooks that wait for you"


def told_while_a_run_waits(database, hook) -> tuple[Alerting, makers.Recorder]:
    receiver = makers.Recorder()
    alerting = makers.set_up(database, receiver, hooks=configured(hook, approval=True).hooks)
    alerting.apply([finding()], bad_release(), at(0))
    alerting.deliver(at(1))
    (told,) = receiver.heard
    assert dict(story(told))[WAITS] == ["rollback: on the incident's page, or: tailwatch hooks run INC-1 rollback"]
    return alerting, receiver


def remind(alerting):
    alerting.apply([finding()], bad_release(), at(5 * 3600))
    alerting.deliver(at(5 * 3600))


def test_notifications_say_what_waits_for_approval_while_it_does(lite, hook):
    alerting, receiver = told_while_a_run_waits(lite, hook)
    alerting.run_hook("INC-1", "rollback", "maria", "", at(5), actor="x")
    remind(alerting)
    assert receiver.reasons == ["opened", "reminder"]
    assert WAITS not in dict(story(receiver.heard[-1]))


def test_what_nobody_approved_of_ends_with_the_incident(lite, hook):
    alerting, receiver = told_while_a_run_waits(lite, hook)
    alerting.resolve("INC-1", "maria", "", at(11))
    alerting.deliver(at(12))
    assert WAITS not in dict(story(receiver.heard[-1]))
    assert states(alerting) == ["refused"]
    assert "the incident ended before anybody approved of it" in hook_events(alerting)[-1]
    assert [entry.detail["state"] for entry in audit.load(lite, action="hook.run")] == ["refused", "waiting"]
    # What goes on again may be asked for again.
    alerting.reopen("INC-1", "maria", "", at(13))
    assert states(alerting) == ["refused", "waiting"]


def test_a_person_denies_and_it_does_not_run(lite, hook):
    alerting, receiver = told_while_a_run_waits(lite, hook)
    run = alerting.deny_hook("INC-1", "rollback", "maria", "v3 is fine", at(5), actor="token-7")
    assert (run["state"], run["note"]) == ("refused", "denied by maria: v3 is fine")
    assert alerting.incident("INC-1")["hook_runs"] == [run]
    remind(alerting)
    assert hook.requests == []
    assert receiver.reasons == ["opened", "reminder"]
    assert WAITS not in dict(story(receiver.heard[-1]))
    assert hook_events(alerting)[-1] == "Hook rollback denied: v3 is fine"
    (entry,) = audit.load(lite, action="hook.deny")
    assert (entry.actor, entry.subject) == ("token-7", "rollback")
    assert entry.detail == {"incident": "INC-1", "author": "maria", "comment": "v3 is fine"}
    with pytest.raises(ConflictError, match="no run of hook rollback waits for approval"):
        alerting.deny_hook("INC-1", "rollback", "maria", "", at(7), actor="x")
    with pytest.raises(NotFoundError, match="no hook 'nope'"):
        alerting.deny_hook("INC-1", "nope", "maria", "", at(7), actor="x")


def test_what_a_person_may_not_run(lite, hook):
    alerting = set_up(lite, hook, on=[], match=['cause="bad-release"'])
    open_incident(alerting, verdict=lambda _: diagnosis("slice-errors"))
    with pytest.raises(ConflictError, match="its match does not accept it"):
        alerting.run_hook("INC-1", "rollback", "maria", "", at(1), actor="x")
    with pytest.raises(NotFoundError, match="no hook 'nope'"):
        alerting.run_hook("INC-1", "nope", "maria", "", at(1), actor="x")
    alerting.resolve("INC-1", "maria", "", at(2))
    with pytest.raises(ConflictError, match="is resolved"):
        alerting.run_hook("INC-1", "rollback", "maria", "", at(3), actor="x")


@pytest.mark.parametrize("name", ["*", "rollback"])
def test_the_off_switch_stops_what_is_due_and_what_waits(lite, hook, name):
    hook.answers = [status(503)]
    alerting = set_up(lite, hook)
    open_incident(alerting)
    alerting.deliver(at(1))
    alerting.switch_hook(name, off=True, author="maria", comment="wrong host", now_ns=at(2), actor="token-7")
    alerting.deliver(at(60))
    assert len(hook.requests) == 1
    assert "switched off by maria: wrong host" in hook_events(alerting)[0]
    open_incident(alerting, 4000, service="other")
    alerting.deliver(at(4001))
    assert states(alerting, "INC-2") == ["refused"]
    assert [entry.action for entry in audit.load(lite, action="hook.off")] == ["hook.off"]
    found = alerting.switch_hook(name, off=False, author="maria", comment="", now_ns=at(5000), actor="token-7")
    assert found["hooks"][0]["stopped"] == ""
    open_incident(alerting, 9000, service="third")
    alerting.deliver(at(9001))
    assert states(alerting, "INC-3") == ["sent"]


def test_the_setting_stops_all_also_what_waits(lite, hook):
    hook.answers = [status(503)]
    alerting = set_up(lite, hook)
    open_incident(alerting)
    alerting.deliver(at(1))
    alerting.use(configured(hook, enabled=False))
    alerting.deliver(at(60))
    assert len(hook.requests) == 1
    assert "switched off in the configuration" in hook_events(alerting)[0]
