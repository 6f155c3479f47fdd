"""Resolves what `configure` is given and the OTEL_* environment into settings; opens nothing and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from tailwatch_sdk import semantics, values
from tailwatch_sdk.errors import ConfigurationError
from tailwatch_sdk.version import __version__

Protocol = Literal["http/protobuf", "grpc"]
Signal = Literal["traces", "logs", "metrics"]

PROTOCOLS: Final[tuple[Protocol, ...]] = ("http/protobuf", "grpc")
# 127.0.0.1 rather than localhost, which some resolvers try over IPv6 first, where nobody listens.
_DEFAULT_ENDPOINT: Final[dict[Protocol, str]] = {
    "http/protobuf": "http://127.0.0.1:4318",
    "grpc": "http://127.0.0.1:4317",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one signal goes.

    Attributes:
        protocol: `http/protobuf` or `grpc`.
        url: The full URL; for HTTP with the signal's path.
    """

    protocol: Protocol
    url: str

    @property
    def shown(self) -> str:
        """The URL without user, password and query, fit for a log."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that one configured SDK depends on; equal settings mean that nothing needs to be set up anew.

    Attributes:
        resource: Attributes of the service, merged over OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME.
        traces: Where spans go.
        logs: Where inference logs and feedback go.
        metrics: Where metrics go, if the application has any.
        headers: Sent with every export, over those of OTEL_EXPORTER_OTLP_HEADERS; kept out of `repr`.
        set_global: Whether the providers become OpenTelemetry's global ones.
        sample: Whether the host chose a sampler by OTEL_TRACES_SAMPLER; otherwise every call is kept.
    """

    resource: tuple[tuple[str, values.Value], ...]
    traces: Destination
    logs: Destination
    metrics: Destination
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    set_global: bool
    sample: bool


def resolve(
    *,
    service_name: str | None,
    service_version: str | None,
    environment: str | None,
    endpoint: str | None,
    protocol: str | None,
    resource_attributes: Mapping[str, object] | None,
    headers: Mapping[str, str] | None,
    set_global: bool,
    environ: Mapping[str, str],
) -> Settings:
    """Settings from the arguments of `configure`, else from the environment, else the defaults.

    Raises:
        ConfigurationError: A protocol, URL, header or resource attribute that cannot be used.
    """
    return Settings(
        resource=_resource(service_name, service_version, environment, resource_attributes),
        traces=_destination("traces", endpoint, protocol, environ),
        logs=_destination("logs", endpoint, protocol, environ),
        metrics=_destination("metrics", endpoint, protocol, environ),
        headers=_headers(headers),
        set_global=set_global,
        sample=bool(environ.get("OTEL_TRACES_SAMPLER")),
    )


def _resource(
    service_name: str | None,
    service_version: str | None,
    environment: str | None,
    extra: Mapping[str, object] | None,
) -> tuple[tuple[str, values.Value], ...]:
    named: dict[str, object] = dict(extra or {})
    arguments = {
        semantics.SERVICE_NAME: service_name,
        semantics.SERVICE_VERSION: service_version,
        semantics.ENVIRONMENT: environment,
    }
    named.update({attribute: argument for attribute, argument in arguments.items() if argument is not None})
    named[semantics.DISTRO_NAME] = "tailwatch-sdk"
    named[semantics.DISTRO_VERSION] = __version__
    cleaned: list[tuple[str, values.Value]] = []
    for attribute, value in named.items():
        try:
            cleaned.append((values.text(attribute), values.attribute(value)))
        except ValueError as problem:
            raise ConfigurationError(f"The resource attribute {attribute!r} {problem}.") from None
    return tuple(cleaned)


def _destination(signal: Signal, endpoint: str | None, protocol: str | None, environ: Mapping[str, str]) -> Destination:
    """OpenTelemetry's rule: a signal's own variable is used as it is, the general one gets the signal's path."""
    own, general = f"OTEL_EXPORTER_OTLP_{signal.upper()}", "OTEL_EXPORTER_OTLP"
    chosen, source = _first(
        (protocol, "protocol"),
        (environ.get(f"{own}_PROTOCOL"), f"{own}_PROTOCOL"),
        (environ.get(f"{general}_PROTOCOL"), f"{general}_PROTOCOL"),
        ("http/protobuf", ""),
    )
    known = next((known for known in PROTOCOLS if known == chosen), None)
    if known is None:
        raise ConfigurationError(f"{source} is {chosen!r}; use {' or '.join(map(repr, PROTOCOLS))}.")
    url, source = _first(
        (endpoint, "endpoint"),
        (environ.get(f"{own}_ENDPOINT"), f"{own}_ENDPOINT"),
        (environ.get(f"{general}_ENDPOINT"), f"{general}_ENDPOINT"),
        (_DEFAULT_ENDPOINT[known], ""),
    )
    _check_url(url, source)
    if known == "http/protobuf" and source != f"{own}_ENDPOINT":
        url = f"{_without_path(url)}/v1/{signal}"
    return Destination(known, url)


def _without_path(url: str) -> str:
    """The base URL, also when somebody gave the URL of one signal."""
    base = url.rstrip("/")
    for signal in ("traces", "logs", "metrics"):
        base = base.removesuffix(f"/v1/{signal}")
    return base


def _check_url(url: str, source: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets without an end
        usable = False
    if not usable:
        # The URL itself may hold a password, so it is not repeated.
        raise ConfigurationError(f"{source} is no usable URL; give one such as 'http://127.0.0.1:4318'.")


def _headers(headers: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    pairs = tuple((headers or {}).items())
    for name, value in pairs:
        # Never the value: it is usually a credential.
        if not isinstance(name, str) or not name or not isinstance(value, str):
            raise ConfigurationError(f"The header {name!r} must have a name and a value that are text.")
        if any(mark in name + value for mark in "\r\n\0"):
            raise ConfigurationError(f"The header {name!r} has a line break in it.")
    # gRPC takes lower case only, and to HTTP it is all the same.
    return tuple((name.lower(), value) for name, value in pairs)


def _first(*candidates: tuple[str | None, str]) -> tuple[str, str]:
    """The first value that is set, with its source; an empty variable counts as unset (OpenTelemetry's rule)."""
    return next((value, source) for value, source in candidates if value)
