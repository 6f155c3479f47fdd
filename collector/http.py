"""OTLP over HTTP: one ASGI endpoint a signal, which reads the request and words the answer; the intake does the rest.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp (1.11).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from collector.admission import Lease
from collector.answers import CONTENT_TYPES, export_response, serialise, status
from collector.decode import Encoding, Signal
from collector.intake import Intake
from collector.pipeline import Request
from telemetry.errors import OverloadedError, PayloadError

PATHS: Final[Mapping[Signal, str]] = MappingProxyType({"span": "/v1/traces", "log": "/v1/logs"})
_METRICS_PATH: Final = "/v1/metrics"
_BODY_TIMEOUT_S: Final = 60.0
"""A sender slower than this holds room that others need."""


def routes(intake: Intake) -> list[Route]:
    """The routes of OTLP: traces and logs, and an honest refusal of metrics."""
    signals = [Route(path, OtlpEndpoint(intake, signal)) for signal, path in PATHS.items()]
    return [*signals, Route(_METRICS_PATH, MetricsEndpoint())]


class OtlpEndpoint:
    """ASGI application that takes Export requests of one signal."""

    def __init__(self, intake: Intake, signal: Signal) -> None:
        self._intake = intake
        self._signal: Signal = signal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nobody is answered who left before the end of the body."""
        headers = Headers(scope=scope)
        encoding = _encoding(headers)
        try:
            response = await self._export(headers, self._checked(scope["method"], headers), receive)
        except PayloadError as error:
            response = _refusal(error.status, str(error), encoding)
            if error.status == 405:
                response.headers["Allow"] = "POST"
        except OverloadedError as error:
            response = _refusal(503, str(error), encoding)
            response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
        if response is not None:
            await response(scope, receive, send)

    def _checked(self, method: str, headers: Headers) -> Encoding:
        """The encoding of a request that is worth reading."""
        encoding = _encoding(headers)
        if method != "POST":
            raise self._invalid(405, f"{method} is not possible here", "send an Export request by POST")
        if encoding is None:
            found = headers.get("content-type", "")
            remedy = f"use one of {', '.join(CONTENT_TYPES.values())}"
            raise self._invalid(415, f"Content-Type {found!r} is not supported", remedy)
        return encoding

    async def _export(self, headers: Headers, encoding: Encoding, receive: Receive) -> Response | None:
        """Read, submit and answer; None when the sender left before the end of the body."""
        lease = self._intake.lease()
        try:
            body = await self._read(headers, lease, receive)
        except BaseException:
            lease.release()
            raise
        if body is None:
            lease.release()
            return None
        compression = headers.get("content-encoding", "").strip().lower() or "identity"
        request = Request(self._signal, encoding, body, compression)
        receipt = await asyncio.wrap_future(self._intake.submit(request, lease))
        message = export_response(self._signal, receipt)
        return Response(serialise(message, encoding), media_type=CONTENT_TYPES[encoding])

    async def _read(self, headers: Headers, lease: Lease, receive: Receive) -> bytes | None:
        """The body; None when the sender left before its end.

        Raises:
            PayloadError: it is too large (413) or comes too slowly (408).
            OverloadedError: there is no room for it.
        """
        limit = self._intake.pipeline.limits.body_bytes
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise self._too_large(limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_S):
                while True:
                    event = await receive()
                    if event["type"] == "http.disconnect":
                        return None
                    part = event.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise self._too_large(limit)
                    lease.grow(len(part))
                    parts.append(part)
                    if not event.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise self._invalid(408, "the body came too slowly", "send smaller batches") from None

    def _too_large(self, limit: int) -> PayloadError:
        return self._invalid(413, f"the body exceeds {limit} bytes", "send smaller batches")

    def _invalid(self, http_status: int, what: str, remedy: str) -> PayloadError:
        """A refusal before the intake has seen the request, counted there all the same."""
        self._intake.count_invalid(http_status)
        return PayloadError(what, status=http_status, remedy=remedy)


class MetricsEndpoint:
    """ASGI application that says that metrics are not taken in, instead of losing them quietly."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404."""
        message = "metrics are not taken in. Switch the metrics exporter off (OTEL_METRICS_EXPORTER=none)"
        response = _refusal(404, message, _encoding(Headers(scope=scope)))
        await response(scope, receive, send)


def _encoding(headers: Headers) -> Encoding | None:
    """The encoding that Content-Type names, its parameters and case aside; None for any other."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return next((encoding for encoding, name in CONTENT_TYPES.items() if name == media_type), None)


def _refusal(http_status: int, message: str, encoding: Encoding | None) -> Response:
    """A ``google.rpc.Status`` in the request's encoding, in JSON where that is unknown."""
    chosen = encoding or "json"
    body = serialise(status(http_status, message), chosen)
    return Response(body, status_code=http_status, media_type=CONTENT_TYPES[chosen])
