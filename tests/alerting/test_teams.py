"""What Teams is told: an Adaptive Card in which no value becomes markup, never larger than Teams takes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.receivers.teams import MAX_BYTES, TeamsReceiver, encode, message
from alerting.secret_references import SecretReference
from tests.alerting.hook_server import status
from tests.alerting.makers import LOOPBACK, T0, notification


def card(told):
    sent = message(told)
    assert sent["type"] == "message"
    (attachment,) = sent["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    return attachment["content"]


def runs(found):
    return [run for block in found["body"] for run in block["inlines"]]


def test_it_says_what_and_where_and_what_to_do():
    found = card(notification())
    text = "".join(run["text"] for run in runs(found))
    assert text.startswith("🔴 Page INC-7")
    for part in ("Service: chat", "tenant = acme: 9 of 10 bad", "Open a request."):
        assert part in text
    assert found["actions"] == [
        {
            "type": "Action.OpenUrl", "title": "Open incident and runbook",
            "url": "https://tailwatch.example.com/incidents?incident=INC-7",
        }
    ]  # fmt: skip
    assert (found["type"], found["version"]) == ("AdaptiveCard", "1.4")


def test_text_stands_only_where_teams_does_not_read_markdown():
    found = card(notification())
    assert {block["type"] for block in found["body"]} == {"RichTextBlock"}
    assert {run["type"] for run in runs(found)} == {"TextRun"}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.text(min_size=1, max_size=300))
def test_teams_limit_holds(rows, value):
    evidence = {
        **notification().evidence,
        "summary": value * 20,
        "attribution": [{"dimension": value, "value": value}] * rows,
        "changes": [{"text": value * 5}] * rows,
    }
    runbook = {**notification().runbook, "first_step": value * 50}
    incident = {**notification().incident, "slice": {value: value * 10}, "service": value * 100}
    sent = message(notification(evidence=evidence, runbook=runbook, incident=incident))
    assert len(encode(sent)) <= MAX_BYTES
    assert len(encode(sent).decode().encode("utf-16-le")) <= MAX_BYTES, "as Teams counts"
    assert json.loads(encode(sent)) == sent


@pytest.mark.parametrize(("code", "kind"), [(429, "transient"), (503, "transient"), (413, "permanent")])
def test_an_answer_of_200_may_be_a_refusal(monkeypatch, hook, code, kind):
    monkeypatch.setenv("TEAMS", hook.url)
    failed = "Webhook message delivery failed with error"
    said = f"{failed}: Microsoft Teams endpoint returned HTTP error {code} with ContextId x"
    hook.answers = [status(200, said), status(200, "1"), status(202, "")]
    receiver = TeamsReceiver("x", SecretReference("env", "TEAMS"), trust=LOOPBACK)
    outcomes = [receiver.send(notification(), "k", T0) for _ in range(3)]
    assert [(one.kind, one.reason) for one in outcomes] == [
        (kind, f"answered {code}: Teams refused the message"), ("delivered", ""), ("delivered", ""),
    ]  # fmt: skip
