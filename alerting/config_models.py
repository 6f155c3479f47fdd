"""The shape of the ``alerting:`` section, for pydantic to check; only ``alerting.config`` uses it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from alerting.config_strict import Name, Strict
from alerting.config_times import TimeIntervalsModel
from alerting.receivers.webhook import Format
from telemetry.errors import DurationError, MatcherError
from telemetry.matchers import Matchers, parse_matchers
from telemetry.windows import NANOS, parse_duration

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*|\.\.\.")
_SECRET_PARAMETER: Final = re.compile(r"(?i)token|secret|passw|signature|^sig$|api_?key|^key$|^auth")
_SECRET_HOSTS: Final = ("hooks.slack.com", "discord.com", "webhook.office.com")
_MAX_DEPTH: Final = 20
_NO_DURATION: Final = "this is not a duration; write a number and a unit: 30s, 5m, 4h"


def _duration(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(_NO_DURATION)  # noqa: TRY004  (pydantic reports ValueError only)
    try:
        return parse_duration(value)
    except (DurationError, OverflowError, ValueError):
        raise ValueError(_NO_DURATION) from None


def _matchers(value: Any) -> Matchers:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValueError("this is not a list of texts; write ['severity=\"page\"']")
    try:
        return parse_matchers(value)
    except MatcherError as error:
        raise ValueError(f"{error.what}; {error.remedy}") from None


Duration = Annotated[int, BeforeValidator(_duration)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class SlackModel(Strict):
    """An incoming webhook; its URL is a secret."""

    webhook_url_env: Variable | None = None
    webhook_url_file: Text | None = None
    channel: Text | None = None

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        _exactly_one(webhook_url_env=self.webhook_url_env, webhook_url_file=self.webhook_url_file)
        return self


class WebhookModel(Strict):
    """A URL of the user's own."""

    url: Text | None = None
    url_env: Variable | None = None
    url_file: Text | None = None
    secret_env: Variable | None = None
    secret_file: Text | None = None
    format: Format = "alertmanager"

    @field_validator("url")
    @classmethod
    def _open_url(cls, url: str | None) -> str | None:
        if url is not None:
            _check_url(url, "url_env or url_file")
        return url

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        _exactly_one(url=self.url, url_env=self.url_env, url_file=self.url_file)
        if self.secret_env is not None and self.secret_file is not None:
            raise ValueError("secret_env and secret_file exclude each other; keep one")
        return self


class ReceiverModel(Strict):
    """Somebody to tell, by one or both ways."""

    name: Name
    slack: SlackModel | None = None
    webhook: WebhookModel | None = None
    send_resolved: bool = True

    @model_validator(mode="after")
    def _some_way(self) -> Self:
        if self.slack is None and self.webhook is None:
            raise ValueError("this receiver has no way to be told; give it slack: or webhook:")
        return self


class AlertmanagerModel(Strict):
    """An Alertmanager that is kept informed."""

    url: Text
    bearer_token_env: Variable | None = None
    bearer_token_file: Text | None = None

    @field_validator("url")
    @classmethod
    def _open_url(cls, url: str) -> str:
        _check_url(url, None)
        return url

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.bearer_token_env is not None and self.bearer_token_file is not None:
            raise ValueError("bearer_token_env and bearer_token_file exclude each other; keep one")
        return self


class RouteModel(Strict):
    """A node of the route tree; what is left out is inherited."""

    receiver: str | None = None
    matchers: Annotated[Matchers, BeforeValidator(_matchers)] = Matchers()
    go_on: bool = Field(default=False, alias="continue")
    group_by: list[str] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[RouteModel, ...] = ()

    @field_validator("group_by")
    @classmethod
    def _labels(cls, names: list[str] | None) -> list[str] | None:
        for name in names or ():
            if not _LABEL.fullmatch(name):
                raise ValueError(f"{name[:100]!r} is no label; write names such as [slo, service], or ['...'] for all")
        return names

    @field_validator("repeat_interval")
    @classmethod
    def _not_all_the_time(cls, interval: int | None) -> int | None:
        if interval is not None and interval < 60 * NANOS:
            raise ValueError("reminders more often than once a minute help nobody; write 1m or more")
        return interval


