"""Settings, from the environment (``TAILWATCH_*``) and from tailwatch.yaml; it reads and checks, and starts nothing.

The environment wins over the file. Documented in docs/settings.md, which a test holds against this module.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import yaml
from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from alerting.config import AlertingConfig, parse_alerting
from tailwatch.access.scopes import SCOPES, Scope, granted
from telemetry.errors import ConfigError, TailwatchError
from telemetry.windows import NANOS, parse_duration

CONFIG_FILE = "tailwatch.yaml"
ENV_PREFIX = "TAILWATCH_"


def _duration(value: object) -> object:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return parse_duration(value)
        except TailwatchError as error:
            raise ValueError(error.sentence()) from None
    return value


def _checked_already(value: object) -> AlertingConfig:
    if not isinstance(value, AlertingConfig):
        raise ValueError("this section can be set in the configuration file only")  # noqa: TRY004 - pydantic's protocol
    return value


if TYPE_CHECKING:
    from storage.ingest import Kind

    AlertingSection = AlertingConfig
else:
    # pydantic looks into dataclasses, and this one holds receivers, whose type is a protocol
    AlertingSection = Annotated[Any, BeforeValidator(_checked_already)]

DurationNs = Annotated[int, BeforeValidator(_duration)]
"""Nanoseconds, written as a duration: ``30s``, ``7d``, ``0``."""


class Address(str):
    """``host:port``; an IPv6 host stands in brackets."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """The host without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port, 0 for any free one."""
        return int(self.rpartition(":")[2])


class Settings(BaseSettings):
    """Everything that can be set; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, validate_default=False)

    http: str = Field("127.0.0.1:4318", description="Address of OTLP/HTTP, the API and /metrics, as host:port.")
    grpc: str = Field("127.0.0.1:4317", description="Address of OTLP/gRPC, as host:port; empty switches it off.")
    anonymous_access: str | None = Field(
        None,
        description="What may be done without a token: all, none, or scopes such as ingest,read; unset: everything "
        "while there is no token and only this machine can connect, else nothing. See docs/security.md.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Names beside this machine's by which browsers may use the service, such as that of a proxy."
    )
    tls_cert_file: Path | None = Field(
        None,
        description="Certificate (PEM, with its chain) by which HTTP and gRPC speak TLS, relative to the configuration "
        "file; a renewed one counts within a second.",
    )
    tls_key_file: Path | None = Field(None, description="Its private key (PEM, not encrypted).")
    data_dir: Path = Field(Path("tailwatch-data"), description="Folder of the embedded database and of reports.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of a PostgreSQL (postgresql+psycopg://...); unset: SQLite in data_dir."
    )
    raw_retention: DurationNs = Field(
        7 * 86400 * NANOS,
        description="How long spans, inference logs and feedback are kept; 0 keeps none and counts just as exactly.",
    )
    span_retention: DurationNs | None = Field(None, description="How long spans are kept; unset: raw_retention.")
    log_retention: DurationNs | None = Field(None, description="The same for inference logs.")
    feedback_retention: DurationNs | None = Field(None, description="The same for feedback.")
    rollup_retention: DurationNs = Field(
        400 * 86400 * NANOS, description="How long counters and sketches are kept; longer than any SLO window."
    )
    slos: tuple[str, ...] = Field((), description="SLO files, as paths or globs relative to the configuration file.")
    prices: Path | None = Field(None, description="Price table, relative to the configuration file.")
    scrape_file: Path | None = Field(
        None, description="Prometheus targets to scrape, relative to the configuration file; see docs/scrape.md."
    )
    evaluation_interval: DurationNs = Field(NANOS, description="Time between evaluations of all SLOs.")
    max_body_mib: int = Field(64, ge=1, description="Largest request after decompression, in MiB.")
    future_horizon: DurationNs = Field(
        3600 * NANOS,
        description="How far ahead of the clock a record's time may be; beyond it the record is rejected and counted.",
    )
    queue_mib: int = Field(72, ge=1, description="Bytes that may wait to be committed, in MiB; beyond it: 503.")
    max_groups: int = Field(
        2000, ge=1, description="Groups an SLO may have before further ones are counted as __overflow__."
    )
    alerting: AlertingSection = Field(
        AlertingConfig(), description="Receivers, routes, runbooks and external_url (file only); see docs/alerting.md."
    )

    @field_validator("http", "grpc")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if value and not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f"{value!r} is not host:port; write for example 127.0.0.1:4318")
        return value

    @field_validator("http")
    @classmethod
    def _needed(cls, value: str) -> str:
        if not value:
            raise ValueError("the service cannot do without this address; write for example 127.0.0.1:4318")
        return value

    @field_validator("anonymous_access", mode="before")
    @classmethod
    def _scopes(cls, value: object) -> object:
        if value is None:
            return None
        named = value.split(",") if isinstance(value, str) else value
        words = [str(word).strip() for word in named] if isinstance(named, list | tuple) else [""]
        if words not in (["all"], ["none"]) and not (words and set(words) <= set(SCOPES)):
            raise ValueError(
                f"{value!r} is not all, none, or some of {', '.join(SCOPES)}; write for example ingest,read"
            )
        return ",".join(words)

    @field_validator("evaluation_interval")
    @classmethod
    def _positive(cls, value: int) -> int:
        if value < NANOS // 10:
            raise ValueError("the evaluation interval must be at least 100ms")
        return value

    @property
    def http_address(self) -> Address:
        """Where HTTP listens."""
        return Address(self.http)

    @property
    def grpc_address(self) -> Address | None:
        """Where gRPC listens; None when it is off."""
        return Address(self.grpc) if self.grpc else None

    @property
    def anonymous_scopes(self) -> frozenset[Scope] | None:
        """What may be done without a token; None where the settings leave that to whether there are any."""
        match self.anonymous_access:
            case None:
                return None
            case "all":
                return frozenset(SCOPES)
            case "none":
                return frozenset()
            case words:
                return granted(frozenset(scope for scope in SCOPES if scope in words.split(",")))

    @property
    def keeping(self) -> Mapping[Kind, int]:
        """How long records of each kind are kept, in nanoseconds."""
        own: Mapping[Kind, int | None] = {
            "span": self.span_retention, "log": self.log_retention, "feedback": self.feedback_retention,
        }  # fmt: skip
        return {kind: self.raw_retention if time is None else time for kind, time in own.items()}

    @property
    def kept(self) -> frozenset[Kind]:
        """The kinds of records that are kept at all."""
        return frozenset(kind for kind, time in self.keeping.items() if time > 0)

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.data_dir / 'tailwatch.db'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content arrives as initial values."""
        return env_settings, init_settings


def config_file(config: Path | None = None) -> Path | None:
    """The file that :func:`load_settings` reads; None for none."""
    named = config or (Path(os.environ["TAILWATCH_CONFIG"]) if os.environ.get("TAILWATCH_CONFIG") else None)
    return named or (Path(CONFIG_FILE) if Path(CONFIG_FILE).exists() else None)


def load_settings(config: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from ``config`` (else ``TAILWATCH_CONFIG``, else ./tailwatch.yaml if it exists) and the environment.

    ``overrides`` (command-line options) win over the file but not over the environment.

    Raises:
        ConfigError: the file is missing, not YAML, has an unknown key, or a value cannot be used.
    """
    found = config_file(config)
    path = found or Path(CONFIG_FILE)
    document = {} if found is None else read_document(found)
    base = path.parent
    document["slos"] = [str(base / pattern) for pattern in _list(document.get("slos", []), path)]
    for key in ("prices", "scrape_file", "data_dir", "tls_cert_file", "tls_key_file"):
        if isinstance(document.get(key), str):
            document[key] = base / document[key]
    if "alerting" in document:
        document["alerting"] = parse_alerting(document["alerting"], folder=base, file=path)
    try:
        return Settings(**{**document, **(overrides or {})})
    except ValidationError as error:
        _explain(error, document, path)
    except SettingsError as error:
        raise ConfigError(
            f"{error}", where="environment", remedy=f'write lists as JSON, such as {ENV_PREFIX}SLOS=["slos/*.yaml"]'
        ) from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Sentences about ``TAILWATCH_*`` variables that look like misspelt settings.

    Others are let pass: container platforms inject variables with the service's own name as prefix.
    """
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields} | {"TAILWATCH_CONFIG"}
    sentences = []
    for name in sorted(environment):
        if not name.startswith(ENV_PREFIX) or name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        if close:
            sentences.append(f"environment variable {name} is not a setting; did you mean {close[0]}?")
    return sentences


def read_document(path: Path, named_by: str = "--config or TAILWATCH_CONFIG") -> dict[str, Any]:
    """The mapping in a YAML file that ``named_by`` named; empty for an empty file.

    Raises:
        ConfigError: there is none. No line of the file is repeated, since it may hold a secret.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "the configuration file does not exist", where=str(path), remedy=f"check {named_by}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the configuration file cannot be read: {error}", where=str(path), remedy="check path and permissions"
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            f"not YAML: {error.problem}", where=f"{path}:{line}", remedy="check indentation and quotes on that line"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(
            f"not YAML: {error}", where=str(path), remedy="save the file as plain text in UTF-8"
        ) from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigError(
            "the configuration must be a mapping of names", where=str(path), remedy="write keys such as slos:"
        )
    return document


def _list(value: object, path: Path) -> list[str]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ConfigError("slos must be a list of paths", where=str(path), remedy="write slos: [slos/*.yaml]")
    return items


def _explain(error: ValidationError, document: Mapping[str, Any], path: Path) -> NoReturn:
    """Raise one clear sentence a fault."""
    sentences = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        top = str(fault["loc"][0]) if fault["loc"] else ""
        variable = f"{ENV_PREFIX}{top.upper()}"
        where = variable if variable in os.environ else str(path) if top in document else "command line"
        if fault["type"] == "extra_forbidden":
            names = list(Settings.model_fields) if len(fault["loc"]) == 1 else []
            close = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {close[0]}?" if close else "see docs/settings.md for the keys there are"
            sentences.append(f"{where}: unknown key {key}. {hint}")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            sentences.append(f"{where}: {key}: {message}")
    raise ConfigError("\n".join(sentences)) from None
