"""Offers OTLP requests to a server on loopback and counts its answers; it retries nothing and obeys no Retry-After.

It runs in a process of its own, which says ``ready`` when its bodies are made and begins at a line on its input:
requests over HTTP/1.1 on kept connections, either the next one as soon as the last was answered (closed loop), or at a
fixed rate whatever the server does (open loop; latencies then count from when a request was due).
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import subprocess
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast

import numpy as np
import uvloop

from benchmarks.rig.bodies import Bodies, FreshBodies, NumberedBodies

_TICK_S: Final = 0.002
_START_S: Final = 120.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Load:
    """What to offer.

    Attributes:
        host, port: where; loopback only.
        requests: how many at most; seconds: for how long at most, in which an answer may still come.
        connections: how many at most at once.
        rate: requests a second (open loop); None sends as fast as answers come.
        give_up_s: a request that is due for so long without a free connection is not sent at all; None: never.
        fresh: bodies with ids and times of their own, else numbered ones, which are cheaper.
        gzip_share: share of requests with a compressed body (numbered ones only).
    """

    host: str
    port: int
    requests: int
    seconds: float = 300.0
    connections: int = 4
    rate: float | None = None
    give_up_s: float | None = None
    fresh: bool = True
    gzip_share: float = 0.0
    seed: int = 0
    spans: int = 512
    spans_a_trace: int = 4

    def __post_init__(self) -> None:
        if self.host not in _LOOPBACK:
            raise ValueError(f"{self.host} is not on loopback: a load generator is a weapon elsewhere")


@dataclass(slots=True)
class Outcome:
    """What became of a load.

    Attributes:
        statuses: answers by HTTP status.
        retry_after: refusals (503, 429) with Retry-After.
        partial: answers 200 that reject records (their body is not empty).
        cut: requests sent, at least in part, and never answered.
        unsent: requests that were due and not sent.
        wall_s: from the first request to the last answer.
        cpu_s: of the generator itself.
        latencies_ms: of the answers 200: ``p50``, ``p99``, ``max``.
    """

    statuses: dict[int, int] = field(default_factory=dict)
    retry_after: int = 0
    partial: int = 0
    cut: int = 0
    unsent: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    latencies_ms: dict[str, float] = field(default_factory=dict)

    @property
    def acknowledged(self) -> int:
        """Requests answered 200."""
        return self.statuses.get(200, 0)

    @property
    def answered(self) -> int:
        """Requests that got any answer."""
        return sum(self.statuses.values())


class Generator:
    """The generator's process: made, it gets ready; then ``go`` and ``outcome``. A context manager that ends it."""

    def __init__(self, load: Load) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.rig.generator", json.dumps(dataclasses.asdict(load))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._patience_s = load.seconds + _START_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def wait_ready(self) -> None:
        """Wait until its bodies are made."""
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the load generator ended with status {self._process.wait()}")

    def go(self) -> None:
        """Begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def outcome(self) -> Outcome:
        """Wait for the end."""
        output, _ = self._process.communicate(timeout=self._patience_s)
        if self._process.returncode:
            raise RuntimeError(f"the load generator ended with status {self._process.returncode}")
        document: dict[str, Any] = json.loads(output)
        document["statuses"] = {int(status): count for status, count in document["statuses"].items()}
        return Outcome(**document)


class _Connection(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = bytearray()
        self._due: float | None = None
        self._writing = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(0)  # to be told when a request was sent whole
        self._run.free(self)

    def pause_writing(self) -> None:
        self._writing = True

    def resume_writing(self) -> None:
        self._writing = False
        if self._due is None:  # answered before it was sent whole
            self._run.free(self)

    def send(self, due: float, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.writelines((head, body))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        size = _length(head)
        if len(self._buffer) < end + 4 + size or self._due is None:
            return
        del self._buffer[: end + 4 + size]
        due, self._due = self._due, None
        self._run.answered(int(head[9:12]), due, partial=size > 0, retry_after=b"\r\nretry-after:" in head)
        if b"\r\nconnection: close" in head:
            assert self._transport is not None
            self._transport.abort()
        elif not self._writing:
            self._run.free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        self._run.lost(self, cut=self._due is not None)


class _Run:
    """One load: which connection sends what when."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.outcome = Outcome()
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._sources = _sources(load)
        shown = f"[{load.host}]" if ":" in load.host else load.host
        self._head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: {shown}:{load.port}\r\nContent-Type: application/x-protobuf\r\n"
        )
        self._idle: list[_Connection] = []
        self._open = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._due: deque[float] = deque()
        self._offered = self._sent = self._over = 0
        self._ready: tuple[bytes, bytes] = self._make()
        self._done = asyncio.Event()
        self._last = 0.0

    async def execute(self) -> Outcome:
        """Offer everything; returns when all is answered or the time is over."""
        self._began = time.perf_counter()
        cpu = time.process_time()
        first = self.load.connections if self.load.rate is None else min(self.load.connections, 16)
        await asyncio.gather(*(self._connect() for _ in range(first)))
        pacing = asyncio.create_task(self._pace()) if self.load.rate is not None else None
        try:
            async with asyncio.timeout(self.load.seconds):
                await self._done.wait()
        except TimeoutError:
            self.outcome.cut += self._sent - self._over
        if pacing is not None:
            pacing.cancel()
        outcome = self.outcome
        outcome.statuses = dict(self._statuses)
        outcome.unsent += self.load.requests - self._sent - outcome.unsent
        outcome.wall_s = (self._last or time.perf_counter()) - self._began
        outcome.cpu_s = time.process_time() - cpu
        if self._latencies:
            p50, p99 = np.percentile(self._latencies, [50, 99])
            outcome.latencies_ms = {"p50": p50 * 1e3, "p99": p99 * 1e3, "max": max(self._latencies) * 1e3}
        return outcome

    def free(self, connection: _Connection) -> None:
        """The connection can send the next request."""
        if self.load.rate is None:
            if self._sent < self.load.requests:
                self._send(connection, time.perf_counter())
        elif self._due:
            self._send(connection, self._due.popleft())
        else:
            self._idle.append(connection)

    def answered(self, status: int, due: float, *, partial: bool, retry_after: bool) -> None:
        """Count an answer."""
        self._statuses[status] += 1
        self._last = time.perf_counter()
        if status == 200:
            self._latencies.append(self._last - due)
            self.outcome.partial += partial
        elif status in {429, 503}:
            self.outcome.retry_after += retry_after
        self._finish_one()

    def lost(self, connection: _Connection, *, cut: bool) -> None:
        """The connection is gone; another takes its place."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if cut:
            self.outcome.cut += 1
            self._finish_one()
        if not self._done.is_set():
            self._open_one()

    def _finish_one(self) -> None:
        self._over += 1
        if self._over + self.outcome.unsent >= self.load.requests:
            self._done.set()

    def _send(self, connection: _Connection, due: float) -> None:
        self._sent += 1
        connection.send(due, *self._ready)
        if self._sent < self.load.requests:
            self._ready = self._make()  # while the server is busy with the last one

    def _make(self) -> tuple[bytes, bytes]:
        # Compressed bodies are spread evenly among the others.
        compressed = int(self._sent * self.load.gzip_share) != int((self._sent + 1) * self.load.gzip_share)
        source = self._sources[compressed]
        body = source.next()
        encoding = f"Content-Encoding: {source.compression}\r\n" if source.compression else ""
        return f"{self._head}{encoding}Content-Length: {len(body)}\r\n\r\n".encode(), body

    async def _pace(self) -> None:
        """Let requests fall due at the rate; those without a connection wait, and may give up."""
        assert self.load.rate is not None
        began = time.perf_counter()
        while self._offered < self.load.requests or self._due:
            now = time.perf_counter()
            while self._offered < self.load.requests and began + self._offered / self.load.rate <= now:
                self._due.append(began + self._offered / self.load.rate)
                self._offered += 1
            while self._due and self.load.give_up_s is not None and now - self._due[0] > self.load.give_up_s:
                self._due.popleft()
                self.outcome.unsent += 1
            while self._due and self._idle:
                self._send(self._idle.pop(), self._due.popleft())
            for _ in range(min(len(self._due), self.load.connections - self._open, 8)):
                self._open_one()
            await asyncio.sleep(_TICK_S)
        if self._over + self.outcome.unsent >= self.load.requests:
            self._done.set()

    def _open_one(self) -> None:
        self._open += 1
        task = asyncio.create_task(self._connect(counted=True))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, *, counted: bool = False) -> None:
        self._open += not counted
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), self.load.host, self.load.port)
        except OSError:
            self._open -= 1
            await asyncio.sleep(0.1)
            if not self._done.is_set() and self.load.rate is None:
                self._open_one()


def _length(head: bytes) -> int:
    at = head.find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _sources(load: Load) -> list[Bodies]:
    """Plain bodies, and compressed ones where they are wanted."""
    if load.fresh:
        return [FreshBodies(load.seed, load.spans, load.spans_a_trace)]
    sources: list[Bodies] = [NumberedBodies(load.seed, load.spans, load.spans_a_trace, compressed=False)]
    if load.gzip_share:
        sources.append(NumberedBodies(load.seed, load.spans, load.spans_a_trace, compressed=True))
    return sources


async def _main() -> None:
    load = Load(**json.loads(sys.argv[1]))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    run = _Run(load)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(dataclasses.asdict(await run.execute())), flush=True)


if __name__ == "__main__":
    uvloop.run(_main())
