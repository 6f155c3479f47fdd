"""What a receiver hears that could not be told at once: how things stand by then, and never the reverse of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerting.routing import Route
from tests.alerting.makers import DOWN, Recorder, at, diagnosis, finding, run, set_up, undiagnosed


def later(told):
    """From now on everything arrives."""
    told.answers.clear()
    return told


@pytest.fixture
def told():
    return Recorder(answers=[DOWN] * 100)


def test_the_diagnosis_that_came_meanwhile_is_told(database, told):
    alerting = set_up(database, told)
    run(alerting, [finding()], 0, 10)
    run(alerting, [finding()], 10, 20, diagnose=lambda _: diagnosis("bad-release", model_version="v3"))
    run(later(told) and alerting, [finding()], 40, 50)
    (heard,) = told.heard
    assert (heard.reason, heard.incident["cause"], heard.evidence["cause"]) == ("opened", "bad-release", "bad-release")
    assert heard.incident["slice"] == {"model_version": "v3"}
    assert heard.runbook["name"] == "bad-release"


def test_what_people_did_meanwhile_is_told(database, told):
    alerting = set_up(database, told)
    run(alerting, [finding()], 0, 10)
    alerting.acknowledge("INC-1", "Ada", "", at(5))
    run(later(told) and alerting, [finding()], 40, 50)
    assert [(one.reason, one.incident["status"]) for one in told.heard] == [("opened", "acknowledged")]


def test_who_joined_meanwhile_is_told_and_only_told_again_as_an_update(lite, told):
    alerting = set_up(lite, told)
    run(alerting, [finding(slo="a")], 0, 10)
    run(alerting, [finding(slo="a"), finding(slo="b")], 10, 20)
    run(later(told) and alerting, [finding(slo="a"), finding(slo="b")], 40, 50)
    assert [{alert["labels"]["slo"] for alert in one.alerts} for one in told.heard] == [{"a", "b"}]


def test_a_beginning_that_is_told_after_the_end_is_told_as_it_was(database, told):
    alerting = set_up(database, told)
    run(alerting, [finding()], 0, 10)
    alerting.resolve("INC-1", "Ada", "", at(12))
    run(alerting, [], 13, 14)
    alerting.deliver(at(20))
    later(told)
    alerting.deliver(at(55))
    alerting.deliver(at(56))
    opened, resolved = told.heard
    assert (opened.phase, opened.incident["status"], opened.incident["resolved_at"]) == ("firing", "open", None)
    assert [(alert["state"], alert["ends_at"]) for alert in opened.alerts] == [("firing", None)]
    assert (resolved.phase, resolved.incident["status"]) == ("resolved", "resolved")
    assert [alert["state"] for alert in resolved.alerts] == ["resolved"]


def test_an_end_that_is_told_after_the_return_is_told_as_it_was(database):
    told = Recorder()
    alerting = set_up(database, told)
    run(alerting, [finding()], 0, 10)
    told.answers.extend([DOWN] * 100)
    alerting.resolve("INC-1", "Ada", "", at(12))
    alerting.deliver(at(12))
    alerting.reopen("INC-1", "Ada", "", at(14))
    later(told)
    alerting.deliver(at(50))
    alerting.deliver(at(51))
    _, resolved, reopened = told.heard
    assert (resolved.phase, resolved.incident["status"]) == ("resolved", "resolved")
    assert resolved.incident["resolved_at"] == resolved.at == at(12) / 1e9
    assert [(alert["state"], alert["ends_at"]) for alert in resolved.alerts] == [("resolved", at(12) / 1e9)]
    assert (reopened.reason, reopened.incident["status"]) == ("reopened", "open")
    assert [(alert["state"], alert["ends_at"]) for alert in reopened.alerts] == [("firing", None)]


def test_a_merge_is_told_of_the_alerts_that_the_incident_had(database):
    told = Recorder()
    alerting = set_up(database, told)
    both = [finding(slo="a", service="chat"), finding(slo="b", service="search")]
    run(alerting, both, 0, 10)
    told.answers.extend([DOWN] * 2)
    alerting.merge("INC-2", "INC-1", "Ada", "", at(12))
    alerting.deliver(at(12))
    later(told)
    alerting.deliver(at(50))
    end = told.heard[-1]
    assert (end.reason, end.incident["id"], end.incident["merged_into"]) == ("resolved", "INC-2", "INC-1")
    assert [alert["labels"]["slo"] for alert in end.alerts] == ["b"]


def test_what_was_queued_by_routes_that_have_changed_is_still_told(lite, told):
    run(set_up(lite, told, route=Route("oncall", group_by=("slo",))), [finding()], 0, 10)
    alerting = set_up(lite, later(told))
    alerting.deliver(at(50))
    (heard,) = told.heard
    assert [alert["labels"]["slo"] for alert in heard.alerts] == ["request-errors"]
    assert heard.group_labels == {"incident": "INC-1"}


def test_another_process_is_seen_at_once(database):
    mine, theirs = Recorder("oncall"), Recorder("oncall")
    one, other = set_up(database, mine), set_up(database, theirs)
    run(one, [finding()], 0, 30)
    other.resolve("INC-1", "Ada", "", at(31))
    one.apply([finding()], undiagnosed, at(32))
    assert one.incident("INC-1")["status"] == "resolved", "it is not opened again at once"
    other.reopen("INC-1", "Ada", "", at(33))
    run(one, [], 40, 200)
    assert one.incident("INC-1")["status"] == "resolved"
    assert one.incident("INC-1")["timeline"][-2]["author"] == "tailwatch"


def test_the_evidence_of_the_incident_stays_as_it_was_diagnosed(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    first = finding(evidence={"budget": {"remaining": 0.5}})
    run(alerting, [first], 0, 10)
    spent = replace(first, evidence={"budget": {"remaining": 0.1}})
    run(alerting, [spent], 4 * 3600, 4 * 3600 + 10)
    assert [one.evidence["budget"]["remaining"] for one in told.heard] == [0.5, 0.1]
    assert alerting.incident("INC-1")["evidence"]["budget"]["remaining"] == 0.5
