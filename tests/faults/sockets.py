"""Senders below HTTP: connections cut amid a body, hundreds that trickle, bodies announced or sent without end."""

from __future__ import annotations

import contextlib
import errno
import random
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator

from tests.faults.server import Server
from tests.faults.trial import RECOVERY_S, Outcome, Trial

_HEAD = "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\n"
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""HTTP/2's preface and an empty SETTINGS frame, as a gRPC client begins."""
_CHUNK = 256 * 1024
_TRICKLE_S = 0.5
"""Between the bytes of a slow sender."""


def cut(tried: Trial, *, times: int, seed: int = 1) -> Outcome:
    """Connections that are lost amid a body: by FIN or RST, of HTTP with a length or in chunks, of gRPC."""
    chance = random.Random(seed)
    with tried.attacked():
        for _ in range(times):
            kind = chance.choice(["length", "chunks", "grpc"])
            port = int(tried.server.grpc.rpartition(":")[2]) if kind == "grpc" else tried.server.http_port
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(_beginning(kind, chance.randrange(1, 20_000)))
                if chance.random() < 0.5:  # RST instead of FIN
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _expect_all_given_back(tried)
    return tried.judge(f"{times} connections", growth_mib=64, log="lost amid the body")


def slow(tried: Trial, *, senders: int, patience_s: float) -> Outcome:
    """``senders`` connections of which each sends a byte now and then, half of them of a head, half of a body.

    The server must end every one of them within ``patience_s``, and serve the others all the while.
    """
    with tried.attacked():
        with _trickling(tried.server, senders) as trickle:
            deadline = time.monotonic() + patience_s
            while trickle.alive and time.monotonic() < deadline:
                answer = tried.good()
                tried.expect(answer == "acknowledged", f"beside slow senders a good request was answered {answer}")
                time.sleep(0.1)
        tried.expect(trickle.alive == 0, f"{trickle.alive} slow connections were still open after {patience_s:g} s")
        for answer, times in trickle.answers.items():
            for _ in range(times):
                tried.ledger.note(answer)
        wrong = trickle.answers.keys() - {"408", "closed"}
        tried.expect(not wrong, f"slow senders were answered {', '.join(sorted(wrong))}")
        _expect_all_given_back(tried)
    return tried.judge(f"{senders} connections, a byte every {_TRICKLE_S:g} s", growth_mib=64, log="refused with 408")


def announced(tried: Trial, *, size: int, times: int) -> Outcome:
    """A Content-Length of ``size`` bytes is refused before a byte of the body came."""
    with tried.attacked():
        for turn in range(times):
            more = "Expect: 100-continue\r\n" if turn % 2 else ""
            with socket.create_connection(("127.0.0.1", tried.server.http_port), timeout=RECOVERY_S) as connection:
                connection.sendall(f"{_HEAD}{more}Content-Length: {size}\r\n\r\n".encode())
                answer = _status(connection)
            tried.ledger.note(answer)
            tried.expect(answer == "413", f"it was answered {answer}")
    return tried.judge(f"{times} x Content-Length {size:,}", growth_mib=64, log="refused with 413")


def endless(tried: Trial, *, limit_mib: int, times: int) -> Outcome:
    """A body in chunks without an end is refused once it is beyond the server's limit, and not read for ever."""
    with tried.attacked():
        for turn in range(times):
            if turn == times // 2:
                tried.halfway()
            with socket.create_connection(("127.0.0.1", tried.server.http_port), timeout=RECOVERY_S) as connection:
                connection.sendall(f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
                sent_mib = _send_until_stopped(connection, limit_mib + 256)
                answer = _status(connection)
            tried.ledger.note(answer)
            tried.expect(answer in {"413", "closed"}, f"it was answered {answer}")
            tried.expect(sent_mib < limit_mib + 256, f"{sent_mib} MiB were read of a body limited to {limit_mib}")
    return tried.judge(f"{times} bodies in chunks, limit {limit_mib} MiB", growth_mib=4 * limit_mib, log="with 413")


class _Trickle:
    """Many slow senders in one thread; ``answers`` counts what they were told before they were cut off."""

    def __init__(self, server: Server, senders: int) -> None:
        self.answers: Counter[str] = Counter()
        self._stop = threading.Event()
        self._open: dict[socket.socket, str] = {}
        for number in range(senders):
            connection = socket.create_connection(("127.0.0.1", server.http_port))
            connection.settimeout(0)
            head = _HEAD if number % 2 else f"{_HEAD}Content-Length: 100000\r\n\r\n"
            connection.sendall(head.encode())
            self._open[connection] = "X-Slow: " if number % 2 else ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def alive(self) -> int:
        return len(self._open)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        for connection in list(self._open):
            connection.close()

    def _run(self) -> None:
        begun: set[socket.socket] = set()
        while self._open and not self._stop.wait(_TRICKLE_S):
            for connection, opening in list(self._open.items()):
                text = opening if opening and connection not in begun else "x"
                begun.add(connection)
                if (answer := _send_and_look(connection, text.encode())) is not None:
                    self.answers[answer] += 1
                    connection.close()
                    del self._open[connection]


@contextlib.contextmanager
def _trickling(server: Server, senders: int) -> Iterator[_Trickle]:
    trickle = _Trickle(server, senders)
    trickle.start()
    try:
        yield trickle
    finally:
        trickle.stop()


def _beginning(kind: str, size: int) -> bytes:
    """The head of a request and ``size`` bytes of a body that would be longer."""
    body = b"\x0a" * size
    if kind == "length":
        return f"{_HEAD}Content-Length: 50000\r\n\r\n".encode() + body
    if kind == "chunks":
        return f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n{size * 2:x}\r\n".encode() + body
    return _HTTP2 + body


def _send_until_stopped(connection: socket.socket, most_mib: int) -> int:
    """Send chunk after chunk until the other side answers or hangs up: how many MiB went out."""
    chunk = f"{_CHUNK:x}\r\n".encode() + bytes(_CHUNK) + b"\r\n"
    sent = 0
    with selectors.DefaultSelector() as readable:
        readable.register(connection, selectors.EVENT_READ)
        while sent < most_mib * 1024 * 1024 and not readable.select(0):
            try:
                connection.sendall(chunk)
            except OSError:
                break
            sent += _CHUNK
    return sent // (1024 * 1024)


def _status(connection: socket.socket) -> str:
    """The status of the answer; ``closed`` without one."""
    try:
        answer = connection.recv(4096)
    except OSError:
        return "closed"
    return answer.split()[1].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"


def _send_and_look(connection: socket.socket, text: bytes) -> str | None:
    """What became of a connection that sends ``text``: None while it lives."""
    try:
        answer = connection.recv(4096)
        return answer.split()[1].decode() if answer else "closed"
    except BlockingIOError:
        pass
    except OSError:
        return "closed"
    try:
        connection.send(text)
    except OSError as error:
        return None if error.errno == errno.EAGAIN else "closed"
    return None


def _expect_all_given_back(tried: Trial) -> None:
    """The memory that was set aside for what never came is given back."""
    deadline = time.monotonic() + RECOVERY_S
    while time.monotonic() < deadline:
        held = tried.server.get("/api/v1/status")["counters"]["held_bytes"]
        if held < 100_000:  # good requests are under way
            return
        time.sleep(0.1)
    tried.problems.append(f"{held} bytes are held for connections that are gone")
