"""The ``alerting:`` section: what it means, and one clear sentence for everything that can be wrong with it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from alerting import config as config_module
from alerting.config import AlertingConfig, check_receivers, parse_alerting
from alerting.receivers.slack import SlackReceiver
from alerting.receivers.webhook import WebhookReceiver
from alerting.routing import Route
from alerting.secret_references import SecretReference
from telemetry.errors import ConfigError
from telemetry.windows import NANOS
from tests.alerting.makers import parse

HOOK = {"name": "a", "webhook": {"url": "http://127.0.0.1/x"}}
SECRET_URL = "https://hooks.slack.com/services/T000/B000/s3cr3t"


def test_nothing_configured_tells_nobody():
    assert parse({}) == AlertingConfig()
    assert parse_alerting(None, folder=Path()) == AlertingConfig()


def test_the_example_of_the_documentation():
    example = str(config_module.__doc__).split("::", 1)[1]
    parsed = parse(yaml.safe_load(example)["alerting"])
    assert parsed.receivers == (
        SlackReceiver("oncall", SecretReference("env", "SLACK_WEBHOOK_URL")),
        WebhookReceiver(
            "tickets",
            "https://tickets.example.com/hook",
            SecretReference("file", "/run/secrets/hook"),
            "tailwatch",
            send_resolved=False,
        ),
    )
    assert parsed.route is not None
    assert [route.receiver for route in parsed.route.routes] == ["tickets"]
    assert parsed.external_url == "https://tailwatch.example.com"


def test_a_single_receiver_needs_no_route():
    assert parse({"receivers": [HOOK]}).route == Route("a")


def test_both_ways_of_one_receiver_are_delivered_independently():
    both = {**HOOK, "slack": {"webhook_url_env": "X"}}
    assert [receiver.id for receiver in parse({"receivers": [both]}).receivers] == ["a/slack", "a/webhook"]


def test_routes_inherit_and_durations_are_read():
    document = {
        "receivers": [HOOK, {**HOOK, "name": "b"}],
        "keep_firing_for": "2m", "reopen_within": "1h", "renotify_after": "10m", "correlation_window": 90,
        "pending_for": "30s", "runbooks": "books", "external_url": "http://x/",
        "route": {
            "receiver": "a", "group_by": ["slo"], "repeat_interval": "1h",
            "routes": [
                {"receiver": "b", "group_wait": "30s", "routes": [{"matchers": ["x=y"], "group_interval": "1m"}]},
            ],
        },
    }  # fmt: skip
    parsed = parse(document)
    assert (parsed.timing.keep_firing_for_ns, parsed.timing.pending_for_ns) == (120 * NANOS, 30 * NANOS)
    assert (parsed.timing.reopen_within_ns, parsed.timing.renotify_after_ns) == (3600 * NANOS, 600 * NANOS)
    assert (parsed.correlation_ns, parsed.runbooks) == (90 * NANOS, Path("/etc/tailwatch/books"))
    assert parsed.external_url == "http://x"
    assert parsed.route is not None
    leaf = parsed.route.routes[0].routes[0]
    assert (leaf.receiver, leaf.group_by) == ("b", ("slo",))
    timing = leaf.timing
    assert (timing.group_wait_ns, timing.group_interval_ns, timing.repeat_interval_ns) == (
        30 * NANOS, 60 * NANOS, 3600 * NANOS,
    )  # fmt: skip


def slack(**settings):
    return {"receivers": [{"name": "a", "slack": settings}]}


def webhook(**settings):
    return {"receivers": [{"name": "a", "webhook": settings}]}


def routed(**settings):
    return {"receivers": [HOOK], "route": {"receiver": "a", **settings}}


WRONG = [
    (slack(webhook_url=SECRET_URL), "slack.webhook_url: secrets may not stand in this file; write webhook_url_env"),
    (slack(webhook_url_env=SECRET_URL), "slack.webhook_url_env: this is not the name of an environment variable"),
    (slack(webhook_url_env="A", webhook_url_file="b"), "exactly one of webhook_url_env, webhook_url_file"),
    (slack(), "exactly one of"),
    (webhook(url=SECRET_URL), "webhook.url: a hook's URL is a secret, and secrets may not stand in this file"),
    (webhook(url="https://u:s3cr3t@x/y"), "this URL holds credentials"),
    (webhook(url="https://x/y?access_token=s3cr3t"), "this URL holds a token"),
    (webhook(url="ftp://x/y"), "this is not a URL; write http://HOST/PATH"),
    (webhook(url="http://x:99999/"), "this is not a URL"),
    (webhook(url="http://x", secret="s3cr3t"), "webhook.secret: secrets may not stand in this file; write secret_env"),
    (webhook(url="http://x", secret_env="A", secret_file="b"), "secret_env and secret_file exclude each other"),
    (webhook(url="http://x", format="xml"), "format: this value is not known; write 'alertmanager' or 'tailwatch'"),
    (webhook(url="http://x", retries=3), "webhook.retries: there is no such setting"),
    ({"receivers": [{"name": "a", "slack": None}]}, "receivers[0]: this receiver has nothing below slack:"),
    ({"receivers": [{**HOOK, "name": "a b"}]}, "receivers[0].name: this name has characters"),
    ({"receivers": [{"webhook": {"url": "http://x"}}]}, "alerting.receivers[0].name: this is missing"),
    ({"receivers": [HOOK, HOOK]}, "two receivers are named 'a'"),
    ({"receivers": [HOOK, {**HOOK, "name": "b"}]}, "there are several receivers and no route"),
    ({"receivers": {"name": "a"}}, "alerting.receivers: this is not a list"),
    ({"receivers": [{**HOOK, "send_resolved": "perhaps"}]}, "send_resolved: this is not true or false"),
    ({"receivers": [HOOK], "route": {}}, "route has no receiver; the root must name one"),
    (routed(matchers=["a=b"]), "the root route has matchers"),
    (routed(routes=[{"receiver": "nobody"}]), "route.routes[0].receiver: this names 'nobody', which is no receiver"),
    (routed(routes=[{"matchers": ["severity"]}]), "alerting.route.routes[0].matchers: 'severity' is not a matcher"),
    (routed(routes=[{"matchers": ["a=~("]}]), "is not a regular expression"),
    (routed(routes=[{"matchers": "a=b"}]), "this is not a list of texts"),
    (routed(group_by=["a b"]), "'a b' is no label"),
    (routed(group_by=["slo", "service", "slo"]), "alerting.route.group_by: 'slo' is there twice"),
    (routed(group_by=["slo", "..."]), "'...' is every label, and others stand beside it"),
    (routed(group_interval="0s"), "alerting.route.group_interval: a group cannot be told again all the time"),
    (routed(**{"continue": True}), "alerting.route.continue: the root route has continue"),
    (routed(repeat_interval="1s"), "reminders more often than once a minute help nobody"),
    (routed(repeat_interval="often"), "alerting.route.repeat_interval: this is not a duration"),
    ({"keep_firing_for": -1}, "alerting.keep_firing_for: this is not a duration"),
    ({"keep_firing_for": True}, "this is not a duration"),
    ({"external_url": "tailwatch.example.com"}, "alerting.external_url: this is not a URL"),
    ({"reciever": []}, "alerting.reciever: there is no such setting"),
    ({"receivers": [3]}, "alerting.receivers[0]: this is not a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "sentence"), WRONG, ids=[sentence[:40] for _, sentence in WRONG])
def test_what_is_wrong_is_said_in_one_sentence_without_secrets(document, sentence, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as caught:
        parse(document)
    said = str(caught.value)
    assert sentence in said
    assert all(line.startswith("alerting") and line.endswith(".") for line in said.splitlines())
    assert "s3cr3t" not in said + caplog.text + repr(caught.value.__cause__)


def test_names_that_nothing_defines_are_told_with_all_other_problems_and_their_lines(tmp_path):
    file = tmp_path / "tailwatch.yaml"
    file.write_text(
        """alerting:
  receivers:
    - {name: a, webhook: {url: "ftp://x"}}
    - {name: a}
  escalations: [{receiver: boss, after: 5m}]
  noise_budgets: [{receiver: a, pages_per_day: 4}, {receiver: a, pages_per_day: 5}]
  route:
    receiver: a
    mute_time_intervals: [nights]
    routes:
      - receiver: nobody
        repeat_interval: often
