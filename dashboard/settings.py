"""Where the service is, how to speak to it and how often to look, from the environment; no secret has a default."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

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
        token_file: the file that holds it instead, read for each request, so that a rotated one counts at once.
        user_header: the header in which a proxy that signs people in names the reader; None: readers name themselves.
        ca_file: authorities (PEM) that may vouch for the service beside the well-known ones.
        refresh_s: seconds between refreshes of what changes quickly; slower pages take three times as long.
    """

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)
    refresh_s: int = DEFAULT_REFRESH_S
    token_file: str | None = None
    user_header: str | None = None
    ca_file: str | None = None

    def bearer(self) -> str | None:
        """The token as it is now.

        Raises:
            SettingsError: its file cannot be read.
        """
        if self.token_file is None:
            return self.token
        try:
            return Path(self.token_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SettingsError(f"TAILWATCH_TOKEN_FILE, {self.token_file}, cannot be read: {reason}.") from None

    def tls_context(self) -> ssl.SSLContext:
        """What verifies the service's certificate.

        Raises:
            SettingsError: the file of authorities cannot be used.
        """
        context = httpx.create_ssl_context(trust_env=False)
        if self.ca_file is not None:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:  # ssl.SSLError is one
                reason = error.strerror or "it is not PEM"
                raise SettingsError(f"TAILWATCH_CA_FILE, {self.ca_file}, holds no certificates: {reason}.") from None
        return context


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read TAILWATCH_URL, _TOKEN or _TOKEN_FILE, _CA_FILE, _USER_HEADER and _REFRESH_S.

    Empty values count as absent.

    Raises:
        SettingsError: the refresh is no whole number of seconds from 1 to 3600, or there are two tokens.
    """
    env = os.environ if environ is None else environ

    def given(name: str) -> str | None:
        return env.get(f"TAILWATCH_{name}", "").strip() or None

    if given("TOKEN") and given("TOKEN_FILE"):
        raise SettingsError("TAILWATCH_TOKEN and TAILWATCH_TOKEN_FILE exclude each other; keep one.")
    url = (given("URL") or "").rstrip("/") or DEFAULT_URL
    pace = refresh(given("REFRESH_S") or str(DEFAULT_REFRESH_S))
    return Settings(url, given("TOKEN"), pace, given("TOKEN_FILE"), given("USER_HEADER"), given("CA_FILE"))


def refresh(text: str) -> int:
    """The seconds between refreshes.

    Raises:
        SettingsError: as above.
    """
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 3600:
        raise SettingsError(f"TAILWATCH_REFRESH_S is '{text}'; give a whole number of seconds from 1 to 3600.")
    return int(text)
