"""What ten thousand alerts cost that all fire in one tick, and that all end in one: grouped, stored and queued.

Three shapes: all of one service, so one incident; a hundred services; as many services, incidents and notifications as
alerts. Two receivers are told of each. CPU seconds of a process of its own (SQLite works in it), the resident memory
that it took at its most by the end of each of some bursts beyond what it had before the first: flat where a burst
finds room in what the ones before it took. The design asks for less than 5 s, and for flat memory. Usage:

    python benchmarks/alerting_burst.py [--alerts 10000] [--bursts 3] [--services 1 100 10000] [--postgresql]
        [--json benchmarks/results/alerting-burst.json]
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, select

from alerting.config import AlertingConfig
from alerting.receivers.webhook import WebhookReceiver
from alerting.routing import Route
from alerting.service import Alerting
from alerting.tables import outbox
from storage.database import Database
from telemetry.clock import ManualClock
from telemetry.findings import Diagnosis, Finding
from telemetry.windows import NANOS
from tests.postgres import PrivatePostgres, find_binaries

T0 = 1_700_000_000 * NANOS
LIMIT_S = 5.0


def findings(count: int, services: int, since_ns: int) -> list[Finding]:
    """Pages with the evidence of an SLO of errors."""
    evidence = {
        "kind": "errors",
        "objective": 0.999,
        "budget": {"remaining": 0.4, "objective": 0.999, "good": 99_000, "total": 99_900},
        "burn": [{"long": "1h", "short": "5m", "factor": 14.4, "long_burn": 20.0, "short_burn": 31.0, "holds": True}],
    }
    summary = "2 % of requests fail, 20 times what the objective allows"
    return [
        Finding(
            {"alertname": "Burn", "slo": f"slo-{i}", "service": f"service-{i % services}", "severity": "page"},
            "page", since_ns, f"slo-{i}: {summary}", evidence,
        )
        for i in range(count)
    ]  # fmt: skip


def nothing(_finding: Finding) -> Diagnosis | None:
    """No diagnosis: what explains an alert reads stored rows, for eight alerts a tick at most."""
    return None


Figures = dict[str, Any]


def rss_mb() -> float:
    """Resident memory now."""
    return float(psutil.Process().memory_info().rss) / 1e6


def peak_mb() -> float:
    """Resident memory at its most since the process began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def cpu_of(step: Callable[[], object]) -> float:
    """CPU seconds."""
    before = time.process_time()
    step()
    return time.process_time() - before


def measure(url: str, alerts: int, services: int, bursts: int) -> Figures:
    """Some bursts one after the other in this process; the seconds are those of the worst."""
    gc.freeze()  # as ``tailwatch serve`` does once its modules are there
    with Database(url) as database:
        database.upgrade()
        receivers = tuple(WebhookReceiver(name, "http://127.0.0.1:9/") for name in ("oncall", "tickets"))
        route = Route("oncall", routes=(Route("oncall", go_on=True), Route("tickets")))
        alerting = Alerting(database, AlertingConfig(receivers=receivers, route=route), ManualClock(T0))
        alerting.apply(findings(10, 1, T0 - 86400 * NANOS), nothing, T0 - 86400 * NANOS)  # imports and statements
        before_mb, most_mb = rss_mb(), list[float]()
        fire_s, hold_s, end_s = list[float](), list[float](), list[float]()
        for burst in range(bursts):
            now_ns = T0 + burst * 7200 * NANOS
            held = findings(alerts, services, now_ns)
            fire_s.append(cpu_of(partial(alerting.apply, held, nothing, now_ns)))
            hold_s.append(cpu_of(partial(alerting.apply, held, nothing, now_ns + 10 * NANOS)))
            alerting.apply([], nothing, now_ns + 20 * NANOS)
            end_s.append(cpu_of(partial(alerting.apply, [], nothing, now_ns + 80 * NANOS)))
            most_mb.append(round(peak_mb() - before_mb, 1))
        with database.read() as connection:
            queued = connection.execute(select(func.count()).select_from(outbox)).scalar_one()
            told = connection.execute(select(func.count(outbox.c.incident.distinct()))).scalar_one()
    return {
        "incidents": told / bursts, "notifications": queued / bursts, "fire_s": max(fire_s), "hold_s": max(hold_s),
        "end_s": max(end_s), "most_mb": most_mb,
    }  # fmt: skip


def run(url: str, alerts: int, services: int, bursts: int) -> Figures:
    """The measurement in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (url, alerts, services, bursts))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--bursts", type=int, default=3)
    parser.add_argument("--services", type=int, nargs="+", help="default: 1, 100, and as many as alerts")
    parser.add_argument("--postgresql", action="store_true", help="on a private server instead of SQLite")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    binaries = find_binaries() if given.postgresql else None
    server = PrivatePostgres(binaries, durable=True) if binaries else None
    if given.postgresql and server is None:
        raise SystemExit("PostgreSQL is not installed (Debian: apt install postgresql)")
    print("| services | incidents | notifications | firing, s | on, s | ending, s | memory at most by each burst, MB |")
    print("|---|---|---|---|---|---|---|")
    results: dict[str, Figures] = {}
    try:
        if server is not None:
            server.start()
        for services in given.services or (1, 100, given.alerts):
            with tempfile.TemporaryDirectory() as folder:
                url = server.url(server.create_database()) if server else f"sqlite:///{folder}/tailwatch.db"
                found = results[str(services)] = run(url, given.alerts, services, given.bursts)
            print(
                f"| {services:,} | {found['incidents']:,.0f} | {found['notifications']:,.0f} | {found['fire_s']:.2f} |"
                f" {found['hold_s']:.2f} | {found['end_s']:.2f} |"
                f" {', '.join(f'{mb:+.0f}' for mb in found['most_mb'])} |",
                flush=True,
            )
    finally:
        if server is not None:
            server.stop()
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    if any(found["fire_s"] > LIMIT_S or found["end_s"] > LIMIT_S for found in results.values()):
        raise SystemExit(f"more than {LIMIT_S:g} s of CPU")


if __name__ == "__main__":
    main()
