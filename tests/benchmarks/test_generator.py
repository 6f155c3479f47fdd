"""The load generator counts what a server really did, also when that answers early, refuses or hangs up."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.rig.generator import Generator, Load, Outcome


@contextmanager
def scripted(answers: list[bytes | None]) -> Iterator[tuple[tuple[str, int], list[bytes]]]:
    """A server that gives one answer after the other, over all connections; None hangs up, and the last one repeats.

    Yields its address and the bodies that it read.
    """
    lock = threading.Lock()
    bodies: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.readline():
                while (line := self.rfile.readline()) != b"\r\n":
                    head += line
                size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                with lock:
                    bodies.append(self.rfile.read(size))
                    answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if answer is None:
                    return
                self.wfile.write(answer)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address, bodies
        finally:
            server.shutdown()
            thread.join()


def answer(status: str, headers: str = "", body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def run(load: Load) -> Outcome:
    with Generator(load) as generator:
        generator.wait_ready()
        generator.go()
        return generator.outcome()


def test_every_answer_is_counted_by_what_it_was() -> None:
    script = [
        answer("200 OK"),
        answer("200 OK", body=b"\x0a\x02\x08\x01"),
        answer("503 Service Unavailable", "Retry-After: 2\r\n"),
        answer("503 Service Unavailable"),
        None,
        answer("400 Bad Request", "Connection: close\r\n", b"no"),
        answer("200 OK"),
    ]
    with scripted(script) as (address, bodies):
        outcome = run(Load(*address, requests=9, connections=1, spans=8))
    assert outcome.statuses == {200: 5, 503: 2, 400: 1}
    assert (outcome.partial, outcome.retry_after, outcome.cut, outcome.unsent) == (1, 1, 1, 0)
    assert len(set(bodies)) == len(bodies) == 9


def test_an_open_loop_sends_what_is_due_and_no_more() -> None:
    with scripted([answer("200 OK")]) as (address, bodies):
        outcome = run(Load(*address, requests=40, connections=4, rate=400, spans=8, fresh=False, gzip_share=0.5))
    assert outcome.acknowledged == len(set(bodies)) == 40
    assert sum(body.startswith(b"\x1f\x8b") for body in bodies) == 20
    assert set(outcome.latencies_ms) == {"p50", "p99", "max"}


def test_what_is_due_without_a_free_connection_is_given_up() -> None:
    # the only connection waits for ever
    with scripted([b""]) as (address, _):
        load = Load(*address, requests=20, seconds=2, connections=1, rate=100, give_up_s=0.1, spans=8)
        outcome = run(load)
    assert outcome.answered == 0
    assert outcome.cut + outcome.unsent == 20
    assert outcome.unsent > 0


def test_it_points_at_this_machine_only() -> None:
    with pytest.raises(ValueError, match="not on loopback"):
        Load("192.0.2.1", 4318, 1)
