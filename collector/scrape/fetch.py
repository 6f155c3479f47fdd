"""GETs the answer of one target, bounded in size and time; it follows no redirect and reads no proxy settings."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from collector.limits import MIB
from collector.scrape.exposition import ScrapeError
from collector.scrape.targets import Target

MAX_BYTES: Final = 16 * MIB
"""An answer beyond it fails; a vLLM server with a dozen models sends 0.2 MiB."""

_ACCEPT: Final = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of an answer, and whether it is OpenMetrics."""

    text: str
    openmetrics: bool


class Fetch(Protocol):
    """Asks one target."""

    def __call__(self, target: Target) -> Answer:
        """Its answer.

        Raises:
            ScrapeError: there is none that can be used.
        """
        ...


class HttpFetch:
    """Asks targets over HTTP; one instance may be shared by threads.

    Compressed answers are not asked for and not read: they would have to be bounded while they are expanded.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._client = httpx.Client(follow_redirects=False, trust_env=False)

    def __call__(self, target: Target) -> Answer:
        """The answer of ``target``.

        Raises:
            ScrapeError: there is none that can be used.
        """
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity", **self._secrets(target)}
        deadline = time.monotonic() + target.timeout_s
        try:
            with self._client.stream("GET", target.url, headers=headers, timeout=target.timeout_s) as response:
                if response.status_code != 200:
                    raise _refused(response)
                body = _read(response, deadline, target.timeout_s)
        except httpx.TimeoutException:
            raise _too_slow(target.timeout_s) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ScrapeError(f"cannot be reached: {reason}", remedy="is it running?") from None
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            raise ScrapeError("the answer is not UTF-8 text", remedy="check the path of the target") from None
        return Answer(text, response.headers.get("content-type", "").startswith("application/openmetrics-text"))

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()

    def _secrets(self, target: Target) -> dict[str, str]:
        return {name: self._environment.get(variable, "") for name, variable in target.headers.items()}


def _refused(response: httpx.Response) -> ScrapeError:
    if response.is_redirect:
        return ScrapeError("it redirects elsewhere", remedy="scrape where it redirects to")
    return ScrapeError(f"it answers HTTP {response.status_code}", remedy="check path and headers of the target")


def _read(response: httpx.Response, deadline: float, timeout_s: float) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise ScrapeError("the answer is compressed, which was not asked for", remedy="switch its compression off")
    parts: list[bytes] = []
    size = 0
    for part in response.iter_raw():
        size += len(part)
        if size > MAX_BYTES:
            raise ScrapeError(f"the answer exceeds {MAX_BYTES} bytes", remedy="have the target expose fewer series")
        if time.monotonic() > deadline:
            raise _too_slow(timeout_s)
        parts.append(part)
    return b"".join(parts)


def _too_slow(timeout_s: float) -> ScrapeError:
    return ScrapeError(f"no whole answer within {timeout_s:g} s", remedy="raise timeout_s, or see why it is slow")
