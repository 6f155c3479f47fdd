"""What the models of the ``alerting:`` section share: unknown keys are errors, and no message repeats a value."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$")]

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]

_SECRET_PARAMETER: Final = re.compile(r"(?i)token|secret|passw|signature|^sig$|api_?key|^key$|^auth")
_SECRET_HOSTS: Final = ("hooks.slack.com", "discord.com", "webhook.office.com")


class Strict(BaseModel):
    """A mapping that has these keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)


def exactly_one(**given: str | None) -> None:
    """Raise unless one of the keys is given."""
    if sum(value is not None for value in given.values()) != 1:
        raise ValueError(f"exactly one of {', '.join(given)} is needed; write one of them")


def check_url(url: str, instead: str | None) -> None:
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
