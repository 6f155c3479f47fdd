"""Deliverers that are killed at random instants while a receiver fails half the time, and what the receiver then knows.

Each wave of incidents opens while the wave before it ends, so that there is always something to deliver. The receiver
keeps every request and the order in which they came; it alone is asked afterwards.
"""

from __future__ import annotations

import multiprocessing
import random
import socket
import struct
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess

from sqlalchemy import func, select

from alerting.service import Alerting
from alerting.tables import outbox
from storage.database import Database
from telemetry.clock import SystemClock
from telemetry.windows import NANOS
from tests.alerting.hook_server import HookServer, Request, raw, silence, status
from tests.alerting.killed_courier import config_for, deliver_for_ever
from tests.alerting.makers import SHIPPED, finding, undiagnosed

INCIDENTS = 5
"""In each wave."""
KILLS_A_WAVE = 5
_WAVE_S = 100
_PATIENCE_S = 120.0

# A fork server imports once what each process needs; forking this process, with its threads, would not be safe.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.alerting.killed_courier"])


@dataclass
class Flaky:
    """Answers: half of them failures, of which some come after the notification was taken in."""

    seed: int
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def __call__(self, connection: socket.socket, closing: threading.Event) -> None:
        """Answer one request."""
        place = self.random.random()
        if place < 0.5:
            status(200)(connection, closing)
        elif place < 0.6:
            status(500)(connection, closing)
        elif place < 0.7:
            status(503, Retry_After="0")(connection, closing)
        elif place < 0.8:
            raw(b"")(connection, closing)
        elif place < 0.9:
            raw(b"\x00garbage")(connection, closing)
        elif place < 0.99:  # closing at once with this option resets the connection
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            silence(connection, closing)


@dataclass
class Verdict:
    """What the receiver knows, against what has happened."""

    changes: int = 0
    requests: int = 0
    lost: list[tuple[str, str]] = field(default_factory=list)
    second_keys: list[tuple[str, str]] = field(default_factory=list)
    shared_keys: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing lost, one key a change, in order."""
        return not (self.lost or self.second_keys or self.shared_keys or self.disordered)


def run_trial(url: str, database: Database, hook: HookServer, *, kills: int, couriers: int, seed: int) -> Verdict:
    """Kill one deliverer after the other, while ``couriers`` of them share the outbox, and judge."""
    moments = random.Random(seed)
    hook.otherwise = Flaky(seed)
    alerting = Alerting(database, config_for(hook.url), SystemClock(), SHIPPED)
    waves = -(-kills // KILLS_A_WAVE)
    began_ns = SystemClock().now_ns() - (waves + 3) * _WAVE_S * NANOS
    running = [_started(url, hook) for _ in range(couriers)]
    try:
        for wave in range(waves + 2):
            services = [f"service-{wave}-{number}" for number in range(INCIDENTS)] if wave < waves else []
            found = [finding(service=service, slo=service) for service in services]
            for seconds in (0, 61):  # the wave before is absent, and absent for longer than the keeping
                alerting.apply(found, undiagnosed, began_ns + (wave * _WAVE_S + seconds) * NANOS)
            for _ in range(KILLS_A_WAVE if wave < waves else 0):
                enough = len(hook.requests) + moments.randint(1, 3)
                _wait_for(lambda enough=enough: len(hook.requests) >= enough or _pending(database) == 0)
                time.sleep(moments.uniform(0.0, 0.03))  # not to wait for anything: to hit any instruction
                victim = moments.randrange(couriers)
                _ended(running[victim])
                running[victim] = _started(url, hook)
        _wait_for(lambda: _pending(database) == 0)
    finally:
        for process in running:
            _ended(process)
    return judge(hook.requests, waves * INCIDENTS)


def judge(requests: list[Request], incidents: int) -> Verdict:
    """What the receiver was told of so many incidents, each of which opened and ended."""
    keys, changes, order = defaultdict(set), defaultdict(set), defaultdict(list)
    for sent in requests:
        document, key = sent.document, sent.headers["idempotency-key"]
        change = document["incident"]["id"], document["reason"]
        if key not in changes:
            order[change[0]].append(change[1])
        keys[change].add(key)
        changes[key].add(change)
    expected = {(f"INC-{number + 1}", reason) for number in range(incidents) for reason in ("opened", "resolved")}
    return Verdict(
        len(expected),
        len(requests),
        lost=sorted(expected - keys.keys()),
        second_keys=sorted(change for change, known in keys.items() if len(known) > 1 or change not in expected),
        shared_keys=sorted(key for key, known in changes.items() if len(known) > 1),
        disordered=sorted(name for name, reasons in order.items() if reasons != ["opened", "resolved"]),
    )


def _started(url: str, hook: HookServer) -> ForkServerProcess:
    process = _PROCESSES.Process(target=deliver_for_ever, args=(url, hook.url), daemon=True)
    process.start()
    return process


def _ended(process: ForkServerProcess) -> None:
    process.kill()
    process.join(10)


def _pending(database: Database) -> int:
    with database.read() as connection:
        query = select(func.count()).select_from(outbox).where(outbox.c.status == "pending")
        return int(connection.execute(query).scalar_one())


def _wait_for(condition) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "nobody delivers"
        time.sleep(0.005)
