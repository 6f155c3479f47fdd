"""What Slack is told: facts, no mention and no link from any value, and never more than Slack takes."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.receivers.slack import SlackReceiver
from alerting.receivers.slack_message import MAX_BLOCKS, MAX_TOTAL, fit, message, size
from alerting.secret_references import SecretReference
from tests.alerting.makers import LOOPBACK, T0, notification


def test_slack_shows_facts_and_no_value_becomes_a_mention_or_a_link():
    sent = message(notification())
    text = json.dumps([sent["text"], sent["blocks"][1:]], ensure_ascii=False)  # the header is plain text
    for dangerous in ("<!channel>", "<@U1", "<http"):
        assert dangerous not in text
    blocks = message(notification())["blocks"]
    assert [block["type"] for block in blocks] == ["header", *["section"] * 5, "actions", "context"]
    assert blocks[0]["text"]["text"].startswith("🔴 Page INC-7")
    assert "Open a request." in text
    assert blocks[-2]["elements"][0]["url"].endswith("incident=INC-7")
    assert all(part.get("verbatim", True) for block in blocks for part in block.get("fields", ()))


def test_slack_without_an_address_of_the_dashboard_has_no_buttons():
    assert "actions" not in {block["type"] for block in message(notification(external_url=""))["blocks"]}


def test_a_slack_channel_is_passed_on(monkeypatch, hook):
    monkeypatch.setenv("TEST_HOOK", hook.url)
    receiver = SlackReceiver("x", SecretReference("env", "TEST_HOOK"), channel="#inference", trust=LOOPBACK)
    receiver.send(notification(), "k", T0)
    assert hook.requests[0].document["channel"] == "#inference"


texts = st.one_of(st.text(max_size=40), st.sampled_from(["<&>" * 3000, "é" * 20_000, "𝕏" * 5000, "\u202e\n# x", ""]))
entries = st.lists(
    st.dictionaries(
        st.sampled_from(
            ["dimension", "value", "bad", "total", "excess_share", "part", "before_s", "what", "text", "trace_id",
             "error_type", "duration_s", "field", "effect", "long", "factor"]
        ),
        st.one_of(texts, st.floats(), st.integers(), st.none(), st.booleans()),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_slacks_limits_hold_whatever_there_is_to_say(data):
    told = notification()
    names = ("attribution", "tail", "changes", "exemplars", "drift", "burn")
    evidence = {**told.evidence, "summary": data.draw(texts), **{name: data.draw(entries) for name in names}}
    labels = data.draw(st.dictionaries(texts, texts, max_size=4))
    incident = {**told.incident, "title": data.draw(texts), "slice": labels, "service": data.draw(texts)}
    step = {**told.runbook, "first_step": data.draw(texts), "title": data.draw(texts)}
    sent = message(notification(evidence=evidence, incident=incident, runbook=step))
    assert len(sent["text"]) <= 3000
    assert len(sent["blocks"]) <= 50
    total = 0
    for block in sent["blocks"]:
        for text, limit in _texts_of(block):
            assert 0 < len(text.encode("utf-16-le")) <= 2 * limit
            total += len(text)
    assert total <= 12_000
    assert size(sent["blocks"]) <= 12_000
    assert "<" not in json.dumps(sent["blocks"][1:])


def _texts_of(block):
    if block["type"] == "header":
        yield block["text"]["text"], 150
    elif "fields" in block:
        assert 0 < len(block["fields"]) <= 10
        yield from ((field["text"], 2000) for field in block["fields"])
    elif block["type"] == "section":
        yield block["text"]["text"], 3000
    elif block["type"] == "actions":
        yield from ((button["text"]["text"], 75) for button in block["elements"])
    else:
        yield from ((element["text"], 3000) for element in block["elements"])


def test_too_many_sections_give_way_and_the_frame_stays():
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2500}}
    frame = {"type": "context", "elements": [{"type": "mrkdwn", "text": "end"}]}
    kept = fit([section] * 80 + [frame])
    assert kept == [section] * (MAX_TOTAL // 2500) + [frame]
    assert len(fit([{**section, "text": {"type": "mrkdwn", "text": "x"}}] * 80)) == MAX_BLOCKS
