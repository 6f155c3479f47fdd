"""A Slack bot: threads, and what Slack means by an answer of 200."""

from __future__ import annotations

import json

import pytest

from alerting.receivers.slack_bot import SlackBotReceiver
from alerting.routing import Route
from alerting.secret_references import SecretReference
from tests.alerting.hook_server import status
from tests.alerting.makers import LOOPBACK, T0, finding, notification, parse, run, set_up


@pytest.fixture
def bot(hook, monkeypatch):
    monkeypatch.setenv("BOT", "xoxb-1")
    return SlackBotReceiver("oncall", SecretReference("env", "BOT"), "C042", url=hook.url, trust=LOOPBACK)


def said(ts):
    return status(200, json.dumps({"ok": True, "channel": "C042", "ts": ts}))


def test_what_follows_goes_into_the_thread_of_the_first_message(lite, hook, bot):
    hook.answers = [said("1.1"), said("1.2"), said("2.1")]
    alerting = set_up(lite, bot, route=Route("oncall"))
    run(alerting, [finding()], 0, 20)
    run(alerting, [], 20, 200)
    run(alerting, [finding(slo="other", service="other")], 200, 220)
    first, end, another = (request.document for request in hook.requests)
    assert (first["channel"], first.get("thread_ts")) == ("C042", None)
    assert (end["thread_ts"], end["reply_broadcast"]) == ("1.1", True)
    assert another.get("thread_ts") is None
    assert {request.headers["authorization"] for request in hook.requests} == {"Bearer xoxb-1"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ('{"ok": false, "error": "channel_not_found"}', "permanent"),
        ('{"ok": false, "error": "internal_error"}', "transient"),
        ('{"ok": false, "error": "token_revoked"}', "transient"),
        ('{"ok": true}', "transient"),
        ("<html>a proxy</html>", "transient"),
        ("[]", "transient"),
    ],
)
def test_an_answer_of_200_may_be_a_refusal(hook, bot, answer, kind):
    hook.otherwise = status(200, answer)
    outcome = bot.send(notification(), "idem", T0)
    assert outcome.kind == kind
    assert outcome.reason
    assert "xoxb" not in outcome.reason


def test_too_many_requests_are_waited_for(hook, bot):
    hook.otherwise = status(429, Retry_After="30")
    outcome = bot.send(notification(), "idem", T0)
    assert (outcome.kind, outcome.retry_after_s) == ("transient", 30.0)


def test_the_configuration():
    (receiver,) = parse({"receivers": [{"name": "x", "slack": {"bot_token_env": "BOT", "channel": "#a"}}]}).receivers
    assert receiver == SlackBotReceiver("x", SecretReference("env", "BOT"), "#a")
