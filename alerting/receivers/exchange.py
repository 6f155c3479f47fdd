"""The exchange with a receiver over HTTP: what is sent, how long it may take, and how its failure reads.

httpx bounds each read, so a peer that sends a byte a second would hold it for ever; here one deadline bounds the
whole exchange. Addresses may be secrets (a Slack hook is), so they appear in no reason and in no log.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from typing import Final

import httpx

from alerting.outcomes import Outcome, judge
from alerting.receivers.http import Post

_MAX_ANSWER: Final = 2048
_MAX_BODY: Final = 1 << 20
_USER_AGENT: Final = "tailwatch"


async def exchange(request: Post, now_ns: int, deadline_s: float) -> Outcome:
    """Make the request within ``deadline_s``, and judge the answer; it never raises."""
    if not _is_callable(request.url):
        return Outcome("permanent", "its address is not a URL that can be called; write http:// or https://")
    try:
        async with asyncio.timeout(deadline_s):
            return await _send(request, now_ns, deadline_s)
    except TimeoutError:
        return Outcome("transient", f"no answer within {deadline_s:g} s")
    except httpx.TimeoutException:
        return Outcome("transient", f"no answer within {deadline_s:g} s")
    except httpx.TransportError as error:
        return Outcome("transient", f"could not be reached: {_describe(error)}")
    except (OSError, ExceptionGroup) as error:  # a name with several addresses fails as a group
        return Outcome("transient", f"could not be reached: {type(error).__name__}")


def _is_callable(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host) and 0 < (parsed.port or 80) < 65536


async def _send(request: Post, now_ns: int, deadline_s: float) -> Outcome:
    headers = {"User-Agent": _USER_AGENT, **request.headers}
    verify: ssl.SSLContext | bool = _ssl_context() if request.url.startswith("https:") else False
    async with (
        httpx.AsyncClient(verify=verify, timeout=deadline_s, follow_redirects=False) as client,
        client.stream("POST", request.url, content=request.body, headers=headers) as response,
    ):
        if response.is_success and request.judge_success is not None:
            return request.judge_success(await _body(response))
        # A 2xx says all there is to say; its body, perhaps slow or endless, is not waited for.
        answer = "" if response.is_success else await _beginning(response)
        return judge(response.status_code, response.headers.get("Retry-After"), answer, now_ns)


async def _beginning(response: httpx.Response) -> str:
    """The first part of the answer's body; whatever arrives within a second, if it is slow."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(1.0):
            async for part in response.aiter_raw(_MAX_ANSWER):
                parts.append(part)
                if sum(map(len, parts)) >= _MAX_ANSWER:
                    break
    except (TimeoutError, httpx.TransportError):
        return "(its answer did not arrive in full)"
    text = b"".join(parts)[:_MAX_ANSWER].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)


async def _body(response: httpx.Response) -> bytes:
    """The answer's body, as far as it is kept: the deadline bounds its time."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _MAX_BODY:
            break
    return body[:_MAX_BODY]


def _describe(error: httpx.TransportError) -> str:
    """The kind of failure in words; the error's own text may name the address."""
    if isinstance(error, httpx.ConnectError):
        return "the connection was refused or its name is unknown"
    if isinstance(error, httpx.RemoteProtocolError):
        return "it did not answer in HTTP"
    return type(error).__name__


@cache
def _ssl_context() -> ssl.SSLContext:
    """Trusted certificates are read once; that takes tens of milliseconds."""
    return httpx.create_ssl_context()
