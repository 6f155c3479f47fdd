"""HTTP connections of uvicorn, bounded in number and in the time that a request may take to arrive; it knows no paths.

uvicorn waits for ever for the rest of a request, and answers 503 beyond its own limit in a way that no exporter reads.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, ClassVar, Final

import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.http import Otlp

_KEEP_ALIVE_S: Final = 75
"""Longer than the interval of any exporter: a connection that is closed just as it is used again costs a request."""

_HANDSHAKE_S: Final = 10.0

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """One connection; the application is an :class:`Otlp`.

    Attributes:
        limit: connections that are served; a quarter more are told to come again, and any beyond are cut off.
        head_s: seconds for the head of a request, and for the first one of a connection to begin.
        request_s: seconds for a whole request, if the application did not end it before.
    """

    limit: ClassVar[int] = 1000
    head_s: ClassVar[float] = 10.0
    request_s: ClassVar[float] = 75.0

    _arriving_since_s: float | None = None
    _has_begun = False
    _has_head = False
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Serve it, refuse its requests, or cut it off."""
        super().connection_made(transport)
        if len(self.connections) > self.limit * 5 // 4:
            transport.abort()
            self._tell(503, "the connection was cut off, since there are too many")
            return
        if len(self.connections) > self.limit and isinstance(self.app, Otlp):
            self.app = self.app.refuse
        self._arriving_since_s = self.loop.time()
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins to arrive."""
        super().on_message_begin()
        self._has_begun = True
        self._has_head = False
        self._arriving_since_s = self.loop.time()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._has_head = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of its body is there: handed on as it is if it is the first since the last was taken, as it mostly is.

        uvicorn would copy it twice, which for large bodies is a quarter of what receiving costs.
        """
        cycle: Any = self.cycle
        if cycle.response_complete:
            return
        if not cycle.body:
            cycle.body = body
        else:
            if isinstance(cycle.body, bytes):
                cycle.body = bytearray(cycle.body)
            cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """It is there."""
        self._arriving_since_s = None
        super().on_message_complete()

    def _look_again(self) -> None:
        """Look at the connection now and then: a timer for each request would cost more than all the rest of this."""
        self._watch = None
        if self.transport.is_closing():
            return
        if self._arriving_since_s is not None:
            arriving_s = self.loop.time() - self._arriving_since_s
            if arriving_s >= (self.request_s if self._has_head else self.head_s):
                # Who has not begun yet gets no answer: it might take it for the one to a request on its way.
                if self._has_begun and not self._has_head:
                    self.transport.write(_TOO_SLOW)
                    self._tell(408, "the head of a request came too slowly")
                self.transport.close()
                return
        self._watch = self.loop.call_later(self.head_s / 2, self._look_again)

    def _tell(self, status: int, reason: str) -> None:
        if isinstance(self.app, Otlp):
            self.app.cut_off(status, str(self.client[0]) if self.client else "an unknown address", reason)


class TlsServer(uvicorn.Server):
    """uvicorn's server on bound sockets, speaking TLS: whoever begins and does not end a handshake is not waited for.

    uvicorn leaves the time for it at uvloop's minute, and a connection counts among its own only after it.
    """

    def __init__(self, config: uvicorn.Config, context: ssl.SSLContext) -> None:
        super().__init__(config)
        self._context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        loop, config = asyncio.get_running_loop(), self.config

        def connection() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        self.servers = [
            await loop.create_server(
                connection, sock=one, backlog=config.backlog, ssl=self._context, ssl_handshake_timeout=_HANDSHAKE_S
            )
            for one in sockets or ()
        ]
        self.started = True


def server_of(
    otlp: Otlp, connection: type[Connection] = Connection, tls: ssl.SSLContext | None = None, **options: Any
) -> uvicorn.Server:
    """An HTTP server on uvloop and httptools; with ``tls`` it speaks nothing else."""
    config = uvicorn.Config(
        otlp,
        http=connection,
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        **options,
    )
    return uvicorn.Server(config) if tls is None else TlsServer(config, tls)
