"""A forward proxy on this machine: tunnels for TLS, requests passed on for plain HTTP, and a record of both."""

from __future__ import annotations

import socket
import threading

from tests.alerting.hook_server import HookServer, Request, read_request


class ProxyServer(HookServer):
    """Answers with ``refusal`` if there is one; else connects to whom it is asked for, always on this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: bytes | None = None

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://").removesuffix("/hook")

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                request, data = read_request(connection)
                with self._lock:
                    self.requests.append(request)
                if self.refusal is not None:
                    connection.sendall(self.refusal)
                    return
                self._pass_on(connection, request, data)
            except OSError:
                return  # one of the two is gone

    def _pass_on(self, connection: socket.socket, request: Request, data: bytes) -> None:
        method, target, _ = request.line.split(" ")
        port = target.removeprefix("http://").partition("/")[0].rpartition(":")[2]
        with socket.create_connection(("127.0.0.1", int(port)), 5) as there:
            there.settimeout(5)
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=_copy, args=(there, connection), daemon=True)
                back.start()
                _copy(connection, there)
                back.join(5)
            else:
                there.sendall(data)
                _copy(there, connection)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other one is gone
