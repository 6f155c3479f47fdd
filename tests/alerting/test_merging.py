"""Incidents that people merge: everything goes on in the one, and receivers hear of the other's end under its key."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from alerting.receivers.pagerduty import event
from alerting.receivers.story import headline
from alerting.routing import Route
from alerting.tables import alerts as alerts_table
from storage.audit import load as load_audit
from telemetry.errors import ConflictError, NotFoundError, PayloadError
from telemetry.matchers import parse_matchers
from tests.alerting.makers import Recorder, at, diagnosis, finding, run, set_up, undiagnosed

CHAT, SEARCH = finding(), finding(slo="search-errors", service="search")


def two(database, *receivers, **settings):
    """Two open incidents, told."""
    alerting = set_up(database, *receivers, **settings)
    run(alerting, [CHAT, SEARCH], 0, 20)
    return alerting


def test_alerts_and_timeline_move_and_both_say_so(database):
    alerting = two(database, Recorder())
    alerting.comment("INC-2", "Bob", "looking", at(20))
    merged = alerting.merge("INC-2", "INC-1", "Ada", "one deploy", at(30))
    assert (merged["status"], merged["merged_into"], merged["alerts"]) == ("resolved", "INC-1", [])
    target = alerting.incident("INC-1")
    assert {alert["labels"]["service"] for alert in target["alerts"]} == {"chat", "search"}
    assert [(e["kind"], e["author"], e["origin"]) for e in target["timeline"] if e["kind"] != "notified"] == [
        ("opened", "tailwatch", None), ("opened", "tailwatch", "INC-2"), ("commented", "Bob", "INC-2"),
        ("merged", "Ada", None),
    ]  # fmt: skip
    assert (
        target["timeline"][-1]["text"] == "INC-2 is now part of this (search: errors-burn of search-errors): one deploy"
    )
    assert "| Merged into | INC-1 |" in alerting.postmortem("INC-2", [], at(40))
    source = [(e["kind"], e["origin"]) for e in alerting.incident("INC-2")["timeline"] if e["kind"] != "notified"]
    assert source == [("opened", None), ("commented", None), ("merged", None)]
    run(alerting, [], 40, 200)
    assert alerting.incident("INC-1")["status"] == "resolved"
    assert alerting.incident("INC-2")["resolved_at"] == at(30) / 1e9


def test_pagerdutys_alert_of_the_merged_one_resolves_and_the_targets_goes_on(lite):
    told = Recorder()
    alerting = two(lite, told)
    alerting.merge("INC-2", "INC-1", "Ada", "", at(30))
    run(alerting, [CHAT, SEARCH], 30, 400, every=30)
    run(alerting, [], 400, 600)
    sent = [(event(heard)["event_action"], event(heard)["dedup_key"]) for heard in told.heard]
    opened = {heard.incident["id"]: event(heard)["dedup_key"] for heard in told.heard if heard.reason == "opened"}
    assert sent == [
        ("trigger", opened["INC-1"]), ("trigger", opened["INC-2"]),
        ("resolve", opened["INC-2"]), ("trigger", opened["INC-1"]), ("resolve", opened["INC-1"]),
    ]  # fmt: skip
    assert [heard.reason for heard in told.heard] == ["opened", "opened", "resolved", "updated", "resolved"]
    assert headline(told.heard[2]) == "🔗 INC-2 was merged into INC-1: search: errors-burn of search-errors"


def test_who_was_told_of_the_merged_one_only_hears_of_the_target(lite):
    oncall, search = Recorder("oncall"), Recorder("search")
    route = Route("oncall", routes=(Route("search", parse_matchers(["service=search"])),))
    alerting = two(lite, oncall, search, route=route)
    alerting.merge("INC-2", "INC-1", "Ada", "", at(30))
    run(alerting, [CHAT, SEARCH], 30, 60)
    assert [(heard.incident["id"], heard.reason) for heard in search.heard] == [
        ("INC-2", "opened"), ("INC-2", "resolved"), ("INC-1", "opened"),
    ]  # fmt: skip
    assert [heard.reason for heard in oncall.heard] == ["opened"]


def test_an_alert_of_the_merged_ones_budget_joins_the_target(lite):
    alerting = two(lite)
    alerting.merge("INC-2", "INC-1", "Ada", "", at(30))
    later = finding("errors-slow", slo="search-errors", service="search", since=4000)
    alerting.apply([CHAT, SEARCH, later], undiagnosed, at(4000))
    assert len(alerting.incident("INC-1")["alerts"]) == 3
    assert len(alerting.incidents()) == 2


def test_the_page_and_the_known_cause_speak_for_the_two(lite):
    alerting = set_up(lite)
    ticket = finding(slo="cost", service="billing", severity="ticket")
    alerting.apply([ticket], undiagnosed, at(0))
    alerting.apply([ticket, CHAT], lambda found: diagnosis("bad-release", model_version="v3"), at(400))
    alerting.merge("INC-2", "INC-1", "Ada", "", at(410))
    target = alerting.incident("INC-1")
    assert (target["severity"], target["cause"], target["service"]) == ("page", "bad-release", "chat")
    assert "with a new release" in target["title"]


def test_the_same_alert_in_both_is_one_in_the_target(lite):
    alerting = set_up(lite)
    run(alerting, [CHAT], 0, 10)
    run(alerting, [], 10, 100)
    run(alerting, [finding(since=9000)], 9000, 9010)
    alerting.reopen("INC-1", "Ada", "", at(9010))
    alerting.merge("INC-2", "INC-1", "Ada", "", at(9020))
    (alert,) = alerting.incident("INC-1")["alerts"]
    assert alert["state"] == "firing"
    with lite.read() as connection:
        assert connection.execute(select(alerts_table.c.incident)).scalars().all() == [1]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("INC-1", "INC-1", "itself"),
        ("INC-2", "INC-1", "INC-2 was merged into INC-1"),
        ("INC-1", "INC-2", "INC-2 was merged into INC-1"),
        ("INC-3", "INC-1", "INC-3 is resolved"),
        ("INC-1", "INC-3", "INC-3 is resolved"),
    ],
)
def test_what_cannot_be_meant_is_refused(lite, one, other, said):
    alerting = set_up(lite)
    third = finding(slo="c", service="third")
    alerting.apply([CHAT, SEARCH, third], undiagnosed, at(0))
    alerting.merge("INC-2", "INC-1", "Ada", "", at(10))
    alerting.resolve("INC-3", "Ada", "", at(10))
    with pytest.raises(ConflictError, match=said):
        alerting.merge(one, other, "Ada", "", at(20))


def test_nobody_acts_on_a_merged_incident_but_may_still_say_something(lite):
    alerting = two(lite)
    alerting.merge("INC-2", "INC-1", "Ada", "", at(30))
    for act in (alerting.acknowledge, alerting.resolve, alerting.reopen, alerting.assign):
        with pytest.raises(ConflictError, match=r"INC-2 was merged into INC-1\. act on INC-1"):
            act("INC-2", "Ada", "Bob", at(40))
    alerting.comment("INC-2", "Ada", "for the record", at(40))
    with pytest.raises(NotFoundError):
        alerting.merge("INC-1", "INC-9", "Ada", "", at(40))
    with pytest.raises(PayloadError):
        alerting.merge("INC-1", "INC-2", " ", "", at(40))


def test_every_action_of_a_person_is_audited_with_who_may_and_who_says_so(database):
    alerting = two(database)
    alerting.acknowledge("INC-1", "Ada", "on it", at(1), actor="laptop")
    alerting.snooze("INC-1", "Ada", "", at(900), at(2), actor="laptop")
    alerting.assign("INC-1", "Ada", "Bob", at(3), actor="laptop")
    alerting.reclassify("INC-1", "Ada", "ticket", "nobody notices", at(4), actor="laptop")
    alerting.comment("INC-1", "Ada", "hm", at(5), actor="laptop")
    alerting.merge("INC-2", "INC-1", "Ada", "", at(6), actor="laptop")
    alerting.resolve("INC-1", "Ada", "", at(7), actor="laptop")
    alerting.reopen("INC-1", "Ada", "", at(8), actor="laptop")
    entries = load_audit(database)[::-1]
    assert [entry.action for entry in entries] == [
        f"incident.{verb}" for verb in
        ("acknowledge", "snooze", "assign", "reclassify", "comment", "merge", "resolve", "reopen")
    ]  # fmt: skip
    assert {(entry.actor, entry.detail["author"]) for entry in entries} == {("laptop", "Ada")}
    assert [entry.subject for entry in entries if entry.action == "incident.merge"] == ["INC-2"]


def test_the_severity_is_changed_by_people_and_by_the_next_page(lite):
    alerting = set_up(lite)
    alerting.apply([CHAT], undiagnosed, at(0))
    assert alerting.reclassify("INC-1", "Ada", "ticket", "staging only", at(1))["severity"] == "ticket"
    with pytest.raises(ConflictError, match="is a ticket already"):
        alerting.reclassify("INC-1", "Ada", "ticket", "", at(2))
    alerting.apply([CHAT, finding(slo="b")], undiagnosed, at(10))
    incident = alerting.incident("INC-1")
    assert incident["severity"] == "page"
    assert [(e["kind"], e["author"]) for e in incident["timeline"]][1:] == [
        ("reclassified", "Ada"), ("joined", "tailwatch"), ("escalated", "tailwatch"),
    ]  # fmt: skip
    assert incident["timeline"][1]["text"] == "Now a ticket, was a page: staging only"
