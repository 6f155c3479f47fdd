"""OTLP over gRPC: Export of every signal into the same intake. grpc is imported here only, by who serves it.

A unary call is read here like a stream of one message, which is the same on the wire: so a call can be refused before
gRPC holds its message, and few are held before the intake has leased room for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # no py.typed in it
from grpc import aio

from collector.admission import Lease
from collector.answers import export_response, status
from collector.intake import Intake
from collector.mailbox import Mailbox
from collector.request import Receipt, Request, Signal
from telemetry.errors import AccessError, ConfigError, OverloadedError, PayloadError
from telemetry.windows import NANOS

_SERVICES: Final[dict[Signal, str]] = {
    "span": "opentelemetry.proto.collector.trace.v1.TraceService",
    "log": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metric": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
_STREAMS_PER_CONNECTION: Final = 32
_CONNECTIONS: Final = 256
_CALLS: Final = 512
"""Calls at once; of each, gRPC holds no more than a window of some kilobytes until it is read."""

_READERS: Final = 8
"""Messages that are read at once: gRPC says how large one is only when it holds it whole."""

_MESSAGE_S: Final = 10.0
"""A sender slower than this holds a place that others need."""

_HANDSHAKE_S: Final = 10

Admit = Callable[[Iterable[tuple[str, str | bytes]]], None]
Pem = Callable[[], tuple[bytes, bytes]]
Handler = Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]


def everybody(_metadata: Iterable[tuple[str, str | bytes]]) -> None:
    """Let every call come."""


class GrpcServer:
    """The gRPC side of the collector, on one port."""

    def __init__(self, intake: Intake, address: str, admit: Admit = everybody, pem: Pem | None = None) -> None:
        """``address`` is ``host:port``; port 0 takes a free one, see :meth:`start`.

        ``admit`` is given the metadata of a call, and raises AccessError for one that may not come. ``pem`` tells for
        each connection the key and the chain of certificates by which TLS is spoken; without it none is.
        """
        self._intake = intake
        self._admit = admit
        self._address = address
        self._pem = pem
        self._server: Any = None
        self._mailbox: Mailbox | None = None
        self._readers = asyncio.Semaphore(_READERS)
        self._calls = 0

    async def start(self) -> int:
        """Serve, and return the port.

        Raises:
            ConfigError: the address cannot be bound.
        """
        self._mailbox = Mailbox(self._intake)
        self._server = aio.server(
            options=(
                ("grpc.max_receive_message_length", self._intake.pipeline.limits.body_bytes),
                ("grpc.max_concurrent_streams", _STREAMS_PER_CONNECTION),
                ("grpc.max_allowed_incoming_connections", _CONNECTIONS),
                ("grpc.server_handshake_timeout_ms", _HANDSHAKE_S * 1000),
                ("grpc.so_reuseport", 0),
            )
        )
        self._server.add_generic_rpc_handlers(tuple(self._service(signal) for signal in _SERVICES))
        try:
            if self._pem is None:
                port = int(self._server.add_insecure_port(self._address))
            else:
                port = int(self._server.add_secure_port(self._address, _credentials(self._pem)))
        except RuntimeError:
            raise ConfigError(
                "the gRPC port cannot be opened", where=self._address, remedy="is another process using it?"
            ) from None
        await self._server.start()
        return port

    async def stop(self, grace_s: float = 5.0) -> None:
        """Take no more requests, and let those on their way end within ``grace_s`` seconds."""
        if self._server is not None:
            await self._server.stop(grace_s)

    async def _ask(self, signal: Signal, messages: AsyncIterator[bytes]) -> Receipt:
        """The receipt for the request in ``messages``.

        Raises:
            PayloadError: refused for good.
            OverloadedError: not stored, come again.
        """
        assert self._mailbox is not None
        if self._calls >= _CALLS:
            self._intake.count_refused()
            raise OverloadedError("the collector has too many calls", retry_after_s=self._intake.retry_after_s)
        self._calls += 1
        try:
            lease = self._intake.lease()
            try:
                body = await self._read(messages, lease)
            except BaseException:
                lease.release()
                raise
            return await self._mailbox.ask(Request(signal, "protobuf", body), lease)
        finally:
            self._calls -= 1

    async def _read(self, messages: AsyncIterator[bytes], lease: Lease) -> bytes:
        async with self._readers:
            try:
                async with asyncio.timeout(_MESSAGE_S):
                    body = await anext(messages, None)
            except TimeoutError:
                raise self._invalid(408, "the message came too slowly", "send smaller batches") from None
            if body is None:  # gRPC itself has refused what is too large, or the sender has left
                limit = self._intake.pipeline.limits.body_bytes
                raise self._invalid(400, f"the call has no message of at most {limit} bytes", "send smaller batches")
            lease.grow(len(body))
            return body

    def _invalid(self, http_status: int, what: str, remedy: str) -> PayloadError:
        self._intake.count_invalid(http_status)
        return PayloadError(what, status=http_status, remedy=remedy)

    def _service(self, signal: Signal) -> Any:
        """The service's Export, on bytes: the intake decodes, and knows a repeat by its bytes."""
        method = grpc.stream_unary_rpc_method_handler(self._export(signal))
        return grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": method})

    def _export(self, signal: Signal) -> Handler:
        async def export(messages: AsyncIterator[bytes], context: Any) -> bytes:
            try:
                self._admit(context.invocation_metadata() or ())
                receipt = await self._ask(signal, messages)
            except AccessError as error:
                self._intake.count_invalid(error.status)
                self._intake.refusals.tell(error.status, context.peer(), error)
                await _abort(context, error.status, str(error))
                raise
            except PayloadError as error:
                self._intake.refusals.tell(error.status, context.peer(), error)
                await _abort(context, error.status, str(error))
                raise
            except OverloadedError as error:
                self._intake.refusals.tell(503, context.peer(), error)
                await _abort(context, 503, str(error), retry_after_s=error.retry_after_s)
                raise
            if receipt.rejected:
                self._intake.refusals.tell(200, context.peer(), receipt.message)
            return export_response(signal, receipt).SerializeToString()

        return export


def _credentials(pem: Pem) -> Any:
    shown = pem()

    def renewed() -> Any:
        """What has changed since the last connection; None: nothing."""
        nonlocal shown
        before, shown = shown, pem()
        return None if shown == before else grpc.ssl_server_certificate_configuration([shown])

    return grpc.dynamic_ssl_server_credentials(grpc.ssl_server_certificate_configuration([shown]), renewed)


async def _abort(context: Any, http_status: int, message: str, *, retry_after_s: float | None = None) -> None:
    """End the call with the status, its details in the place where gRPC's rich errors are read; always raises."""
    details = status(http_status, message)
    if retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(round(retry_after_s * NANOS))
        details.details.add().Pack(RetryInfo(retry_delay=delay))
    trailing = (("grpc-status-details-bin", details.SerializeToString()),)
    try:
        await context.abort(_CODES[http_status], message, trailing_metadata=trailing)
    except aio.InternalError:
        raise asyncio.CancelledError from None  # the call is over already, and nobody is there to hear it
