"""The shape of how a receiver is called over HTTP and TLS, for pydantic to check; it takes no secret in clear.

It is Prometheus' ``http_config`` and ``tls_config``, each secret by its ``_file`` or here by ``_env`` too.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_validator

from alerting.config_strict import (
    SECRET_HEADER,
    Duration,
    HeaderName,
    Strict,
    Text,
    Variable,
    at_most_one,
    exactly_one,
    open_url,
)
from alerting.receivers.tls import Version
from telemetry.windows import NANOS

MOST_S: Final = 20
"""The longest that a receiver may take: shorter than a lease, which another process may take over when it ends."""

_OURS: Final = frozenset({
    "host", "user-agent", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection",
    "keep-alive", "accept-encoding", "idempotency-key", "x-tailwatch-timestamp", "x-tailwatch-signature",
})  # fmt: skip


def _bounded(duration_ns: int) -> int:
    if not 0 < duration_ns <= MOST_S * NANOS:
        raise ValueError(f"an attempt may take {MOST_S}s at most, and is then made again; write 1s to {MOST_S}s")
    return duration_ns


Timeout = Annotated[Duration, AfterValidator(_bounded)]


class TlsModel(Strict):
    """Who vouches for a receiver, and who Tailwatch is to it."""

    ca_file: Text | None = None
    cert_file: Text | None = None
    key_file: Text | None = None
    server_name: Text | None = None
    min_version: Version | None = None
    max_version: Version | None = None
    insecure_skip_verify: bool = False

    @field_validator("insecure_skip_verify")
    @classmethod
    def _verified(cls, skip: bool) -> bool:
        if skip:
            raise ValueError("certificates are always verified; name their authority: ca_file: PATH")
        return skip

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a certificate is of use with its key only; write both cert_file and key_file")
        if (self.min_version, self.max_version) == ("TLS13", "TLS12"):
            raise ValueError("min_version is above max_version; exchange them")
        return self


class BasicAuthModel(Strict):
    """Name and password."""

    username: Text | None = None
    username_env: Variable | None = None
    username_file: Text | None = None
    password_env: Variable | None = None
    password_file: Text | None = None

    @field_validator("username")
    @classmethod
    def _no_colon(cls, name: str | None) -> str | None:
        if name is not None and ":" in name:
            raise ValueError("a name here cannot have a colon, at which the password would begin; correct it")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Self:
        exactly_one(username=self.username, username_env=self.username_env, username_file=self.username_file)
        exactly_one(password_env=self.password_env, password_file=self.password_file)
        return self


class AuthorizationModel(Strict):
    """A scheme and a secret."""

    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,49}$")] = "Bearer"
    credentials_env: Variable | None = None
    credentials_file: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type.lower() == "basic":
            raise ValueError("a name and a password are written as basic_auth: {username: ..., password_file: ...}")
        exactly_one(credentials_env=self.credentials_env, credentials_file=self.credentials_file)
        return self


class HeaderModel(Strict):
    """The values of one header."""

    values: tuple[Text, ...] = ()
    files: tuple[Text, ...] = ()
    env: tuple[Variable, ...] = ()

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.values or self.files or self.env):
            raise ValueError("this header has no value; write values: [TEXT], files: [PATH] or env: [VARIABLE]")
        if not all(value.isprintable() for value in self.values):
            raise ValueError("a header is one line; remove the line break")
        return self


def _hosts(value: Any) -> Any:
    """Names, addresses and networks with commas between them, as environments hold them, or as a list."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class HttpModel(Strict):
    """Credentials, headers, a proxy and TLS."""

    basic_auth: BasicAuthModel | None = None
    authorization: AuthorizationModel | None = None
    bearer_token_env: Variable | None = None
    bearer_token_file: Text | None = None
    http_headers: dict[HeaderName, HeaderModel] = Field(default_factory=dict)
    proxy_url: Annotated[Text, open_url("proxy_url_env or proxy_url_file")] | None = None
    proxy_url_env: Variable | None = None
    proxy_url_file: Text | None = None
    no_proxy: Annotated[tuple[Text, ...], BeforeValidator(_hosts)] = ()
    proxy_from_environment: bool = True
    tls_config: TlsModel = TlsModel()

    @field_validator("http_headers")
    @classmethod
    def _no_secret(cls, headers: dict[str, HeaderModel]) -> dict[str, HeaderModel]:
        for name, header in headers.items():
            if name.lower() in _OURS:
                raise ValueError(f"{name} is Tailwatch's own to write; remove it")
            if name.lower() == "authorization":
                raise ValueError("Authorization has a place of its own; write authorization: {credentials_file: PATH}")
            if header.values and SECRET_HEADER.search(name):
                raise ValueError(f"{name} holds a secret, and secrets may not stand in this file; write files or env")
        return headers

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        at_most_one(proxy_url=self.proxy_url, proxy_url_env=self.proxy_url_env, proxy_url_file=self.proxy_url_file)
        if self.no_proxy and not self.has_proxy:
            raise ValueError("no_proxy says for whom proxy_url does not count, and there is none; remove it")
        if self.has_proxy and self.proxy_from_environment and "proxy_from_environment" in self.model_fields_set:
            raise ValueError("proxy_url and proxy_from_environment exclude each other; keep one")
        if len(self.ways_to_log_in) > 1:
            raise ValueError(f"{' and '.join(self.ways_to_log_in)} exclude each other; keep one")
        return self

    @property
    def has_proxy(self) -> bool:
        """Whether it names a proxy."""
        return any((self.proxy_url, self.proxy_url_env, self.proxy_url_file))

    @property
    def ways_to_log_in(self) -> tuple[str, ...]:
        """Which of its settings fill the header ``Authorization``."""
        names = ("basic_auth", "authorization", "bearer_token_env", "bearer_token_file")
        return tuple(name for name in names if getattr(self, name) is not None)


class Called(Strict):
    """Somebody who is called over HTTP; ``timeout`` is for one attempt."""

    http_config: HttpModel = HttpModel()
    timeout: Timeout = 10 * NANOS
