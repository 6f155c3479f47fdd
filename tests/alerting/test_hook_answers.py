"""Hooks understand the answers, silences and faults of whom they call as receivers do: one contract for both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerting.hooks.caller import HookCaller, group_key
from alerting.receivers.trust import PUBLIC_ONLY
from tests.alerting.hook_makers import configured, open_incident, set_up
from tests.alerting.hook_server import HookServer, TlsHookServer, drip, silence, status
from tests.alerting.mail_server import make_certificate
from tests.alerting.makers import LOOPBACK, T0, notification
from tests.alerting.test_receivers import ANSWERS

SLICE = {"model_version": "v3"}


@pytest.fixture
def call(lite):
    """Make the call of a run that waits for it."""

    def call(server, *, url=None, trust=LOOPBACK, **changes):
        open_incident(set_up(lite, server, **changes))
        rules = configured(server, **changes).hooks
        (hook,) = rules.hooks
        allowed = rules if url is None else replace(rules, allow=(url.split("/")[2],))
        caller = HookCaller(hook if url is None else replace(hook, url=url), allowed, lite, trust)
        told = notification(group_key=group_key(1), incident={**notification().incident, "slice": SLICE})
        return caller.send(told, "0123456789abcdef", T0)

    return call


@pytest.mark.parametrize("case", ANSWERS)
def test_every_answer_is_understood(call, hook, case):
    hook.otherwise, kind, retry_after_s = ANSWERS[case]
    outcome = call(hook, timeout="5s")
    assert (outcome.kind, outcome.retry_after_s) == (kind, retry_after_s)
    assert len(hook.requests) == 1, "one attempt is one request"
    assert outcome.reason
    assert hook.url not in outcome.reason


@pytest.mark.parametrize(
    "answer", [silence, drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y")], ids=["silent", "slow headers"]
)
def test_who_does_not_answer_in_time_is_tried_again(call, hook, answer):
    hook.otherwise = answer
    outcome = call(hook, timeout="200ms")
    assert (outcome.kind, outcome.reason) == ("transient", "no answer within 0.2 s")


def test_whose_name_nobody_knows_is_tried_again(call, hook):
    outcome = call(hook, url="http://nobody.invalid/hook")
    assert (outcome.kind, outcome.reason) == (
        "transient", "could not be reached: the connection was refused or its name is unknown",
    )  # fmt: skip


def test_nobody_is_called_to_whom_an_answer_leads(call, hook):
    with HookServer() as elsewhere:
        hook.otherwise = status(308, Location=elsewhere.url)
        assert call(hook).kind == "permanent"
        assert elsewhere.requests == []


def test_whose_certificate_nobody_vouches_for_is_told_nothing_and_tried_again(call, tmp_path):
    with TlsHookServer(make_certificate(tmp_path)) as server:
        outcome = call(server, url=server.url.replace("http://127.0.0.1", "https://localhost"))
        assert (outcome.kind, outcome.reason) == (
            "transient", "could not be reached: TLS failed: its certificate is signed by itself",
        )  # fmt: skip
        assert server.requests == []


def test_who_is_not_public_is_called_only_where_that_is_allowed(call, hook):
    outcome = call(hook, trust=PUBLIC_ONLY)
    assert (outcome.kind, hook.requests) == ("transient", [])
    assert "write allow_private: [127.0.0.1]" in outcome.reason
