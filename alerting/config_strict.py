"""What the models of the ``alerting:`` section share: unknown keys are errors, and no message repeats a value."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

from alerting.receivers.trust import Network, networks_of
from telemetry.errors import DurationError, MatcherError
from telemetry.matchers import Matchers, parse_matcher_set
from telemetry.windows import parse_duration

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$")]

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]

_NO_DURATION: Final = "this is not a duration; write a number and a unit: 30s, 5m, 4h"
_SECRET_PARAMETER: Final = re.compile(r"(?i)token|secret|passw|signature|^sig$|api_?key|^key$|^auth")
SECRET_HEADER: Final = re.compile(r"(?i)^(proxy-)?authorization$|^cookie$|token|secret|passw|signature|api-?key")
"""Names of headers that hold secrets, by :meth:`re.Pattern.search`."""
_SECRET_HOSTS: Final = ("hooks.slack.com", "discord.com", "webhook.office.com")


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
        return Matchers(tuple(matcher for text in value for matcher in parse_matcher_set(text)))
    except MatcherError as error:
        raise ValueError(f"{error.what}; {error.remedy}") from None


def _networks(value: Any) -> tuple[Network, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValueError("this is not a list of networks; write [10.0.0.0/8], or [127.0.0.1] for this machine")
    return networks_of(value)


def open_url(instead: str | None = None) -> AfterValidator:
    """Refuses a URL that cannot be called or holds a secret, for which the settings ``instead`` are, if there are."""

    def checked(url: str) -> str:
        _check_url(url, instead)
        return url

    return AfterValidator(checked)


OpenUrl = Annotated[Text, open_url()]
Duration = Annotated[int, BeforeValidator(_duration)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
MatcherList = Annotated[Matchers, BeforeValidator(_matchers)]


class Strict(BaseModel):
    """A mapping that has these keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)


class Addressed(Strict):
    """A URL in clear, or the environment variable or file that holds it as a secret."""

    url: Annotated[Text, open_url("url_env or url_file")] | None = None
    url_env: Variable | None = None
    url_file: Text | None = None

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        exactly_one(url=self.url, url_env=self.url_env, url_file=self.url_file)
        return self


class Bearing(Strict):
    """The environment variable or file that holds a bearer's token, if there is one."""

    bearer_token_env: Variable | None = None
    bearer_token_file: Text | None = None

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        at_most_one(bearer_token_env=self.bearer_token_env, bearer_token_file=self.bearer_token_file)
        return self


def at_most_one(**given: str | None) -> None:
    """Raise if several of the keys are given."""
    if sum(value is not None for value in given.values()) > 1:
        raise ValueError(f"{' and '.join(given)} exclude each other; keep one")


def exactly_one(**given: str | None) -> None:
    """Raise unless one of the keys is given."""
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
