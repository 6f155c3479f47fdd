"""The shape of receivers and Alertmanagers in the ``alerting:`` section, for pydantic to check."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from alerting.config_strict import Addressed, Bearing, Name, Strict, Text, Variable, at_most_one, check_url, exactly_one
from alerting.receivers.email import Security
from alerting.receivers.pagerduty import URL as PAGERDUTY_URL
from alerting.receivers.templated import check_template
from alerting.receivers.webhook import Format

Address = Annotated[str, StringConstraints(pattern=r"^[^\s@<>]+@[^\s@<>]+$|^[^<>\r\n]+<[^\s@<>]+@[^\s@<>]+>$")]
"""``ada@example.com`` or ``Ada <ada@example.com>``."""
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]

WAYS: Final = ("slack", "webhook", "pagerduty", "teams", "email", "template")
"""How a receiver can be told."""
_SECRET_HEADERS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-auth-token", "cookie"})


class Way(Strict):
    """A way to tell a receiver; ``send_resolved`` is the receiver's where it is left out."""

    send_resolved: bool | None = None


class SlackModel(Way):
    """An incoming webhook or a bot; the URL of the one and the token of the other are secrets."""

    webhook_url_env: Variable | None = None
    webhook_url_file: Text | None = None
    bot_token_env: Variable | None = None
    bot_token_file: Text | None = None
    channel: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(
            webhook_url_env=self.webhook_url_env, webhook_url_file=self.webhook_url_file,
            bot_token_env=self.bot_token_env, bot_token_file=self.bot_token_file,
        )  # fmt: skip
        if self.channel is None and (self.bot_token_env or self.bot_token_file):
            raise ValueError("a bot must know its channel; write channel: C0123456789 or '#inference'")
        return self


class PagerDutyModel(Way):
    """An integration of Events API v2; its key is a secret."""

    routing_key_env: Variable | None = None
    routing_key_file: Text | None = None
    url: Text = PAGERDUTY_URL

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        exactly_one(routing_key_env=self.routing_key_env, routing_key_file=self.routing_key_file)
        check_url(self.url, None)
        return self


class TeamsModel(Way):
    """A webhook of a Teams workflow; its URL is a secret."""

    webhook_url_env: Variable | None = None
    webhook_url_file: Text | None = None

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        exactly_one(webhook_url_env=self.webhook_url_env, webhook_url_file=self.webhook_url_file)
        return self


class EmailModel(Way):
    """A mail server, and who writes to whom."""

    smarthost: Annotated[str, StringConstraints(pattern=r"^[^:\s]+:\d{1,5}$")]
    sender: Annotated[Address, Field(alias="from")]
    to: Annotated[tuple[Address, ...], Field(min_length=1)]
    security: Security = "starttls"
    user: Text | None = None
    password_env: Variable | None = None
    password_file: Text | None = None

    @model_validator(mode="after")
    def _login(self) -> Self:
        if self.user is not None:
            exactly_one(password_env=self.password_env, password_file=self.password_file)
        elif self.password_env or self.password_file:
            raise ValueError("there is a password and no user; write user: NAME")
        if self.user is not None and self.security == "none":
            raise ValueError("a password would be sent in clear; write security: starttls or tls")
        return self


class TemplateModel(Addressed, Bearing, Way):
    """A URL of the user's own, told with a body of the user's own."""

    body: Annotated[str, StringConstraints(min_length=1)]
    content_type: Text = "application/json"
    headers: dict[HeaderName, Text] = Field(default_factory=dict)

    @field_validator("body")
    @classmethod
    def _template(cls, body: str) -> str:
        check_template(body)
        return body

    @model_validator(mode="after")
    def _no_secret(self) -> Self:
        if any(name.lower() in _SECRET_HEADERS for name in self.headers):
            raise ValueError("a header holds a secret, and secrets may not stand in this file; write bearer_token_env")
        return self


class WebhookModel(Addressed, Way):
    """A URL of the user's own."""

    secret_env: Variable | None = None
    secret_file: Text | None = None
    format: Format = "alertmanager"

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        at_most_one(secret_env=self.secret_env, secret_file=self.secret_file)
        return self


class ReceiverModel(Strict):
    """Somebody to tell, by any number of ways; by none, as in Alertmanager, who is led to it is told nothing."""

    name: Name
    slack: SlackModel | None = None
    webhook: WebhookModel | None = None
    pagerduty: PagerDutyModel | None = None
    teams: TeamsModel | None = None
    email: EmailModel | None = None
    template: TemplateModel | None = None
    send_resolved: bool = True

    @model_validator(mode="after")
    def _no_empty_way(self) -> Self:
        empty = [way for way in WAYS if way in self.model_fields_set and getattr(self, way) is None]
        if empty:
            raise ValueError(f"this receiver has nothing below {empty[0]}:; write its settings, or remove the line")
        return self


class AlertmanagerModel(Bearing):
    """An Alertmanager that is kept informed."""

    url: Text

    @field_validator("url")
    @classmethod
    def _open_url(cls, url: str) -> str:
        check_url(url, None)
        return url
