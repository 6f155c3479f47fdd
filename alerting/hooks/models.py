"""The shape of ``alerting: hooks:``, for pydantic to check; only ``alerting.hooks.config`` uses it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from alerting.config_strict import (
    SECRET_HEADER,
    Addressed,
    Bearing,
    Duration,
    HeaderName,
    MatcherList,
    Name,
    Strict,
    Text,
    Variable,
    at_most_one,
    exactly_one,
)
from alerting.hooks.hook import Event, Method, is_allowed
from alerting.receivers.templated import check_template
from telemetry.matchers import Matchers
from telemetry.windows import NANOS

Host = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$")]

_OURS: Final = frozenset({"content-type", "content-length", "host", "idempotency-key", "transfer-encoding"})
_MAX_TIMEOUT_NS: Final = 25 * NANOS
"""Shorter than the lease of a row of the outbox, so that a run is never under way twice."""


class SecretHeaderModel(Strict):
    """The value of a header, by reference."""

    env: Variable | None = None
    file: Text | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one(env=self.env, file=self.file)
        return self


class HookModel(Addressed, Bearing):
    """One action."""

    name: Name
    on: tuple[Event, ...] = ()
    match: MatcherList = Matchers()
    min_confidence: float | None = Field(None, ge=0, le=1)
    method: Method = "POST"
    body: Annotated[str, StringConstraints(min_length=1)] | None = None
    content_type: Text = "application/json"
    headers: dict[HeaderName, Text] = Field(default_factory=dict)
    secret_headers: dict[HeaderName, SecretHeaderModel] = Field(default_factory=dict)
    secret_env: Variable | None = None
    secret_file: Text | None = None
    approval: bool = False
    dry_run: bool = False
    per_incident: int = Field(1, ge=1, le=100)
    per_hour: int = Field(3, ge=1, le=1000)
    timeout: Duration = 10 * NANOS
    expires_after: Duration = 600 * NANOS
    pause_after: int = Field(3, ge=1, le=100)
    better_within: Duration = 900 * NANOS

    @model_validator(mode="before")
    @classmethod
    def _yaml_says_true(cls, value: Any) -> Any:
        """YAML 1.1 reads the key ``on`` as true."""
        return (
            {"on" if key is True else key: entry for key, entry in value.items()} if isinstance(value, dict) else value
        )

    @field_validator("url", mode="before")
    @classmethod
    def _fixed_url(cls, url: Any) -> Any:
        if isinstance(url, str) and ("{{" in url or "{%" in url):
            raise ValueError("an address is no template: data must not decide what is called; write it out")
        return url

    @field_validator("body")
    @classmethod
    def _template(cls, body: str | None) -> str | None:
        if body is not None:
            check_template(body)
        return body

    @field_validator("headers", "secret_headers")
    @classmethod
    def _not_ours(cls, headers: dict[str, object]) -> dict[str, object]:
        for name in headers:
            if name.lower() in _OURS or name.lower().startswith("x-tailwatch-"):
                raise ValueError(f"{name} is written by Tailwatch; leave it out")
        return headers

    @field_validator("headers")
    @classmethod
    def _open_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if SECRET_HEADER.search(name):
                raise ValueError(
                    f"{name} holds a secret, and secrets may not stand in this file; write secret_headers: "
                    f"{{{name}: {{env: NAME_OF_A_VARIABLE}}}}"
                )
        return headers

    @field_validator("timeout")
    @classmethod
    def _bounded(cls, timeout: int) -> int:
        if not NANOS // 10 <= timeout <= _MAX_TIMEOUT_NS:
            raise ValueError("a hook may take between 100ms and 25s; write for example 10s")
        return timeout

    @model_validator(mode="after")
    def _whole(self) -> Self:
        at_most_one(secret_env=self.secret_env, secret_file=self.secret_file)
        if self.min_confidence is not None and "verdict" not in self.on:
            raise ValueError("min_confidence is about verdicts, and this hook waits for none; write on: [verdict]")
        if self.body is not None and self.method == "GET":
            raise ValueError("GET sends no body; write method: POST or leave the body out")
        if not self.on and self.approval:
            raise ValueError("nothing asks for approval without an event; write on: [verdict], or leave approval out")
        if {"open", "verdict"}.intersection(self.on) and not self.match.items:
            raise ValueError(
                "a hook without match would run for every incident; write match: ['cause=\"bad-release\"']"
            )
        return self


class HooksModel(Strict):
    """The section."""

    enabled: bool = True
    allow: tuple[Host, ...] = ()
    actions: tuple[HookModel, ...] = ()

    @model_validator(mode="after")
    def _only_named_hosts(self) -> Self:
        names = [action.name for action in self.actions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two hooks are named {twice[0]!r}; rename one")
        if self.actions and not self.allow:
            raise ValueError("no host may be called; write allow: [HOST:PORT], the hosts that hooks may call")
        for place, action in enumerate(self.actions):
            if action.url is not None and not is_allowed(action.url, self.allow):
                raise ValueError(
                    f"actions[{place}].url calls a host that is not in allow ({', '.join(self.allow)}); add its "
                    "HOST:PORT there if hooks may call it"
                )
        return self
