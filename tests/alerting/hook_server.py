"""A local HTTP server that answers as it is told, also wrongly, late or never, and keeps what it is sent."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

Answer = Callable[[socket.socket, threading.Event], None]


@dataclass(frozen=True)
class Request:
    """What arrived; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def status(code: int, body: str = "ok", **headers: str) -> Answer:
    """A proper answer."""
    lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body.encode())}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    def answer(connection: socket.socket, _closing: threading.Event) -> None:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    return answer


def raw(text: bytes) -> Answer:
    """These bytes, whatever they are."""
    return lambda connection, _closing: connection.sendall(text)


def silence(_connection: socket.socket, closing: threading.Event) -> None:
    """Nothing, for as long as the caller waits."""
    closing.wait(20)


def drip(head: bytes, endless: bytes) -> Answer:
    """A beginning at once, then one piece after the other without end."""

    def answer(connection: socket.socket, closing: threading.Event) -> None:
        connection.sendall(head)
        for _ in range(2000):
            connection.sendall(endless)
            if closing.wait(0.01):
                return

    return answer


class HookServer:
    """Answers each request with the next of ``answers``, and with ``otherwise`` when there is none left.

    ``speaks_first`` is its behaviour towards whoever connects, where a protocol wants the server to begin.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.otherwise: Answer = status(200)
        self.speaks_first: Answer | None = None
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        # shutdown, not only close: it wakes the thread that waits for a connection.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/hook"

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                if self.speaks_first is not None:
                    self.speaks_first(connection, self._closing)
                    return
                request, _ = read_request(connection)
                with self._lock:
                    self.requests.append(request)
                    answer = self.answers.pop(0) if self.answers else self.otherwise
                answer(connection, self._closing)
            except OSError:
                return  # the caller is gone


class TlsHookServer(HookServer):
    """The same, over TLS; of callers it wants a certificate of ``wanted`` if that is given, and speaks ``newest``."""

    def __init__(
        self, certificate: tuple[Path, Path], *, wanted: Path | None = None, newest: ssl.TLSVersion | None = None
    ) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        if wanted is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(wanted)
        if newest is not None:
            context.maximum_version = newest
        self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)


def read_request(connection: socket.socket) -> tuple[Request, bytes]:
    """The next request, and the same as it arrived."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    line, *rows = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(connection)
    return Request(line, headers, body), head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    if not part:
        raise ConnectionError
    return part
