"""What PagerDuty is told: one alert for a group of an incident, opened, changed and resolved under one key."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.receivers.pagerduty import MAX_SUMMARY, PagerDutyReceiver, dedup_key, event
from alerting.secret_references import SecretReference
from tests.alerting.makers import LOOPBACK, T0, notification, parse

KEY = "0" * 32


def test_a_page_triggers(monkeypatch, hook):
    monkeypatch.setenv("PD", KEY)
    PagerDutyReceiver("x", SecretReference("env", "PD"), hook.url, trust=LOOPBACK).send(notification(), "idem", T0)
    sent = hook.requests[0].document
    assert (sent["routing_key"], sent["event_action"]) == (KEY, "trigger")
    payload = sent["payload"]
    assert (payload["severity"], payload["source"], payload["component"], payload["class"]) == (
        "critical", "chat", "errors", "slice-errors",
    )  # fmt: skip
    assert payload["timestamp"] == "2023-11-14T22:13:20Z"
    assert payload["summary"].startswith("🔴 Page INC-7: errors")
    assert "Open a request." in json.dumps(payload["custom_details"])
    assert sent["links"] == [
        {"href": "https://tailwatch.example.com/incidents?incident=INC-7", "text": "Incident and runbook"}
    ]


def test_all_of_one_group_has_one_key_and_nothing_else_has():
    opened, ended = event(notification()), event(notification(phase="resolved", reason="resolved"))
    assert ended == {"event_action": "resolve", "dedup_key": opened["dedup_key"]}
    assert len(opened["dedup_key"]) <= 255
    others = [
        notification(group_key="{}:{}"),
        notification(external_url="https://another.example.com"),
        notification(incident={**notification().incident, "opened_at": 1.0}),
    ]
    assert len({dedup_key(one) for one in [notification(), *others]}) == 4


def test_a_ticket_is_a_warning_and_without_a_dashboard_there_are_no_links():
    told = event(notification(incident={**notification().incident, "severity": "ticket"}, external_url=""))
    assert told["payload"]["severity"] == "warning"
    assert "links" not in told


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=3000), st.text(max_size=3000))
def test_pagerdutys_limits_hold(title, service):
    told = event(notification(incident={**notification().incident, "title": title * 3, "service": service}))
    assert 0 < len(told["payload"]["summary"]) <= MAX_SUMMARY
    assert 0 < len(told["payload"]["source"]) <= 255
    assert len(json.dumps(told).encode()) < 512 * 1024


def test_an_event_stays_below_512_kb_whatever_there_is_to_say(monkeypatch, hook):
    """Everything at once, each value a megabyte of letters that take four bytes, and two hundred alerts."""
    monkeypatch.setenv("PD", KEY)
    told, long = notification(), "𝕏" * 250_000
    row = dict.fromkeys(
        ["dimension", "value", "part", "what", "text", "before", "after", "trace_id", "error_type", "field", "long"],
        long,
    )
    evidence = {name: [row] * 50 if isinstance(value, list) else value for name, value in told.evidence.items()}
    texts = dict.fromkeys(["title", "service", "slo", "cause"], long)
    huge = notification(
        incident={**told.incident, **texts, "slice": {f"{n}{long}": long for n in range(5)}},
        evidence={**evidence, "summary": long},
        alerts=[{**told.alerts[0], "name": f"{n}{long}", "labels": {long: long}} for n in range(200)],
        runbook={"name": long, "title": long, "first_step": long},
        hooks=[f"hook-{n:058}" for n in range(50)],
    )
    receiver = PagerDutyReceiver("x", SecretReference("env", "PD"), hook.url, trust=LOOPBACK)
    assert receiver.send(huge, "idem", T0).kind == "delivered"
    (sent,) = hook.requests
    assert 20_000 < len(sent.body) < 512 * 1024
    payload = sent.document["payload"]
    assert payload["summary"].startswith("🔴 Page INC-7: 𝕏")
    assert {"Service", "Where", "Burn rate", "Examples", "Alerts"} <= set(payload["custom_details"])


def test_the_configuration():
    document = {
        "name": "x",
        "pagerduty": {"routing_key_file": "key", "url": "https://events.eu.pagerduty.com/v2/enqueue"},
    }
    (receiver,) = parse({"receivers": [document]}).receivers
    assert receiver == PagerDutyReceiver(
        "x", SecretReference("file", "/etc/tailwatch/key"), "https://events.eu.pagerduty.com/v2/enqueue"
    )
