"""A receiver that is told in several ways of one kind: each in its own order, whatever becomes of the others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from alerting.hindsight import noise_report
from alerting.receivers.slack_bot import SlackBotReceiver
from alerting.receivers.webhook import WebhookReceiver
from alerting.service import Alerting
from telemetry.clock import ManualClock
from telemetry.errors import ConfigError
from tests.alerting.hook_server import HookServer, silence, status
from tests.alerting.makers import SHIPPED, T0, at, finding, outbox_rows, parse, run


@pytest.fixture
def other():
    with HookServer() as server:
        yield server


def telling(database, receiver, **more):
    config = parse({"receivers": [{"name": "oncall", **receiver}], "allow_private": ["127.0.0.1"], **more})
    return Alerting(database, config, ManualClock(T0), SHIPPED)


def webhooks(*servers):
    return {"webhook": [{"url": server.url, "format": "tailwatch"} for server in servers]}


def reasons(server):
    return [request.document["reason"] for request in server.requests]


def keys(server):
    return [request.headers["idempotency-key"] for request in server.requests]


def test_one_alone_is_what_it_was_and_each_further_one_is_told_apart_by_its_place_or_by_its_id():
    one = {"url": "http://a.example/"}
    alone = parse({"receivers": [{"name": "x", "webhook": one}]}).receivers
    assert alone == parse({"receivers": [{"name": "x", "webhook": [one]}]}).receivers == (
        WebhookReceiver("x", "http://a.example/"),
    )  # fmt: skip
    mixed = [{**one, "send_resolved": False}, {**one, "id": "audit"}, {**one, "format": "tailwatch"}]
    several = parse({"receivers": [{"name": "x", "webhook": mixed, "slack": {"webhook_url_env": "X"}}]})
    assert {receiver.id: receiver.send_resolved for receiver in several.receivers} == {
        "x/slack": True, "x/webhook": False, "x/webhook/audit": True, "x/webhook/3": True,
    }  # fmt: skip
    assert several.receiver_names == ("x",)


WRONG = [
    ([{"url": "http://a/", "id": "b"}, {"url": "http://a/", "id": "b"}], "receivers[0]: two of webhook: have the id"),
    ([{"url": "http://a/", "id": "2"}], "receivers[0].webhook[0].id: this name has characters that cannot be in one"),
    ([{"url": "http://a/"}, {"url": "ftp://b"}], "receivers[0].webhook[1].url: this is not a URL"),
    ([{"url": "http://a/"}, 3], "receivers[0].webhook[1]: this is not a mapping"),
    ([], "receivers[0]: this receiver has nothing below webhook:"),
    ({"url": "ftp://b"}, "receivers[0].webhook.url: this is not a URL"),
]


@pytest.mark.parametrize(("ways", "sentence"), WRONG, ids=[sentence[13:50] for _, sentence in WRONG])
def test_what_is_wrong_with_one_of_them_is_said_of_that_one(ways, sentence):
    with pytest.raises(ConfigError) as caught:
        parse({"receivers": [{"name": "x", "webhook": ways}]})
    assert sentence in str(caught.value)


@pytest.mark.parametrize("trouble", [status(503), status(429, Retry_After="600"), silence], ids=["503", "429", "hangs"])
def test_who_is_down_holds_up_nobody_beside_it_and_hears_what_is_still_true(lite, hook, other, trouble):
    alerting = telling(lite, webhooks(hook, other))
    patient, other_one = alerting.config.receivers
    if trouble is silence:
        impatient = replace(patient, deadline_s=0.2)
        alerting.use(replace(alerting.config, receivers=(impatient, other_one)))
    hook.otherwise = trouble
    run(alerting, [finding(severity="ticket")], 0, 20)
    run(alerting, [finding(severity="ticket"), finding("worse")], 20, 60)
    run(alerting, [], 60, 300)
    assert reasons(other) == ["opened", "escalated", "resolved"], "in order, and once each"
    down, well = alerting.health()
    assert (down.receiver, well.receiver) == ("oncall/webhook", "oncall/webhook/2")
    assert (well.pending, well.last_error) == (0, None)
    assert down.pending > 0
    assert down.last_error
    failed = len(hook.requests)
    assert set(keys(hook)).isdisjoint(keys(other)), "each notification of each has a key of its own"
    hook.otherwise = status(200)
    alerting.use(replace(alerting.config, receivers=(patient, other_one)))
    run(alerting, [], 1000, 1100)
    assert reasons(hook)[failed:] == ["resolved"], "the rest has been overtaken"
    assert reasons(other) == ["opened", "escalated", "resolved"]
    assert {one.pending for one in alerting.health()} == {0}


def test_what_one_refuses_is_a_dead_letter_of_that_one_and_is_tried_again_there_only(lite, hook, other):
    hook.answers = [status(400, "who are you")]
    alerting = telling(lite, webhooks(other, hook))
    run(alerting, [finding()], 0, 20)
    (lost,) = alerting.undelivered()
    assert (lost["receiver"], lost["error"]) == ("oncall/webhook/2", "answered 400: who are you")
    assert [one.undelivered for one in alerting.health()] == [0, 1]
    alerting.retry_undelivered(lost["id"], "Ada", at(30), actor="ada")
    alerting.deliver(at(30))
    assert (reasons(hook), reasons(other)) == (["opened", "opened"], ["opened"])
    assert keys(hook)[0] == keys(hook)[1], "it is the same notification"


def test_noise_is_counted_for_each_and_held_against_the_budget_of_their_receiver(lite, hook, other):
    hook.otherwise = status(400)
    budget = {"receiver": "oncall", "pages_per_day": 0}
    alerting = telling(lite, webhooks(hook, other), noise_budgets=[budget])
    run(alerting, [finding()], 0, 20)
    report = noise_report(lite, alerting.config, at(-10), at(100))
    assert {one.receiver: (one.pages, one.over) for one in report.receivers} == {
        "oncall/webhook": (0, False), "oncall/webhook/2": (1, True),
    }  # fmt: skip


def test_each_bot_goes_on_in_its_own_thread_also_in_another_channel_of_one_team(lite, hook, other, monkeypatch):
    monkeypatch.setenv("BOT", "xoxb-1")
    channels = {"slack": [{"bot_token_env": "BOT", "channel": name, "id": name} for name in ("pages", "audit")]}
    alerting = telling(lite, channels)
    servers = {"pages": hook, "audit": other}
    bots = [one for one in alerting.config.receivers if isinstance(one, SlackBotReceiver)]
    assert [one.id for one in bots] == ["oncall/slack/pages", "oncall/slack/audit"]
    here = tuple(replace(one, url=servers[one.channel].url) for one in bots)
    alerting.use(replace(alerting.config, receivers=here))
    for server, ts in ((hook, "1.1"), (other, "7.7")):
        server.otherwise = status(200, json.dumps({"ok": True, "ts": ts}))
    run(alerting, [finding()], 0, 20)
    run(alerting, [], 20, 200)
    for channel, ts in (("pages", "1.1"), ("audit", "7.7")):
        first, end = (request.document for request in servers[channel].requests)
        assert (first["channel"], first.get("thread_ts"), end["thread_ts"]) == (channel, None, ts)


def test_each_service_of_pagerduty_has_an_alert_that_begins_and_ends_under_its_own_key(lite, hook, monkeypatch):
    for name in ("ONE", "TWO"):
        monkeypatch.setenv(name, name)
    services = [{"routing_key_env": "ONE", "url": hook.url}, {"routing_key_env": "TWO", "url": hook.url}]
    alerting = telling(lite, {"pagerduty": services})
    run(alerting, [finding()], 0, 20)
    run(alerting, [], 20, 200)
    told = [request.document for request in hook.requests]
    for key in ("ONE", "TWO"):
        mine = [event for event in told if event["routing_key"] == key]
        assert [event["event_action"] for event in mine] == ["trigger", "resolve"]
        assert len({event["dedup_key"] for event in mine}) == 1


def key_before(incident, opened_ns, group, sequence):
    """As it was made when a receiver could be told in one way of a kind only."""
    identity = f"{incident}|{opened_ns}|oncall/webhook|{group}|{sequence}"
    return hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()


def test_what_was_stored_before_there_were_several_is_told_once_under_its_key_and_nothing_is_lost(
    database, hook, other
):
    one = {"url": hook.url, "format": "tailwatch"}
    before = telling(database, {"webhook": one})
    run(before, [finding(slo="told", service="told")], 0, 10)
    hook.otherwise = status(503)
    run(before, [finding(slo="told", service="told"), finding(slo="waits", service="waits")], 10, 20)
    hook.requests.clear()
    hook.otherwise = status(200)

    after = telling(database, webhooks(hook, other))
    both = [finding(slo="told", service="told"), finding(slo="waits", service="waits")]
    run(after, both, 60, 200)
    assert [(request.document["incident"]["service"], request.document["reason"]) for request in hook.requests] == [
        ("waits", "opened"),
    ]  # fmt: skip
    (row,) = [one for one in outbox_rows(database) if one["receiver"] == "oncall/webhook" and one["incident"] == 2]
    assert keys(hook) == [key_before(2, at(10), row["group_key"], 1)]
    assert {request.document["incident"]["service"] for request in other.requests} == {"told", "waits"}, "as it stands"
    assert reasons(other) == ["opened", "opened"]
    assert {one["status"] for one in outbox_rows(database)} == {"delivered"}
    run(after, [], 200, 400)
    assert [reasons(server)[-2:] for server in (hook, other)] == [["resolved", "resolved"]] * 2


def test_who_has_an_id_keeps_what_waits_for_it_wherever_it_stands_in_the_list(lite, hook, other):
    audit, pages = ({"id": name, "url": one.url, "format": "tailwatch"} for name, one in (("a", hook), ("p", other)))
    before = telling(lite, {"webhook": [audit, pages]})
    other.otherwise = status(503)
    run(before, [finding()], 0, 10)
    other.otherwise = status(200)
    after = telling(lite, {"webhook": pages})
    run(after, [finding()], 60, 80)
    assert (reasons(hook), reasons(other)) == (["opened"], ["opened", "opened"])
    assert len(set(keys(other))) == 1, "it is the same notification"
