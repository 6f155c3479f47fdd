"""What stands in an alertmanager.yml, under ``alerting:`` as it is: understood, or refused with what to write."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from alerting.alertmanager_forms import UNUSED
from alerting.config import parse_alerting
from alerting.lint import lint
from alerting.receivers.email import EmailReceiver
from alerting.receivers.pagerduty import PagerDutyReceiver
from alerting.receivers.slack import SlackReceiver
from alerting.receivers.slack_bot import SlackBotReceiver
from alerting.receivers.teams import TeamsReceiver
from alerting.receivers.webhook import WebhookReceiver
from alerting.secret_references import SecretReference
from alerting.silences import Silence
from telemetry.errors import ConfigError
from telemetry.windows import NANOS
from tests.alerting.makers import parse
from tests.external import require_program

THEIRS = """
global:
  resolve_timeout: 7m
  smtp_smarthost: mail.example.com:587
  smtp_from: alerts@example.com
  smtp_auth_username: alerts
  smtp_auth_password_file: /run/secrets/smtp
  smtp_hello: here.example.com
  slack_api_url_file: /run/secrets/slack
  pagerduty_url: https://events.eu.pagerduty.com/v2/enqueue
templates: [/etc/alertmanager/*.tmpl]
route:
  receiver: chat
  group_by: [alertname, cluster]
  routes:
    - match: {team: 7, paging: true}
      match_re: {service: ^(a|b)$}
      matchers: ['{zone="x,y=z", env!="dev"}']
      receiver: pager
      mute_time_intervals: [nights]
    - match: {noise: "yes"}
      receiver: "null"
receivers:
  - name: chat
    slack_configs: [{channel: '#alerts', title: '{{ .GroupLabels }}'}]
    email_configs: [{to: 'a@example.com, b@example.com', send_resolved: true, require_tls: true}]
  - name: pager
    pagerduty_configs: [{routing_key_file: /run/secrets/pagerduty}]
    webhook_configs: [{url: 'http://127.0.0.1:5001/'}]
  - name: "null"
mute_time_intervals: [{name: nights, time_intervals: [{weekdays: [saturday]}]}]
time_intervals: [{name: days, time_intervals: [{weekdays: ['monday:friday']}]}]
inhibit_rules:
  - source_match: {severity: critical}
    source_match_re: {job: db.*}
    target_match: {severity: warning}
    target_match_re: {job: web|api}
    equal: [cluster, service]
"""


def refused(document):
    with pytest.raises(ConfigError) as caught:
        parse(document)
    return str(caught.value)


def test_a_file_of_alertmanagers_means_what_it_means_there():
    parsed = parse(yaml.safe_load(THEIRS))
    slack, mail, webhook, pagerduty = parsed.receivers
    assert slack == SlackReceiver("chat", SecretReference("file", "/run/secrets/slack"), "#alerts", send_resolved=False)
    assert mail == EmailReceiver(
        "chat", "mail.example.com", 587, "alerts@example.com", ("a@example.com", "b@example.com"), "starttls", "alerts",
        SecretReference("file", "/run/secrets/smtp"), send_resolved=True, hello="here.example.com",
    )  # fmt: skip
    assert pagerduty == PagerDutyReceiver(
        "pager", SecretReference("file", "/run/secrets/pagerduty"), "https://events.eu.pagerduty.com/v2/enqueue"
    )
    assert webhook == WebhookReceiver("pager", "http://127.0.0.1:5001/")
    assert (parsed.unheard, parsed.receiver_names) == (("null",), ("chat", "pager", "null"))
    assert parsed.resolve_timeout_ns == 420 * NANOS
    assert parsed.route is not None
    assert [str(node.matchers) for node in parsed.route.routes] == [
        '{zone="x,y=z", env!="dev", team="7", paging="true", service=~"^(a|b)$"}', '{noise="yes"}',
    ]  # fmt: skip
    assert [one.name for one in parsed.route.routes[0].muted_in] == ["nights"]
    (rule,) = parsed.inhibit_rules
    assert str(rule.source) == '{severity="critical", job=~"db.*"}'
    assert str(rule.target) == '{severity="warning", job=~"web|api"}'
    assert rule.equal == ("cluster", "service")


def test_alertmanager_takes_that_file_too(tmp_path):
    (tmp_path / "alertmanager.yml").write_text(THEIRS)
    amtool = require_program("amtool", "prometheus-alertmanager")
    done = subprocess.run(
        [amtool, "check-config", "alertmanager.yml"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    # Its templates are not there; everything before them is.
    assert "Checking 'alertmanager.yml'  SUCCESS" in done.stdout, done.stdout + done.stderr


def test_what_nothing_here_uses_is_told_and_whom_nobody_tells(tmp_path):
    file = tmp_path / "alertmanager.yml"
    file.write_text(THEIRS)
    parsed = parse_alerting(yaml.safe_load(THEIRS), folder=tmp_path, where="", file=file)
    said = [(warning.where, warning.what) for warning in lint(parsed)]
    title = "this is not used: title: Tailwatch writes its messages itself; write template: for one of your own"
    assert [what for what in said if what[0].startswith(str(file))] == [
        (f"{file}:11: templates", f"this is not used: {UNUSED['templates']}"),
        (f"{file}:25: receivers[0].slack_configs[0]", title),
    ]
    assert ("receiver null", "it tells nobody") in said
    file.write_text(f"# a comment that moves every line\n{THEIRS}")
    moved = parse_alerting(yaml.safe_load(THEIRS), folder=tmp_path, where="", file=file)
    assert moved.changes_since(parsed) == "", "a reload has nothing to say of that"


def test_teams_bots_and_mail_without_tls():
    bot = {"name": "a", "slack_configs": [{"app_token_file": "/t", "channel": "#x", "send_resolved": True}]}
    teams = {"name": "b", "msteamsv2_configs": [{"webhook_url_file": "/u"}]}
    plain = {"name": "c", "email_configs": [{"to": "c@x", "from": "d@x", "smarthost": "m:25", "require_tls": False}]}
    tls = {"name": "d", "email_configs": [{"to": "c@x", "from": "d@x", "smarthost": "m:465", "auth_username": ""}]}
    parsed = parse({"receivers": [bot, teams, plain, tls], "route": {"receiver": "a"}})
    assert parsed.receivers == (
        SlackBotReceiver("a", SecretReference("file", "/t"), "#x"),
        TeamsReceiver("b", SecretReference("file", "/u")),
        EmailReceiver("c", "m", 25, "d@x", ("c@x",), "none", None, None, send_resolved=False),
        EmailReceiver("d", "m", 465, "d@x", ("c@x",), "tls", None, None, send_resolved=False),
    )


def test_several_of_a_kind_are_told_apart_by_their_places():
    hooks = [{"url": "http://a/"}, {"url": "http://b/", "send_resolved": False}]
    slacks = [{"api_url_file": "/u", "channel": "#a"}, {"app_token_file": "/t", "channel": "#b"}]
    mails = [{"to": to, "from": "d@x", "smarthost": "m:25"} for to in ("a@x, b@x", "c@x")]
    parsed = parse(receiver(webhook_configs=hooks, slack_configs=slacks, email_configs=mails))
    assert parsed.receivers == (
        SlackReceiver("a", SecretReference("file", "/u"), "#a", send_resolved=False),
        SlackBotReceiver("a", SecretReference("file", "/t"), "#b", send_resolved=False, part="2"),
        WebhookReceiver("a", "http://a/"),
        WebhookReceiver("a", "http://b/", send_resolved=False, part="2"),
        EmailReceiver("a", "m", 25, "d@x", ("a@x", "b@x"), send_resolved=False),
        EmailReceiver("a", "m", 25, "d@x", ("c@x",), send_resolved=False, part="2"),
    )


def receiver(**configs):
    return {"receivers": [{"name": "a", **configs}]}


REFUSED = [
    (receiver(slack_configs=[{"api_url": "https://s3cr3t"}]), "slack_configs[0]: api_url is a secret", "api_url_file"),
    (
        receiver(slack_configs=[{}]) | {"global": {"slack_api_url": "https://s3cr3t"}},
        "alerting.global.slack_api_url: api_url is a secret", "write slack_api_url_file: PATH",
    ),
    (receiver(pagerduty_configs=[{"service_key_file": "/x"}]), "Tailwatch speaks PagerDuty's", "routing_key_file"),
    (receiver(opsgenie_configs=[{"api_key": "s3cr3t"}]), "Tailwatch does not tell Opsgenie", "alertmanagers:"),
    (receiver(slack_configs=[{"api_url_file": "/u"}, {"api_url": "s3cr3t"}]), "[1]: api_url is a secret", "_file"),
    (receiver(webhook_configs=[{"url": "http://a/"}, {"url": "ftp://b/"}]), "[0].webhook_configs[1].url: this is", ""),
    (
        receiver(slack_configs=[{"api_url_file": "/u", "channel": "#{{ .CommonLabels.team }}"}]),
        "slack_configs[0].channel: this is a template of Alertmanager's", "a route for each",
    ),
    (receiver(webhook_configs=[{"url": "http://a/", "urll": 3}]), "[0].urll: there is no such setting", ""),
    (receiver(webhook_configs=[{"url": "http://a/"}], webhook={"url": "http://b/"}), "webhook: already", "keep one"),
    (receiver(webhook_configs={"url": "http://a/"}), "this is not a list of mappings", "write webhook:"),
    (receiver(email_configs=[{"to": "a@x"}]), "there is no smarthost", "smtp_smarthost: under global:"),
    ({"global": {"opsgenie_api_key": "s3cr3t"}}, "global.opsgenie_api_key: Tailwatch has no receiver", "remove it"),
    ({"global": 3}, "alerting.global: this is not a mapping", ""),
    (
        {**receiver(), "route": {"receiver": "a", "routes": [{"match_re": {"x": None, "y": "("}}]}},
        "routes[0].match_re.x: this label has no value", "routes[0].match_re.y: '(' is not a regular expression",
    ),
    ({**receiver(), "route": {"receiver": "a", "match": {"x": "y"}}}, "the root route has matchers", "its routes:"),
    ({**receiver(), "route": {"receiver": "a", "routes": [{"match": "x"}]}}, "this is not a mapping", "matchers:"),
    ({"inhibit_rules": [{"source_match": {"a": "b"}, "equal": []}]}, "[0].target_matchers: this is missing", ""),
]  # fmt: skip


@pytest.mark.parametrize(("document", "what", "remedy"), REFUSED, ids=[what[:40] for _, what, _ in REFUSED])
def test_what_cannot_be_taken_over_is_refused_with_what_to_write(document, what, remedy):
    said = refused(document)
    assert what in said
    assert remedy in said
    assert "s3cr3t" not in said


def test_names_of_labels_may_be_any_text():
    node = {"matchers": ['"a b"="c"', "service.name=~x", "größe!=1"]}
    parsed = parse({**receiver(), "route": {"receiver": "a", "routes": [node]}})
    assert parsed.route is not None
    matchers = parsed.route.routes[0].matchers
    assert matchers.accepts({"a b": "c", "service.name": "x", "größe": "2"})
    assert not matchers.accepts({"a b": "c", "service.name": "x", "größe": "1"})
    assert str(matchers) == '{"a b"="c", service.name=~"x", "größe"!="1"}'
    assert Silence("", matchers, 0, 2, "", "", 0).accepts({"a b": "c", "service.name": "x", "größe": "2"}, 1)
