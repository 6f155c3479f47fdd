"""The exchange with a receiver over HTTP: what is sent, how long it may take, and how its failure reads.

One deadline bounds the whole exchange, since a peer that sends a byte a second would hold it for ever. URLs may be
secrets (a Slack hook is), so they appear in no reason and in no log; an IP address that may not be called is named.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final

import httpcore
import httpx

from alerting.outcomes import Outcome, judge, quoted
from alerting.receivers.access import Access
from alerting.receivers.dialling import Dialler, ForbiddenAddressError
from alerting.receivers.http import Post
from alerting.receivers.tls import USUAL, context_of
from alerting.receivers.trust import Trust, literal_address, tls_failure
from telemetry.errors import ConfigError

_MAX_ANSWER: Final = 2048
_MAX_BODY: Final = 1 << 20
_USER_AGENT: Final = "tailwatch"
_PORTS: Final = {"http": 80, "https": 443}


async def exchange(request: Post, now_ns: int, deadline_s: float, trust: Trust, access: Access) -> Outcome:
    """Make the request within ``deadline_s``, and judge the answer; it never raises."""
    try:
        url = _callable(request.url)
    except ValueError as error:
        return Outcome("permanent", str(error))
    try:
        async with asyncio.timeout(deadline_s) as limit:
            return await _send(request, url, now_ns, trust, access, limit)
    except (TimeoutError, httpcore.TimeoutException):
        return Outcome("transient", f"no answer within {deadline_s:g} s")
    except (ConfigError, ForbiddenAddressError) as error:
        return Outcome("transient", str(error))
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError) as error:
        return Outcome("transient", f"could not be reached: {_describe(error)}")


def _callable(text: str) -> httpx.URL:
    """The URL.

    Raises:
        ValueError: it cannot be called.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 65536:
        raise ValueError("its address is not a URL that can be called; write http:// or https://")
    if url.userinfo:
        raise ValueError("its URL holds credentials; give them as a bearer token or a header")
    return url


async def _send(
    request: Post, url: httpx.URL, now_ns: int, trust: Trust, access: Access, limit: asyncio.Timeout
) -> Outcome:
    headers = {"Host": url.netloc.decode("ascii"), "User-Agent": _USER_AGENT, **request.headers}
    sent = _encoded([*headers.items(), *access.said()])
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    async with (
        _pool(url, trust, access) as pool,
        pool.stream(request.method, target, headers=sent, content=request.body) as response,
    ):
        success = 200 <= response.status < 300
        if success and request.judge_success is not None:
            return request.judge_success(await _body(response))
        # A 2xx says all there is to say; its body, perhaps slow or endless, is not waited for.
        if success and request.quote:
            limit.reschedule(None)  # it was done: that its words are slow must not have it done again
            return Outcome("delivered", quoted(response.status, await _beginning(response)))
        answer = "" if success else await _beginning(response)
        retry_after = {name.lower(): value for name, value in response.headers}.get(b"retry-after")
        return judge(response.status, None if retry_after is None else retry_after.decode("latin-1"), answer, now_ns)


def _pool(url: httpx.URL, trust: Trust, access: Access) -> httpcore.AsyncConnectionPool:
    """What connects to ``url``: by a proxy if there is one, which resolves names by its own rules.

    Raises:
        ForbiddenAddressError: the URL names an address that may not be called.
        ConfigError: a certificate or the proxy's address cannot be read.
    """
    context = context_of(trust, access.tls)
    proxy = access.proxy.to(url.scheme, url.host, url.port or _PORTS[url.scheme])
    if not proxy:
        return httpcore.AsyncConnectionPool(ssl_context=context, network_backend=Dialler(trust))
    address = literal_address(url.host)
    if address is not None and not trust.permit(address):
        raise ForbiddenAddressError(address)
    try:
        at = _proxy(proxy)
    except ValueError:
        raise ConfigError(
            "the proxy's address is not a URL", remedy="write http://HOST:PORT or https://HOST:PORT"
        ) from None
    return httpcore.AsyncHTTPProxy(
        httpcore.URL(scheme=at.raw_scheme, host=at.raw_host, port=at.port, target=b"/"), ssl_context=context,
        proxy_auth=(at.username, at.password) if at.userinfo else None,
        proxy_ssl_context=context_of(trust, USUAL) if at.scheme == "https" else None,
    )  # fmt: skip


def _proxy(text: str) -> httpx.URL:
    """The URL of a proxy; many write it without a scheme.

    Raises:
        ValueError: it is none that can be called.
    """
    try:
        at = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL as error:
        raise ValueError from error
    if at.scheme not in _PORTS or not at.host:
        raise ValueError
    return at


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers]


async def _beginning(response: httpcore.Response) -> str:
    """The first part of the answer's body; whatever arrives within a second, if it is slow."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(1.0):
            async for part in response.aiter_stream():
                parts.append(part)
                if sum(map(len, parts)) >= _MAX_ANSWER:
                    break
    except (TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        return "(its answer did not arrive in full)"
    text = b"".join(parts)[:_MAX_ANSWER].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)


async def _body(response: httpcore.Response) -> bytes:
    """The answer's body, as far as it is kept: the deadline bounds its time."""
    body = b""
    async for part in response.aiter_stream():
        body += part
        if len(body) > _MAX_BODY:
            break
    return body[:_MAX_BODY]


def _describe(error: Exception) -> str:
    """The kind of failure in words; the error's own text may name the address."""
    handshake = _handshake_error(error)
    if handshake is not None:
        return tls_failure(handshake)  # also where a server refuses our certificate only after the handshake
    if isinstance(error, httpcore.ConnectError):
        return "the connection was refused or its name is unknown"
    if isinstance(error, httpcore.ProtocolError):
        return "it did not answer in HTTP"
    return type(error).__name__


def _handshake_error(error: BaseException | None) -> ssl.SSLError | None:
    """What TLS said, among the errors that led to this one."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
