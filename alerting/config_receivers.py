"""Receivers made from their checked configuration; only ``alerting.config`` uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import TypedDict, TypeVar

from alerting.config_access import access_of, needed, reference, tls_of
from alerting.config_access_models import Called
from alerting.config_receiver_models import (
    EmailModel,
    PagerDutyModel,
    ReceiverModel,
    SlackModel,
    TeamsModel,
    TemplateModel,
    Way,
    WebhookModel,
    parts_of,
)
from alerting.receivers.access import Access
from alerting.receivers.email import EmailReceiver
from alerting.receivers.pagerduty import PagerDutyReceiver
from alerting.receivers.protocol import Receiver
from alerting.receivers.slack import SlackReceiver
from alerting.receivers.slack_bot import URL as BOT_URL
from alerting.receivers.slack_bot import SlackBotReceiver
from alerting.receivers.teams import TeamsReceiver
from alerting.receivers.templated import TemplatedReceiver
from alerting.receivers.trust import Trust
from alerting.receivers.webhook import WebhookReceiver
from alerting.secret_references import SecretReference
from telemetry.windows import NANOS

_Some = TypeVar("_Some", bound=Way)


class _Called(TypedDict):
    send_resolved: bool
    deadline_s: float
    trust: Trust
    part: str
    access: Access


@dataclass(frozen=True, slots=True)
class _Part:
    """What every way of telling needs to know beside its own settings."""

    name: str
    part: str
    send_resolved: bool
    folder: Path
    trust: Trust

    def reference(self, env: str | None, file: str | None) -> SecretReference | None:
        """The secret's place; None when there is none."""
        return reference(env, file, self.folder)

    def needed(self, env: str | None, file: str | None) -> SecretReference:
        """The place of a secret that must be."""
        return needed(env, file, self.folder)

    def called(self, model: Called) -> _Called:
        """What every receiver that is called over HTTP is told of that."""
        return {
            "send_resolved": self.send_resolved, "deadline_s": model.timeout / NANOS, "trust": self.trust,
            "part": self.part, "access": access_of(model.http_config, self.folder),
        }  # fmt: skip


def receivers_of(entry: ReceiverModel, folder: Path, trust: Trust) -> Iterator[Receiver]:
    """One receiver for each way in which ``entry`` wants to be told; relative paths start at ``folder``."""

    def each(ways: Sequence[_Some]) -> Iterator[tuple[_Some, _Part]]:
        for part, way in parts_of(ways):
            ends = entry.send_resolved if way.send_resolved is None else way.send_resolved
            yield way, _Part(entry.name, part, ends, folder, trust)

    yield from starmap(_slack, each(entry.slack))
    yield from starmap(_webhook, each(entry.webhook))
    yield from starmap(_pagerduty, each(entry.pagerduty))
    yield from starmap(_teams, each(entry.teams))
    yield from starmap(_email, each(entry.email))
    yield from starmap(_template, each(entry.template))


def _slack(slack: SlackModel, at: _Part) -> Receiver:
    token = at.reference(slack.bot_token_env, slack.bot_token_file)
    if token is not None:
        assert slack.channel is not None, "the model demands it of a bot"
        return SlackBotReceiver(at.name, token, slack.channel, url=slack.api_url or BOT_URL, **at.called(slack))
    url = at.needed(slack.webhook_url_env, slack.webhook_url_file)
    return SlackReceiver(at.name, url, slack.channel, **at.called(slack))


def _webhook(webhook: WebhookModel, at: _Part) -> Receiver:
    url = webhook.url or at.needed(webhook.url_env, webhook.url_file)
    secret = at.reference(webhook.secret_env, webhook.secret_file)
    return WebhookReceiver(
        at.name, url, secret, webhook.format, max_alerts=webhook.max_alerts, **at.called(webhook)
    )  # fmt: skip


def _pagerduty(pagerduty: PagerDutyModel, at: _Part) -> Receiver:
    key = at.needed(pagerduty.routing_key_env, pagerduty.routing_key_file)
    return PagerDutyReceiver(at.name, key, pagerduty.url, **at.called(pagerduty))


def _teams(teams: TeamsModel, at: _Part) -> Receiver:
    return TeamsReceiver(at.name, at.needed(teams.webhook_url_env, teams.webhook_url_file), **at.called(teams))


def _email(mail: EmailModel, at: _Part) -> Receiver:
    host, _, port = mail.smarthost.rpartition(":")
    return EmailReceiver(
        at.name, host, int(port), mail.sender, mail.to, mail.security, mail.user,
        at.reference(mail.password_env, mail.password_file), at.send_resolved, trust=at.trust, part=at.part,
        hello=mail.hello, tls=tls_of(mail.tls_config, at.folder),
    )  # fmt: skip


def _template(template: TemplateModel, at: _Part) -> Receiver:
    return TemplatedReceiver(
        at.name, template.url or at.needed(template.url_env, template.url_file), template.body,
        template.content_type, template.headers, at.reference(template.bearer_token_env, template.bearer_token_file),
        **at.called(template),
    )  # fmt: skip
