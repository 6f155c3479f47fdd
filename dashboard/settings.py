"""Where the service is and how to speak to it, read from the environment; it never holds a default secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_URL = "http://127.0.0.1:4318"


@dataclass(frozen=True)
class Settings:
    """Address of the service and the bearer token that it may ask for.

    Attributes:
        url: base address of the HTTP API, without a trailing slash.
        token: bearer token, or None where the service asks for none. Never shown.
    """

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read TAILWATCH_URL and TAILWATCH_TOKEN; empty values count as absent."""
    env = os.environ if environ is None else environ
    url = env.get("TAILWATCH_URL", "").strip().rstrip("/") or DEFAULT_URL
    return Settings(url=url, token=env.get("TAILWATCH_TOKEN", "").strip() or None)
