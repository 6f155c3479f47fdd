"""How commands ask the running service: where it listens, with which token, and what its errors mean for people."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from tailwatch.settings import load_settings
from telemetry.errors import TailwatchError

TOKEN: Final = "TAILWATCH_TOKEN"  # noqa: S105 - the name of a variable, not its value
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not bound
_PATIENCE_S: Final = 30.0


def service_url(config: Path | None, url: str | None) -> str:
    """The address given, else where the settings say that the service listens."""
    if url is not None:
        return url.rstrip("/")
    address = load_settings(config).http_address
    return f"http://{_ANYWHERE.get(address.host, address.host)}:{address.port}"


def ask(
    url: str, method: str, path: str, *, body: Mapping[str, Any] | None = None, patience_s: float = _PATIENCE_S
) -> httpx.Response:
    """The service's answer, as whoever holds the token in ``TAILWATCH_TOKEN``.

    Raises:
        TailwatchError: there is no answer, or it is an error, in the service's own words.
    """
    answer = exchange(url, method, path, body=body, patience_s=patience_s)
    if answer.is_error:
        raise refusal(answer, url)
    return answer


def exchange(
    url: str, method: str, path: str, *, body: Mapping[str, Any] | None = None, patience_s: float = _PATIENCE_S
) -> httpx.Response:
    """The same, errors among the answers.

    Raises:
        TailwatchError: there is no answer.
    """
    token = os.environ.get(TOKEN, "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return httpx.request(method, f"{url}{path}", json=body, headers=headers, timeout=patience_s)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TailwatchError(
            f"the service gave no answer: {error}", where=url, remedy="check that it runs, or give another --url"
        ) from None


def refusal(answer: httpx.Response, url: str) -> TailwatchError:
    """The service's own words for an error."""
    try:
        said = answer.json()["error"]
        what, where, remedy = (str(said.get(key) or "") for key in ("what", "where", "remedy"))
    except (ValueError, KeyError, TypeError, AttributeError):
        what, where, remedy = f"the service answered {answer.status_code}", url, "check --url"
    if answer.status_code in (401, 403):
        remedy = f"set {TOKEN} to a token that may; {remedy}".rstrip("; ")
    return TailwatchError(what, where=where, remedy=remedy)
