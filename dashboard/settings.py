"""Where the service is, how to speak to it and how often to look, from the environment; no secret has a default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_URL = "http://127.0.0.1:4318"
DEFAULT_REFRESH_S = 10


class SettingsError(ValueError):
    """A setting cannot be used; the message is one sentence."""


@dataclass(frozen=True)
class Settings:
    """Address of the service, the bearer token that it may ask for, and the pace of the pages.

    Attributes:
        url: base address of the HTTP API, without a trailing slash.
        token: bearer token, or None where the service asks for none. Never shown.
        refresh_s: seconds between refreshes of what changes quickly; slower pages take three times as long.
    """

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)
    refresh_s: int = DEFAULT_REFRESH_S


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read TAILWATCH_URL, TAILWATCH_TOKEN and TAILWATCH_REFRESH_S; empty values count as absent.

    Raises:
        SettingsError: the refresh is no whole number of seconds from 1 to 3600.
    """
    env = os.environ if environ is None else environ
    url = env.get("TAILWATCH_URL", "").strip().rstrip("/") or DEFAULT_URL
    token = env.get("TAILWATCH_TOKEN", "").strip() or None
    return Settings(url, token, refresh(env.get("TAILWATCH_REFRESH_S", "").strip() or str(DEFAULT_REFRESH_S)))


def refresh(text: str) -> int:
    """The seconds between refreshes.

    Raises:
        SettingsError: as above.
    """
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 3600:
        raise SettingsError(f"TAILWATCH_REFRESH_S is '{text}'; give a whole number of seconds from 1 to 3600.")
    return int(text)
