"""Senders that are too slow, too many or too large lose their connection, and with it nothing but their own request."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httptools
import httpx
import pytest
import uvloop
from google.rpc.status_pb2 import Status
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.connections import Connection
from collector.http_body import Patience
from collector.intake import DEFAULT_CAPACITY, Intake
from collector.limits import Limits
from collector.pipeline import Pipeline
from telemetry.clock import SystemClock
from tests.collector.messages import span, traces
from tests.collector.serving import serve

PROTOBUF = "application/x-protobuf"
LIMIT = 3 * 1024 * 1024


class Impatient(Connection):
    head_s = 0.4
    request_s = 0.8


class Crowded(Connection):
    limit = 4


class Answer:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body


@pytest.fixture(scope="module")
def intake() -> Iterator[Intake]:
    opened = Intake(lambda payloads: None, SystemClock(), Pipeline(limits=Limits(body_bytes=LIMIT)))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def url(intake: Intake) -> Iterator[str]:
    with serve(intake, Impatient, Patience(grace_s=0.3, bytes_per_s=1e6, body_s=0.6, linger_s=0.2)) as address:
        yield address


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as connection:
        yield connection


def head(length: int | None = None, *, more: str = "") -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\n{size}\r\n{more}\r\n".encode()


def body() -> bytes:
    return traces([span(1, end_ns=SystemClock().now_ns())]).SerializeToString()


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


def parsed(received: bytes) -> tuple[int, dict[str, str], bytes]:
    answer = Answer()
    parser = httptools.HttpResponseParser(answer)
    parser.feed_data(received)
    return parser.get_status_code(), answer.headers, answer.body


def refusal(received: bytes) -> tuple[int, str]:
    """The status and message of an answer that ends its connection."""
    status, headers, content = parsed(received)
    assert headers["content-type"] == PROTOBUF
    assert headers["connection"] == "close"
    return status, Status.FromString(content).message


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether ``is_so`` becomes true, once the server has had its time."""
    pause = threading.Event()
    return any(is_so() or pause.wait(0.01) for _ in range(3000))


def released(intake: Intake) -> bool:
    return eventually(lambda: intake.counters().held_bytes == 0)


def test_an_announced_body_beyond_the_limit_is_refused_before_any_of_it_is_sent(url: str, intake: Intake) -> None:
    with connected(url) as connection:
        connection.sendall(head(2 * 1024**3))
        status, message = refusal(read_to_end(connection))
    assert status == 413
    assert str(LIMIT) in message
    assert released(intake)


def test_who_sends_on_after_a_refusal_still_reads_it(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(head(2 * 1024**3) + bytes(4 * LIMIT))
        assert refusal(read_to_end(connection))[0] == 413


def test_a_short_body_that_is_refused_does_not_cost_the_connection(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        assert (
            client.post("/v1/traces", content=bytes(100_000), headers={"Content-Type": "text/plain"}).status_code == 415
        )
        answer = client.post("/v1/traces", content=body(), headers={"Content-Type": PROTOBUF})
        assert (answer.status_code, answer.headers.get("connection")) == (200, None)


def test_a_chunked_body_beyond_the_limit_is_refused_as_it_comes(url: str, intake: Intake) -> None:
    with connected(url) as connection:
        connection.sendall(head())
        part = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        connection.sendall(part * 4)
        assert refusal(read_to_end(connection))[0] == 413
    assert released(intake)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_body_in_pieces_is_put_together(url: str, size: int) -> None:
    whole = traces(
        [span(n, end_ns=SystemClock().now_ns(), custom="x" * 500) for n in range(1, 301)]
    ).SerializeToString()
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    with connected(url) as connection:
        connection.sendall(head() + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n")
        received = connection.recv(65536)
    status, headers, content = parsed(received)
    assert (status, headers["content-type"], content) == (200, PROTOBUF, b"")


def test_a_body_that_comes_too_slowly_is_408_and_gives_its_room_back(url: str, intake: Intake) -> None:
    before = intake.counters().requests_invalid[408]
    with connected(url) as connection:
        connection.sendall(head(1000) + b"x" * 10)
        status, message = refusal(read_to_end(connection))
    assert (status, "slowly" in message) == (408, True)
    assert intake.counters().requests_invalid[408] == before + 1
    assert released(intake)


def test_a_body_that_does_not_come_while_the_collector_is_busy_shall_come_again(url: str, intake: Intake) -> None:
    with connected(url) as connection, intake.lease() as others:
        others.grow(DEFAULT_CAPACITY * 2 // 3)
        connection.sendall(head(1000) + b"x" * 10)
        status, headers, content = parsed(read_to_end(connection))
    assert (status, headers["connection"]) == (503, "close")
    assert int(headers["retry-after"]) >= 1
    assert "busy" in Status.FromString(content).message


def test_a_head_that_comes_too_slowly_is_408(url: str) -> None:
    with connected(url) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-")
        status, headers, _ = parsed(read_to_end(connection))
    assert (status, headers["connection"]) == (408, "close")


def test_a_connection_on_which_nothing_comes_is_closed_without_a_word(url: str) -> None:
    with connected(url) as connection:
        assert read_to_end(connection) == b""


def test_the_head_of_a_later_request_has_to_come_as_well(url: str) -> None:
    with connected(url) as connection:
        request = head(len(body())) + body()
        connection.sendall(request)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(request[:20])
        assert parsed(read_to_end(connection))[0] == 408


def test_a_request_that_nobody_waits_for_any_more_has_to_end(url: str) -> None:
    """The answer was sent before the body: without a bound, the sender could keep its connection for ever."""
    with connected(url) as connection:
        connection.sendall(head(1000).replace(PROTOBUF.encode(), b"text/plain") + b"x" * 10)
        assert parsed(read_to_end(connection))[0] == 415


def test_connections_are_bounded() -> None:
    """Beyond the limit they are told to come again; beyond that they are cut off; later ones are served."""
    request = head(len(body())) + body()
    intake = Intake(lambda payloads: None, SystemClock())

    def is_served(connection: socket.socket) -> bool:
        connection.sendall(request)
        return connection.recv(65536).startswith(b"HTTP/1.1 200")

    def is_served_anew() -> bool:
        with connected(url) as connection:
            return is_served(connection)

    with serve(intake, Crowded) as url:
        with ExitStack() as stack:
            served = [stack.enter_context(connected(url)) for _ in range(Crowded.limit)]
            assert all(is_served(connection) for connection in served)
            told, cut = (stack.enter_context(connected(url)) for _ in range(2))
            told.sendall(request)
            assert read_to_end(cut) == b""
            received = read_to_end(told)
            assert refusal(received)[0] == 503
            assert int(parsed(received)[1]["retry-after"]) >= 1
            assert intake.counters().requests_refused == 2
            assert is_served(served[0])
        assert eventually(is_served_anew)


def test_the_server_runs_on_uvloop_and_httptools(intake: Intake) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        loops.append(asyncio.get_running_loop())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with serve(Intake(lambda payloads: None, SystemClock()), otherwise=note) as address:
        assert httpx.get(f"{address}/anything").status_code == 204
    assert isinstance(loops[0], uvloop.Loop)
    assert issubclass(Connection, HttpToolsProtocol)