"""
    )
    with pytest.raises(ConfigError) as caught:
        parse_alerting(yaml.safe_load(file.read_text())["alerting"], folder=tmp_path, file=file)
    found = sorted((int(line.split(":")[1]), line.split(": ")[1]) for line in str(caught.value).splitlines())
    assert found == [
        (3, "alerting.receivers[0].webhook.url"),
        (4, "alerting.receivers[1].name"),
        (5, "alerting.escalations[0].receiver"),
        (6, "alerting.noise_budgets[1]"),
        (9, "alerting.route.mute_time_intervals"),
        (9, "alerting.route.mute_time_intervals"),
        (11, "alerting.route.routes[0].receiver"),
        (12, "alerting.route.routes[0].repeat_interval"),
    ]


def test_every_problem_is_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        parse({"reciever": [], "keep_firing_for": "x", "external_url": "y"})
    assert len(str(caught.value).splitlines()) == 3


def test_no_mapping_at_all():
    with pytest.raises(ConfigError, match="this is not a mapping"):
        parse_alerting(["receivers"], folder=Path())  # type: ignore[arg-type]


def test_missing_secrets_are_found_before_they_are_needed(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    (tmp_path / "empty").write_text(" \n")
    document = {
        "receivers": [
            {"name": "a", "slack": {"webhook_url_env": "NOT_SET"}},
            {"name": "b", "webhook": {"url": "http://x", "secret_file": "missing"}},
            {"name": "c", "webhook": {"url_file": "empty"}},
            {"name": "d", "webhook": {"url": "http://x"}},
        ],
        "route": {"receiver": "a"},
    }
    problems = check_receivers(parse_alerting(document, folder=tmp_path))
    assert [problem.where for problem in problems] == ["receiver a/slack", "receiver b/webhook", "receiver c/webhook"]
    assert "NOT_SET is not set" in str(problems[0])
    assert "cannot be read" in str(problems[1])
    assert "is empty" in str(problems[2])


def test_a_file_that_is_no_secret(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "long").write_text("x" * 20_000)
    for name, sentence in (("binary", "is not text"), ("long", "too long")):
        with pytest.raises(ConfigError, match=sentence):
            SecretReference("file", str(tmp_path / name)).read()