class InhibitRuleModel(Strict):
    """While a source is active, targets are quiet."""

    source_matchers: Annotated[Matchers, BeforeValidator(_matchers)]
    target_matchers: Annotated[Matchers, BeforeValidator(_matchers)]
    equal: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _some_condition(self) -> Self:
        if not self.source_matchers.items or not self.target_matchers.items:
            raise ValueError(
                "a rule without matchers would keep everything quiet; write both source and target matchers"
            )
        return self


class AlertingModel(Strict):
    """The section."""

    external_url: Text | None = None
    receivers: tuple[ReceiverModel, ...] = ()
    route: RouteModel | None = None
    inhibit_rules: tuple[InhibitRuleModel, ...] = ()
    time_intervals: tuple[TimeIntervalsModel, ...] = ()
    alertmanagers: tuple[AlertmanagerModel, ...] = ()
    pending_for: Duration = 0
    keep_firing_for: Duration = 60 * NANOS
    reopen_within: Duration = 30 * 60 * NANOS
    renotify_after: Duration = 5 * 60 * NANOS
    correlation_window: Duration = 5 * 60 * NANOS
    runbooks: Text | None = None

    @field_validator("external_url")
    @classmethod
    def _plain_url(cls, url: str | None) -> str | None:
        if url is not None:
            _check_url(url, None)
        return url

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two receivers are named {twice[0]!r}; rename one")
        if self.route is None:
            if len(names) > 1:
                raise ValueError("there are several receivers and no route; write route: {receiver: NAME}")
            return self
        if self.route.receiver is None:
            raise ValueError("route has no receiver; the root must name one, so that every alert reaches somebody")
        if self.route.matchers.items or self.route.go_on:
            raise ValueError("the root route has matchers or continue; put them into its routes:")
        if self.route.mute_time_intervals or self.route.active_time_intervals:
            raise ValueError("the root route has time intervals; put them into its routes:")
        _check_route(self.route, frozenset(names), self._interval_names(), "route")
        return self

    def _interval_names(self) -> frozenset[str]:
        names = [entry.name for entry in self.time_intervals]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two time intervals are named {twice[0]!r}; rename one")
        return frozenset(names)


def _check_route(node: RouteModel, receivers: frozenset[str], intervals: frozenset[str], where: str) -> None:
    if where.count(".routes[") > _MAX_DEPTH:
        raise ValueError(f"{where} is nested more than {_MAX_DEPTH} deep; flatten the tree")
    if node.receiver is not None:
        _check_name(node.receiver, receivers, f"{where}.receiver", "receiver")
    for key in ("mute_time_intervals", "active_time_intervals"):
        for name in getattr(node, key):
            _check_name(name, intervals, f"{where}.{key}", "time interval")
    for place, child in enumerate(node.routes):
        _check_route(child, receivers, intervals, f"{where}.routes[{place}]")


def _check_name(name: str, defined: frozenset[str], where: str, kind: str) -> None:
    if name not in defined:
        known = ", ".join(sorted(defined)) or "none is defined"
        raise ValueError(f"{where} names {name[:100]!r}, which is no {kind} ({known}); define it or correct the name")


def _exactly_one(**given: str | None) -> None:
    if sum(value is not None for value in given.values()) != 1:
        raise ValueError(f"exactly one of {', '.join(given)} is needed; write one of them")


def _check_url(url: str, instead: str | None) -> None:
    """Raise unless the URL can be called and holds no secret; the message does not repeat it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise ValueError("this is not a URL; write http://HOST/PATH or https://HOST/PATH") from None
    if parts.scheme not in ("http", "https") or not host or any(letter.isspace() for letter in url):
        raise ValueError("this is not a URL; write http://HOST/PATH or https://HOST/PATH")
    remedy = f"move the URL into the environment or a file and write {instead}" if instead else "leave them out"
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"this URL holds credentials, and secrets may not stand in this file; {remedy}")
    if any(_SECRET_PARAMETER.search(name) for name, _value in parse_qsl(parts.query, keep_blank_values=True)):
        raise ValueError(f"this URL holds a token, and secrets may not stand in this file; {remedy}")
    if any(host == known or host.endswith(f".{known}") for known in _SECRET_HOSTS):
        raise ValueError(f"a hook's URL is a secret, and secrets may not stand in this file; {remedy}")
