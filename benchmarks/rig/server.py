"""A `tailwatch serve` to measure: started on free ports, asked what it counted, and its database what it stored."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.rig.processes import cpu_seconds
from storage.database import Database
from storage.spans import iterate_columns
from telemetry.windows import NANOS
from tests.postgres import PrivatePostgres, find_binaries
from tests.tailwatch.running import Running, serving, write_config

FOLDER: Final = Path(__file__).resolve().parent
SLOS: Final = FOLDER / "slos.yaml"
PRICES: Final = FOLDER / "prices.yaml"

ALL_CALLS: Final = "bench-errors"
"""The SLO whose total is every call."""

_AROUND_S: Final = 3600.0
_STALLED_S: Final = 60.0
_SETTLE_S: Final = 30.0


class ServerError(Exception):
    """The server does not start, or does not come to rest; the text says what is known."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        name: what to call it.
        running: the process.
        database_url: where its rows are.
    """

    name: str
    running: Running
    database_url: str

    @property
    def pid(self) -> int:
        """The process."""
        return self.running.process.pid

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where it takes OTLP/HTTP."""
        host, _, port = self.running.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def counted(self) -> dict[str, int]:
        """Calls counted so far: ``total`` by the SLI of all calls, ``series`` by the sketches of durations."""
        now = time.time()
        span = {"start": now - _AROUND_S, "end": now + _AROUND_S}
        groups = self.running.get(f"/api/v1/slis/{ALL_CALLS}", **span)["groups"]
        series = self.running.get("/api/v1/series", measure="duration", step=_AROUND_S, **span)["series"]
        return {
            "total": sum(group["total"] for group in groups),
            "series": sum(point["count"] for one in series for point in one["points"]),
        }

    def rows(self) -> int:
        """Spans stored so far, counted by reading them."""
        now_ns = time.time_ns()
        around_ns = round(_AROUND_S * NANOS)
        fields = frozenset({"service"})
        with Database(self.database_url) as database:
            chunks = iterate_columns(database, now_ns - around_ns, now_ns + around_ns, fields=fields)
            return sum(len(chunk) for chunk in chunks)

    def settle(self) -> None:
        """Wait until it has nothing more to commit: senders may have left before their answer.

        Raises:
            ServerError: it holds requests and commits none of them.
        """
        before, changed = None, time.monotonic()
        while before != (now := (self.counted()["series"], self._held_bytes())) or now[1]:
            if now != before:
                changed = time.monotonic()
            elif time.monotonic() > changed + _STALLED_S:
                raise ServerError(f"{self.name} holds {now[1]} bytes and commits nothing for {_STALLED_S:.0f} s")
            before = now
            time.sleep(0.5)

    def warm(self) -> None:
        """Wait until its decoder is compiled: a first start is busy with that.

        Raises:
            ServerError: it will not be.
        """
        while (decoder := self._status()["decoder"])["state"] != "ready":
            if decoder["state"] == "unavailable":
                raise ServerError(f"{self.name} has no compiled decoder: {decoder['text']}")
            time.sleep(0.2)

    def _held_bytes(self) -> int:
        return int(self._status()["counters"]["held_bytes"])

    def _status(self) -> dict[str, Any]:
        return self.running.get("/api/v1/status")


@contextmanager
def tailwatch(
    folder: Path, name: str, *, rows: bool, database_url: str | None = None, settings: dict[str, Any] | None = None
) -> Iterator[Server]:
    """A server with the SLOs and prices of the benchmarks; ``rows`` keeps raw rows.

    Raises:
        ServerError: it does not start, or has no compiled decoder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"slos": [str(SLOS)], "prices": str(PRICES), "raw_retention": "7d" if rows else 0}
    if database_url is not None:
        document["database_url"] = database_url
    config = write_config(folder, document | (settings or {}))
    with ExitStack() as stack:
        try:
            running = stack.enter_context(serving(config))
        except AssertionError as error:
            raise ServerError(f"{name} did not start: {str(error)[-800:]}") from None
        server = Server(name, running, database_url or f"sqlite:///{folder / 'data' / 'tailwatch.db'}")
        server.warm()
        yield server


@contextmanager
def postgres() -> Iterator[PrivatePostgres | None]:
    """A PostgreSQL of the benchmark's own that keeps what it committed; None where none is installed."""
    binaries = find_binaries()
    if binaries is None:
        yield None
        return
    server = PrivatePostgres(binaries, durable=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def end_servers_when_terminated() -> None:
    """Let SIGTERM end this process as Ctrl-C does: through the contexts, which end the servers."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def postgres_cpu_seconds(server: PrivatePostgres) -> float:
    """What the database server and all its processes used so far."""
    return cpu_seconds(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))
