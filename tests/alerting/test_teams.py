"""What Teams is told: an Adaptive Card in which no value becomes markup, never larger than Teams takes."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.receivers.teams import MAX_BYTES, encode, message
from tests.alerting.makers import notification


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
    assert json.loads(encode(sent)) == sent
