"""How long a state change takes to reach a receiver: from an incident's opening, and from what people do, to the sink.

A real `tailwatch serve` with an SLO for each service, one webhook and one response hook. Each service in turn sends
failures over OTLP/HTTP; its incident is then acknowledged (the hook hears of it), resolved, re-opened, resolved again.
"opened" counts from the `opened_at` that the API tells, which is when the evaluation that opened it began; the others
count from the moment that the request was sent, since the attempt may arrive before the API's answer. Each ends when
the first attempt has arrived whole. Ends with status 1 when the slowest took more than a second. Usage:

    python benchmarks/alerting_latency.py [--incidents 60] [--json benchmarks/results/alerting-latency.json]
"""

from __future__ import annotations

import argparse
import json
import queue
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import yaml

from tests.tailwatch.running import Running, serving, traces, write_config

LIMIT_S: Final = 1.0
MOST: Final = 100
"""A response hook pauses itself after as many runs that mend nothing."""
PATIENCE_S: Final = 30.0
_CALLS: Final = 200
_FAILED: Final = 100
_CHANGES: Final = ("opened", "acknowledged", "resolved", "reopened")
_ACTIONS: Final = (
    ("acknowledge", "acknowledged"), ("resolve", "resolved"), ("reopen", "reopened"), ("resolve", "resolved"),
)  # fmt: skip
"""Resolved in the end, or the next service's failures would be taken for part of the same incident."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What arrived at the sink, and when, in seconds since the epoch."""

    at: float
    document: dict[str, Any]


@dataclass
class Sink:
    """A receiver that takes everything."""

    address: str = ""
    attempts: queue.Queue[Attempt] = field(default_factory=queue.Queue)

    def wait_for(self, incident: str, reason: str) -> Attempt:
        """The attempt that tells this; what else arrives meanwhile is dropped.

        Raises:
            SystemExit: it does not come.
        """
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                attempt = self.attempts.get(timeout=max(ends - time.monotonic(), 0))
            except queue.Empty:
                raise SystemExit(f"{incident}: {reason} did not arrive within {PATIENCE_S:.0f} s") from None
            told = attempt.document
            if told["reason"] == reason and incident in (told["incident"]["id"], told["incident"].get("service")):
                return attempt


@contextmanager
def listening() -> Iterator[Sink]:
    """A sink on a free port."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.attempts.put(Attempt(time.time(), json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Keep the terminal for the table."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def configure(folder: Path, address: str, services: Sequence[str]) -> Path:
    """The configuration of the server to measure."""
    url = f"http://{address}/"
    hook = {
        "name": "note", "on": ["acknowledge"], "url": url, "per_hour": 1000, "pause_after": MOST,
        "body": '{"reason": "acknowledged", "incident": {"id": {{ incident.id | tojson }}}}',
    }  # fmt: skip
    alerting = {
        "receivers": [{"name": "oncall", "webhook": {"url": url, "format": "tailwatch"}}],
        "route": {"receiver": "oncall"},
        "allow_private": ["127.0.0.0/8"],
        "hooks": {"allow": [address], "actions": [hook]},
    }
    slos = [
        {"name": name, "service": name, "sli": {"errors": {}}, "objective": "99%", "alert": "page-and-ticket"}
        for name in services
    ]
    return write_config(folder, {"alerting": alerting}, yaml.safe_dump({"version": 1, "slos": slos}))


def measure(running: Running, sink: Sink, services: Sequence[str]) -> dict[str, list[float]]:
    """Seconds that each change of each service's incident took."""
    taken: dict[str, list[float]] = {change: [] for change in _CHANGES}
    with httpx.Client(base_url=running.url, timeout=PATIENCE_S) as api:
        for number, service in enumerate(services):
            first_id = 1 + number * _CALLS
            running.send(traces(_CALLS, end_ns=time.time_ns(), bad=_FAILED, service=service, first_id=first_id))
            opened = sink.wait_for(service, "opened")
            name = opened.document["incident"]["id"]
            taken["opened"].append(opened.at - api.get(f"/api/v1/incidents/{name}").json()["opened_at"])
            for verb, change in _ACTIONS:
                began = time.time()
                api.post(f"/api/v1/incidents/{name}/{verb}", json={"author": "bench"}).raise_for_status()
                taken[change].append(sink.wait_for(name, change).at - began)
    return taken


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--incidents", type=int, default=60, help=f"at most {MOST}")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    if not 1 <= given.incidents <= MOST:
        parser.error(f"--incidents {given.incidents}: give 1 to {MOST}")
    services = [f"service-{number}" for number in range(given.incidents)]
    with (
        tempfile.TemporaryDirectory() as folder,
        listening() as sink,
        serving(configure(Path(folder), sink.address, services)) as running,
    ):
        running.wait_for("/api/v1/status", lambda status: status["decoder"]["state"] != "compiling")
        taken = measure(running, sink, services)
    print("| state change | changes | median, ms | p99, ms | maximum, ms |")
    print("|---|---|---|---|---|")
    for change, seconds in taken.items():
        median, p99 = np.percentile(seconds, [50, 99]) * 1e3
        print(f"| {change} | {len(seconds)} | {median:.0f} | {p99:.0f} | {max(seconds) * 1e3:.0f} |")
    if given.json:
        given.json.write_text(json.dumps(taken, indent=1) + "\n")
    if max(map(max, taken.values())) > LIMIT_S:
        raise SystemExit(f"more than {LIMIT_S:g} s")


if __name__ == "__main__":
    main()
