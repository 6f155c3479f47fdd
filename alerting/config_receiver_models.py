"""The shape of receivers and Alertmanagers in the ``alerting:`` section, for pydantic to check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from alerting.config_access_models import Called, TlsModel
from alerting.config_strict import (
    SECRET_HEADER,
    Addressed,
    Bearing,
    HeaderName,
    Name,
    OpenUrl,
    Strict,
    Text,
    Variable,
    at_most_one,
    exactly_one,
)
from alerting.receivers.email import Security
from alerting.receivers.pagerduty import URL as PAGERDUTY_URL
from alerting.receivers.templated import check_template
from alerting.receivers.webhook import Format

Address = Annotated[str, StringConstraints(pattern=r"^[^\s@<>]+@[^\s@<>]+$|^[^<>\r\n]+<[^\s@<>]+@[^\s@<>]+>$")]
"""``ada@example.com`` or ``Ada <ada@example.com>``."""

WAYS: Final = ("slack", "webhook", "pagerduty", "teams", "email", "template")
"""How a receiver can be told."""


class Way(Strict):
    """A way to tell a receiver; ``send_resolved`` is the receiver's where it is left out.

    ``id`` tells it apart from others of its kind; without one its place among them does.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,49}$")] | None = None
    send_resolved: bool | None = None


class SlackModel(Called, Way):
    """An incoming webhook or a bot; the URL of the one and the token of the other are secrets."""

    webhook_url_env: Variable | None = None
    webhook_url_file: Text | None = None
    bot_token_env: Variable | None = None
    bot_token_file: Text | None = None
    channel: Text | None = None
    api_url: OpenUrl | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(
            webhook_url_env=self.webhook_url_env, webhook_url_file=self.webhook_url_file,
            bot_token_env=self.bot_token_env, bot_token_file=self.bot_token_file,
        )  # fmt: skip
        bot = self.bot_token_env or self.bot_token_file
        if bot and self.channel is None:
            raise ValueError("a bot must know its channel; write channel: C0123456789 or '#inference'")
        if bot and self.http_config.ways_to_log_in:
            raise ValueError(f"a bot is known by its token; remove {self.http_config.ways_to_log_in[0]}")
        if self.api_url is not None and not bot:
            raise ValueError(
                "api_url is where bots write to, and this is none; write webhook_url_env, or bot_token_env"
            )
        return self


class PagerDutyModel(Called, Way):
    """An integration of Events API v2; its key is a secret."""

    routing_key_env: Variable | None = None
    routing_key_file: Text | None = None
    url: OpenUrl = PAGERDUTY_URL

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        exactly_one(routing_key_env=self.routing_key_env, routing_key_file=self.routing_key_file)
        return self


class TeamsModel(Called, Way):
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
    hello: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}$")] | None = None
    tls_config: TlsModel = TlsModel()

    @model_validator(mode="after")
    def _login(self) -> Self:
        if self.user is not None:
            exactly_one(password_env=self.password_env, password_file=self.password_file)
        elif self.password_env or self.password_file:
            raise ValueError("there is a password and no user; write user: NAME")
        if self.user is not None and self.security == "none":
            raise ValueError("a password would be sent in clear; write security: starttls or tls")
        return self


class _CalledByToken(Bearing, Called):
    """Somebody who is called with a bearer's token, or logged in to as ``http_config`` says."""

    @model_validator(mode="after")
    def _known_once(self) -> Self:
        if (self.bearer_token_env or self.bearer_token_file) and self.http_config.ways_to_log_in:
            raise ValueError(f"a bearer token and {self.http_config.ways_to_log_in[0]} exclude each other; keep one")
        return self


class TemplateModel(Addressed, _CalledByToken, Way):
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
        if any(map(SECRET_HEADER.search, self.headers)):
            raise ValueError("a header holds a secret, and secrets may not stand in this file; write bearer_token_env")
        return self


class WebhookModel(Addressed, Called, Way):
    """A URL of the user's own."""

    secret_env: Variable | None = None
    secret_file: Text | None = None
    format: Format = "alertmanager"
    max_alerts: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        at_most_one(secret_env=self.secret_env, secret_file=self.secret_file)
        return self


def _listed(value: Any) -> Any:
    """One of a kind is a list of one; what is neither mapping nor list is left for the check of its shape."""
    return () if value is None else value if isinstance(value, list | tuple) else (value,)


_Some = TypeVar("_Some", bound=Way)
Several = Annotated[tuple[_Some, ...], BeforeValidator(_listed)]
"""One way of a kind, or a list of them."""


class ReceiverModel(Strict):
    """Somebody to tell, by any number of ways; by none, as in Alertmanager, who is led to it is told nothing."""

    name: Name
    slack: Several[SlackModel] = ()
    webhook: Several[WebhookModel] = ()
    pagerduty: Several[PagerDutyModel] = ()
    teams: Several[TeamsModel] = ()
    email: Several[EmailModel] = ()
    template: Several[TemplateModel] = ()
    send_resolved: bool = True

    @model_validator(mode="after")
    def _no_empty_way(self) -> Self:
        empty = [way for way in WAYS if way in self.model_fields_set and not getattr(self, way)]
        if empty:
            raise ValueError(f"this receiver has nothing below {empty[0]}:; write its settings, or remove the line")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        for kind in WAYS:
            parts = [part for part, _ in parts_of(getattr(self, kind))]
            twice = next((part for place, part in enumerate(parts) if part in parts[:place]), None)
            if twice is not None:
                raise ValueError(f"two of {kind}: have the id {twice!r}; rename one")
        return self


def parts_of(ways: Sequence[_Some]) -> Iterator[tuple[str, _Some]]:
    """The ways of one kind with what tells them apart: nothing for the first, then their places, from 2 on.

    So whoever has been the only one keeps what it was called when others are added behind it.
    """
    for place, way in enumerate(ways):
        yield way.id or (str(place + 1) if place else ""), way


class AlertmanagerModel(_CalledByToken):
    """An Alertmanager that is kept informed."""

    url: OpenUrl
