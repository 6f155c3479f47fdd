"""OTLP's answers as ASGI messages, and what becomes of the connection; what to answer, others decide."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from starlette.types import Send

from collector.answers import CONTENT_TYPES, export_response, serialise, status
from collector.decode import Encoding
from collector.http_body import BodyReader
from collector.request import Receipt, Signal
from telemetry.errors import AccessError, OverloadedError, PayloadError

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers without Content-Length, and a body."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    def start(self, *more: Header) -> dict[str, Any]:
        """The message that opens the response."""
        length = (b"content-length", str(len(self.body)).encode())
        return {"type": "http.response.start", "status": self.status, "headers": [*self.headers, length, *more]}


def success(signal: Signal, encoding: Encoding, receipt: Receipt) -> Answer:
    """The answer to a request that was committed."""
    return Answer(200, (_content_type(encoding),), serialise(export_response(signal, receipt), encoding))


def all_good(encoding: Encoding) -> Answer:
    """The answer to a request of which nothing was refused; it is the same for every signal."""
    return _ALL_GOOD[encoding]


def refusal(error: PayloadError | AccessError | OverloadedError, encoding: Encoding | None) -> Answer:
    """A ``google.rpc.Status`` in the request's encoding, in JSON where that is unknown."""
    chosen = encoding or "json"
    headers = [_content_type(chosen)]
    if isinstance(error, OverloadedError):
        http_status = 503
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after_s))).encode()))
    else:
        http_status = error.status
        if isinstance(error, AccessError) and error.challenge:
            headers.append((b"www-authenticate", error.challenge.encode("latin-1", "replace")))
        if http_status == 405:
            headers.append((b"allow", b"POST"))
    return Answer(http_status, tuple(headers), serialise(status(http_status, str(error)), chosen))


async def sent(answer: Answer, send: Send, reader: BodyReader) -> None:
    """Send ``answer``; where too much of the body is still to come, the connection ends with it.

    The end waits a little for the sender to read: a connection that is closed on what was sent is reset, and takes
    the answer with it.
    """
    if answer.status == 200 or reader.rest_is_short():
        await send(answer.start())
        await send({"type": "http.response.body", "body": answer.body})
        return
    await send(answer.start((b"connection", b"close")))
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    await reader.discard()
    await send({"type": "http.response.body"})


def _content_type(encoding: Encoding) -> Header:
    return b"content-type", CONTENT_TYPES[encoding].encode()


_ALL_GOOD: Final[Mapping[Encoding, Answer]] = MappingProxyType(
    {encoding: success("span", encoding, Receipt()) for encoding in CONTENT_TYPES}
)
