"""Receivers made from their checked configuration; only ``alerting.config`` uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alerting.config_receiver_models import (
    EmailModel,
    PagerDutyModel,
    ReceiverModel,
    SlackModel,
    TeamsModel,
    TemplateModel,
    Way,
    WebhookModel,
)
from alerting.receivers.email import EmailReceiver
from alerting.receivers.pagerduty import PagerDutyReceiver
from alerting.receivers.protocol import Receiver
from alerting.receivers.slack import SlackReceiver
from alerting.receivers.slack_bot import SlackBotReceiver
from alerting.receivers.teams import TeamsReceiver
from alerting.receivers.templated import TemplatedReceiver
from alerting.receivers.trust import Trust
from alerting.receivers.webhook import WebhookReceiver
from alerting.secret_references import SecretReference


def receivers_of(entry: ReceiverModel, folder: Path, trust: Trust) -> Iterator[Receiver]:
    """One receiver for each way in which ``entry`` wants to be told; relative paths start at ``folder``."""
    if entry.slack is not None:
        yield _slack(entry, entry.slack, folder, trust)
    if entry.webhook is not None:
        yield _webhook(entry, entry.webhook, folder, trust)
    if entry.pagerduty is not None:
        yield _pagerduty(entry, entry.pagerduty, folder, trust)
    if entry.teams is not None:
        yield _teams(entry, entry.teams, folder, trust)
    if entry.email is not None:
        yield _email(entry, entry.email, folder, trust)
    if entry.template is not None:
        yield _template(entry, entry.template, folder, trust)


def reference(env: str | None, file: str | None, folder: Path) -> SecretReference | None:
    """The secret's place; None when there is none."""
    if env is not None:
        return SecretReference("env", env)
    return SecretReference("file", str(folder / file)) if file is not None else None


def _needed(env: str | None, file: str | None, folder: Path) -> SecretReference:
    found = reference(env, file, folder)
    assert found is not None, "the model demands one of the two"
    return found


def _hears_the_end(entry: ReceiverModel, way: Way) -> bool:
    return entry.send_resolved if way.send_resolved is None else way.send_resolved


def _slack(entry: ReceiverModel, slack: SlackModel, folder: Path, trust: Trust) -> Receiver:
    token = reference(slack.bot_token_env, slack.bot_token_file, folder)
    if token is not None:
        assert slack.channel is not None, "the model demands it of a bot"
        return SlackBotReceiver(entry.name, token, slack.channel, _hears_the_end(entry, slack), trust=trust)
    url = _needed(slack.webhook_url_env, slack.webhook_url_file, folder)
    return SlackReceiver(entry.name, url, slack.channel, _hears_the_end(entry, slack), trust=trust)


def _webhook(entry: ReceiverModel, webhook: WebhookModel, folder: Path, trust: Trust) -> Receiver:
    url = webhook.url or _needed(webhook.url_env, webhook.url_file, folder)
    secret = reference(webhook.secret_env, webhook.secret_file, folder)
    return WebhookReceiver(entry.name, url, secret, webhook.format, _hears_the_end(entry, webhook), trust=trust)


def _pagerduty(entry: ReceiverModel, pagerduty: PagerDutyModel, folder: Path, trust: Trust) -> Receiver:
    key = _needed(pagerduty.routing_key_env, pagerduty.routing_key_file, folder)
    return PagerDutyReceiver(entry.name, key, pagerduty.url, _hears_the_end(entry, pagerduty), trust=trust)


def _teams(entry: ReceiverModel, teams: TeamsModel, folder: Path, trust: Trust) -> Receiver:
    url = _needed(teams.webhook_url_env, teams.webhook_url_file, folder)
    return TeamsReceiver(entry.name, url, _hears_the_end(entry, teams), trust=trust)


def _email(entry: ReceiverModel, mail: EmailModel, folder: Path, trust: Trust) -> Receiver:
    host, _, port = mail.smarthost.rpartition(":")
    return EmailReceiver(
        entry.name, host, int(port), mail.sender, mail.to, mail.security, mail.user,
        reference(mail.password_env, mail.password_file, folder), _hears_the_end(entry, mail), trust=trust,
    )  # fmt: skip


def _template(entry: ReceiverModel, template: TemplateModel, folder: Path, trust: Trust) -> Receiver:
    return TemplatedReceiver(
        entry.name, template.url or _needed(template.url_env, template.url_file, folder), template.body,
        template.content_type, template.headers,
        reference(template.bearer_token_env, template.bearer_token_file, folder), _hears_the_end(entry, template),
        trust=trust,
    )  # fmt: skip
