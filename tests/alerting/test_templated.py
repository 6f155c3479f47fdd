"""Bodies of a user's own template: what they may say, and what happens when they fail."""

from __future__ import annotations

import pytest

from alerting.receivers.templated import TemplatedReceiver
from alerting.secret_references import SecretReference
from telemetry.errors import ConfigError
from tests.alerting.makers import LOOPBACK, T0, notification, parse

NTFY = "{{ headline }}\n{% for name, value in facts.items() %}{{ name }}: {{ value }}\n{% endfor %}{{ incident_url }}"


def test_a_text_with_headers_and_a_token(monkeypatch, hook):
    monkeypatch.setenv("NTFY_TOKEN", "tk")
    receiver = TemplatedReceiver(
        "x", hook.url, NTFY, "text/plain; charset=utf-8", {"X-Priority": "5"}, SecretReference("env", "NTFY_TOKEN"),
        trust=LOOPBACK,
    )  # fmt: skip
    assert receiver.send(notification(), "idem", T0).kind == "delivered"
    sent = hook.requests[0]
    assert sent.body.decode().splitlines()[0].startswith("🔴 Page INC-7")
    assert "Service: chat" in sent.body.decode()
    assert (sent.headers["x-priority"], sent.headers["authorization"]) == ("5", "Bearer tk")
    assert sent.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ no_such_thing }}", "UndefinedError: 'no_such_thing' is undefined"),
        ('{"text": "{{ incident.title }}', "its template failed: JSONDecodeError"),
        ("{{ ().__class__.__bases__ }}", "has no attribute '__class__'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% for _ in range(1000) %}{{ '" + 300 * "x" + "' }}{% endfor %}", "makes more than 262,144 characters"),
        ("{{ 'x' * 300000 }}", "* wants two numbers"),
    ],
)
def test_a_template_that_fails_is_given_up_and_says_why(hook, template, says):
    outcome = TemplatedReceiver("x", hook.url, template, trust=LOOPBACK).send(notification(), "idem", T0)
    assert outcome.kind == "permanent"
    assert says in outcome.reason
    assert hook.requests == []


def test_the_configuration():
    document = {
        "name": "x",
        "template": {"url": "https://ntfy.example.com/t", "body": NTFY, "content_type": "text/plain",
                     "headers": {"X-Title": "Tailwatch"}, "bearer_token_file": "token"},
    }  # fmt: skip
    (receiver,) = parse({"receivers": [document]}).receivers
    assert receiver == TemplatedReceiver(
        "x", "https://ntfy.example.com/t", NTFY, "text/plain", {"X-Title": "Tailwatch"},
        SecretReference("file", "/etc/tailwatch/token"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"body": "{% for %}"}, "this is not a template"),
        ({"headers": {"Authorization": "Bearer x"}}, "a header holds a secret"),
        ({"headers": {"Proxy-Authorization": "Basic x"}}, "a header holds a secret"),
        ({"headers": {"X-Hook-Secret": "x"}}, "a header holds a secret"),
        ({"headers": {"X\nY": "x"}}, "headers"),
        ({"url": None}, "exactly one of url, url_env, url_file is needed"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(change, says):
    template = {"url": "https://x.example.com", "body": "{}", **change}
    with pytest.raises(ConfigError) as error:
        parse({"receivers": [{"name": "x", "template": {k: v for k, v in template.items() if v is not None}}]})
    assert says in str(error.value)
    assert "Bearer x" not in str(error.value)
