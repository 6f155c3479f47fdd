"""OTLP over HTTP: a plain ASGI application that reads requests and words the answers; the intake does the rest.

It stands before the application that serves everything else, whose routing and middleware would cost more than the
reading. Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp (1.11).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from collector.answers import CONTENT_TYPES
from collector.decode import Encoding
from collector.http_answers import Answer, all_good, refusal, sent, success
from collector.http_body import BodyReader, Patience
from collector.intake import Intake
from collector.mailbox import Mailbox
from collector.request import Receipt, Request, Signal
from telemetry.errors import AccessError, OverloadedError, PayloadError

PATHS: Final[Mapping[Signal, str]] = MappingProxyType(
    {"span": "/v1/traces", "log": "/v1/logs", "metric": "/v1/metrics"}
)
_LEFT: Final = 0
"""No status: there is nobody to be answered."""
_NOTHING: Final = Receipt()
Admit = Callable[[Scope], None]
_PATIENT: Final = Patience()


def everybody(_scope: Scope) -> None:
    """Let every request come."""


class Otlp:
    """ASGI application that takes Export requests, and hands everything that is not OTLP's to ``otherwise``."""

    def __init__(
        self, intake: Intake, otherwise: ASGIApp, patience: Patience = _PATIENT, admit: Admit = everybody
    ) -> None:
        """``admit`` raises AccessError for an OTLP request that may not come; ``otherwise`` decides for itself."""
        self._intake = intake
        self._otherwise = otherwise
        self._places: dict[str, ASGIApp] = {
            path: OtlpEndpoint(intake, signal, patience, admit) for signal, path in PATHS.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        place = self._places.get(scope["path"]) if scope["type"] == "http" else None
        await (place or self._otherwise)(scope, receive, send)

    def cut_off(self, status: int, sender: str, reason: str) -> None:
        """A connection ends before there was a request on it that could be answered."""
        if status == 503:
            self._intake.count_refused()
        else:
            self._intake.count_invalid(status)
        self._intake.refusals.tell(status, sender, reason)

    async def refuse(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request on a connection too many: come again."""
        self._intake.count_refused()
        headers = Headers(scope)
        error = OverloadedError("the collector has too many connections", retry_after_s=self._intake.retry_after_s)
        answer = refusal(error, headers.encoding)
        self._intake.refusals.tell(answer.status, sender_of(scope), error)
        await send(answer.start((b"connection", b"close")))
        await send({"type": "http.response.body", "body": answer.body})


class OtlpEndpoint:
    """ASGI application that takes Export requests of one signal."""

    def __init__(self, intake: Intake, signal: Signal, patience: Patience, admit: Admit) -> None:
        self._intake = intake
        self._signal: Signal = signal
        self._patience = patience
        self._admit = admit
        self._mailbox: Mailbox | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nobody is answered who left before the end of the body."""
        headers = Headers(scope)
        reader = BodyReader(receive, headers.content_length, self._intake.pipeline.limits.body_bytes, self._patience)
        try:
            answer = await self._export(scope, headers, reader)
        except (PayloadError, AccessError, OverloadedError) as error:
            answer = refusal(error, headers.encoding)
            self._intake.refusals.tell(answer.status, sender_of(scope), error)
        if answer is not None:
            await sent(answer, send, reader)

    async def _export(self, scope: Scope, headers: Headers, reader: BodyReader) -> Answer | None:
        """Read, submit and answer; None when the sender left before the end of the body."""
        try:
            self._admit(scope)
        except AccessError as error:
            self._intake.count_invalid(error.status)
            raise
        encoding = self._checked(scope["method"], headers)
        lease = self._intake.lease()
        try:
            body = await reader.read(lease)
        except BaseException as error:
            lease.release()
            if isinstance(error, PayloadError):
                self._intake.count_invalid(error.status)
            raise
        if body is None:
            lease.release()
            self._intake.refusals.tell(_LEFT, sender_of(scope), "the connection was lost amid the body")
            return None
        if self._mailbox is None:
            self._mailbox = Mailbox(self._intake)
        request = Request(self._signal, encoding, body, headers.content_encoding)
        receipt = await self._mailbox.ask(request, lease)
        if not receipt.rejected:
            return all_good(encoding)
        self._intake.refusals.tell(200, sender_of(scope), receipt.message)
        return success(self._signal, encoding, receipt)

    def _checked(self, method: str, headers: Headers) -> Encoding:
        """The encoding of a request that is worth reading.

        Raises:
            PayloadError: it is not.
        """
        if method != "POST":
            self._intake.count_invalid(405)
            raise PayloadError(f"{method} is not possible here", status=405, remedy="send an Export request by POST")
        if headers.encoding is None:
            self._intake.count_invalid(415)
            raise PayloadError(
                f"Content-Type {headers.content_type!r} is not supported",
                status=415,
                remedy=f"use one of {', '.join(CONTENT_TYPES.values())}",
            )
        return headers.encoding


class Headers:
    """What OTLP reads of a request's head.

    Attributes:
        content_type: as it was sent.
        encoding: the one that it names, its parameters and case aside; None for any other.
        content_encoding: in lower case.
        content_length: the announced size of the body in bytes; None when it is not announced.
    """

    __slots__ = ("content_encoding", "content_length", "content_type", "encoding")

    def __init__(self, scope: Scope) -> None:
        self.content_type = ""
        self.encoding: Encoding | None = None
        self.content_encoding = "identity"
        self.content_length: int | None = None
        for name, value in scope["headers"]:
            if name == b"content-type":
                self.content_type = value.decode("latin-1")
                self.encoding = _ENCODINGS.get(value) or _encoding(self.content_type)
            elif name == b"content-length" and value.isdigit():
                self.content_length = int(value)
            elif name == b"content-encoding":
                self.content_encoding = value.decode("latin-1").strip().lower() or "identity"


def sender_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else "an unknown address"


_ENCODINGS: Final[Mapping[bytes, Encoding]] = MappingProxyType(
    {name.encode(): encoding for encoding, name in CONTENT_TYPES.items()}
)


def _encoding(content_type: str) -> Encoding | None:
    return _ENCODINGS.get(content_type.partition(";")[0].strip().lower().encode("latin-1"))
