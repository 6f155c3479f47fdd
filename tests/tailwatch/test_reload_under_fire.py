"""A real server whose SLO files change while requests pour in: at the end its counts are those of its rows."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from collector.cardinality import CardinalityGuard
from collector.rollup import Deltas
from detectors.slo.compile import compile_rules, rule_id
from detectors.slo.parse import load_slos
from storage.database import Database
from storage.rollups import load
from tailwatch.backfill import backfilled, count_stored
from tests.tailwatch.declared import AVAILABILITY, TAIL
from tests.tailwatch.running import Running, serving, traces, write_config

SENDERS = 3
HISTORY = 40
HOUR_NS = 3600 * 10**9
LATENCY = """
  - name: latency
    service: chat
    sli: {latency: {measure: duration, below: 300ms}}
    where: ['model="m"']
    per: [operation]
    objective: 95%
"""
FASTER = LATENCY.replace("300ms", "150ms")
NARROWER = AVAILABILITY + "    where: ['operation=\"chat\"']\n"
EDITS = (
    (AVAILABILITY, LATENCY),
    (AVAILABILITY.replace("99%", "99.9%"), FASTER),
    (AVAILABILITY, "\n  - name: [broken"),
    (NARROWER, FASTER, TAIL),
    (LATENCY, TAIL),
    (AVAILABILITY, LATENCY, TAIL.replace("p90", "p50")),
)


class Fire:
    """Threads that send requests until told to stop, and what was acknowledged."""

    def __init__(self, url: str) -> None:
        self.acknowledged = 0
        self._url = url
        self._ids = itertools.count(1_000_000, 1000)
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def _send(self, client: httpx.Client, end_ns: int) -> None:
        with self._lock:
            first_id = next(self._ids)
        operation = ("chat", "embeddings")[first_id // 1000 % 2]
        duration_ns = (100_000_000, 200_000_000, 400_000_000)[first_id // 1000 % 3]
        body = traces(
            20, end_ns=end_ns, first_id=first_id, bad=first_id // 1000 % 4, duration_ns=duration_ns,
            attributes={"gen_ai.operation.name": operation},
        )  # fmt: skip
        while client.post("/v1/traces", content=body, headers={"Content-Type": "application/x-protobuf"}).is_error:
            time.sleep(0.05)
        with self._lock:
            self.acknowledged += 20

    def history(self, hours: int) -> None:
        """One request for each of the last hours."""
        with httpx.Client(base_url=self._url, timeout=60) as client:
            for hour in range(hours):
                self._send(client, time.time_ns() - hour * HOUR_NS)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stop.is_set():
                self._send(client, time.time_ns())

    @contextmanager
    def burning(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


def edit(server: Running, path: Path, number: int, text: str) -> None:
    """Change the file and wait until it was read: by the server itself, by a signal, and on request, in turn."""
    before = server.get("/api/v1/config")["read_at"]
    path.write_text(text, encoding="utf-8")
    match number % 3:
        case 0:
            pass
        case 1:
            os.kill(server.process.pid, signal.SIGHUP)
        case 2:
            assert httpx.post(f"{server.url}/api/v1/config/reload", timeout=60).status_code in (200, 422)
    server.wait_for("/api/v1/config", lambda config: config["read_at"] > before and not config["under_way"])


def by_hour(rows: Iterable[tuple[str, str, int, int]]) -> Counter[tuple[str, str, int]]:
    """Events by what they are counted for, group and hour: older buckets are folded to wider ones meanwhile."""
    found: Counter[tuple[str, str, int]] = Counter()
    for name, group, bucket_ns, events in rows:
        found[name, group, bucket_ns // HOUR_NS] += events
    return +found


def counted(database: Database, rules: Sequence[str]) -> Counter[tuple[str, str, int]]:
    """What the counters hold: good and total, and values in sketches."""
    kept = load(database, rules, 0, 2**62)
    rows = [
        (f"{one.rule} {verdict}", one.group, bucket_ns, events)
        for one in kept.sli for verdict in ("good", "total")
        for bucket_ns, events in zip(one.bucket_ns.tolist(), getattr(one, verdict).tolist(), strict=True)
    ]  # fmt: skip
    rows += [
        (f"{one.rule} {one.field}", one.group, bucket_ns, sketch.count)
        for one in kept.distributions
        for bucket_ns, sketch in zip(one.bucket_ns.tolist(), one.distributions, strict=True)
    ]
    return by_hour(rows)


def recounted(deltas: Deltas) -> Counter[tuple[str, str, int]]:
    """The same from a fresh count."""
    rows = [
        (f"{one.rule} {verdict}", one.group, one.bucket_ns, getattr(one, verdict))
        for one in deltas.sli for verdict in ("good", "total")
    ]  # fmt: skip
    rows += [
        (f"{one.rule} {one.field}", one.group, one.bucket_ns, one.distribution.count) for one in deltas.distributions
    ]
    return by_hour(rows)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_event_is_lost_or_counted_twice(tmp_path: Path, engine: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("migrated_postgres_url") if engine == "postgresql" else None
    path = tmp_path / "slos.yaml"
    config = write_config(tmp_path, {"database_url": url} if url else {}, f"version: 1\nslos:{AVAILABILITY}")
    with serving(config) as server:
        fire = Fire(server.url)
        fire.history(HISTORY)
        with fire.burning():
            for number, declared in enumerate(EDITS):
                edit(server, path, number, "version: 1\nslos:" + "".join(declared))
                successful = server.get("/api/v1/config")["successful"]
                assert successful == ("broken" not in declared[-1]), server.log.read_text()
                time.sleep(0.3)
        assert server.terminate() == 0, server.log.read_text()
    with Database(url or f"sqlite:///{tmp_path}/data/tailwatch.db") as database:
        slos = load_slos([path]).slos
        rules = [rule for slo in slos for rule in compile_rules(slo)]
        assert {rule.id for rule in rules} <= backfilled(database)
        fresh = recounted(count_stored(database, rules, CardinalityGuard(), time.time_ns()))
        assert counted(database, [rule.id for rule in rules]) == fresh
        for name in (f"{rule_id(slos[0])} total", f"{rule_id(slos[1])} total", f"{rule_id(slos[2])} duration"):
            assert sum(events for key, events in fresh.items() if key[0] == name) == fire.acknowledged
