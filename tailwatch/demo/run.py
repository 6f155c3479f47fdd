"""The demonstration itself: start everything, send load, inject the fault, watch, score, and end it all."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from reference_model.drills import Drill
from tailwatch.demo.display import Display
from tailwatch.demo.load import TRAFFIC, LoadThread
from tailwatch.demo.processes import Processes, free_port
from tailwatch.demo.report import DrillReport, Truth, score, with_loop
from tailwatch.demo.rollback import hooks_section, loop_of, quick_to_end
from tailwatch.demo.sink import NotificationSink
from telemetry.windows import NANOS

_SECRET_VARIABLE = "TAILWATCH_DEMO_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable, not its value
_PREFERRED_PORTS = {"http": 4318, "grpc": 4317, "reference": 8600, "dashboard": 8501}
_READY_S = 120.0
_PATIENCE_S = 60.0
"""For one answer, on a machine that is busy with other work."""
_CALM_PERCENT = 40.0
_CALM_WITHIN_S = 20.0
_SETTLE_S = 3.0
"""After the webhook: time for the incident's other alerts and the display to catch up."""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What to run.

    Attributes:
        drill: the fault and its truth.
        seconds: how long load is sent; None runs until it is interrupted.
        inject_after_s: seconds of load before the fault.
        dashboard: whether the dashboard is started.
        folder: where data, logs, notifications and configuration go.
        seed: of the load.
        hooks: whether a response hook rolls a bad release back, and the loop is watched until the incident ends.
    """

    drill: Drill
    seconds: float | None
    inject_after_s: float
    dashboard: bool
    folder: Path
    seed: int = 7
    hooks: bool = False


@dataclass(frozen=True, slots=True)
class _Addresses:
    api: str
    grpc: str
    reference: str
    dashboard: str


def run_demo(plan: DemoPlan, display: Display) -> DrillReport:
    """Run the drill and score it. An interrupt ends the load early and is scored as far as it came.

    Raises:
        ProcessFailedError: a part did not start, or ended.
    """
    with ExitStack() as stack:
        processes = stack.enter_context(Processes(plan.folder))
        secret = secrets.token_hex(16)
        sink = NotificationSink(plan.folder / "notifications", secret)
        stack.callback(sink.close)
        addresses = _start(plan, processes, sink, secret, display)
        client = stack.enter_context(httpx.Client(base_url=addresses.api, timeout=_PATIENCE_S))
        _settle(display)
        traffic = loop_of(plan.drill.truth.slo).traffic if plan.hooks else TRAFFIC
        load = LoadThread(addresses.reference, plan.seed, traffic)
        stack.callback(load.stop)
        load.start()
        display.step(f"load begins; {plan.drill.name} follows after {plan.inject_after_s:g} s")
        run = _Run(plan, display, processes, sink, client, load, addresses)
        with _until_interrupt(display):
            run.watch()
        load.stop()
        return run.report()


class _Run:
    """One drill under way."""

    def __init__(
        self,
        plan: DemoPlan,
        display: Display,
        processes: Processes,
        sink: NotificationSink,
        client: httpx.Client,
        load: LoadThread,
        addresses: _Addresses,
    ) -> None:
        self._plan = plan
        self._display = display
        self._processes = processes
        self._sink = sink
        self._client = client
        self._load = load
        self._addresses = addresses
        self._injected_ns: int | None = None
        self._seen_notifications = 0
        self._seen_incidents: dict[str, str] = {}
        self._seen_hooks: set[float] = set()
        self._memory_mib = 0.0

    def watch(self) -> None:
        """Inject the fault when its time has come, and look every second until the time is over."""
        started = time.monotonic()
        done_at: float | None = None
        while self._plan.seconds is None or time.monotonic() - started < self._plan.seconds:
            self._processes.check()
            elapsed = time.monotonic() - started
            if self._injected_ns is None and elapsed >= self._plan.inject_after_s:
                self._inject()
            self._look(elapsed)
            if self._plan.seconds is not None and done_at is None and self.report().passed:
                done_at = time.monotonic()
            if done_at is not None and time.monotonic() - done_at > _SETTLE_S:
                return
            with self._sink.arrived:
                self._sink.arrived.wait(1.0)

    def report(self) -> DrillReport:
        """The drill, scored as it stands now."""
        scored = self._scored()
        if not self._plan.hooks or scored.incident is None:
            return scored
        incident = self._get(f"/api/v1/incidents/{scored.incident['id']}")
        serving = httpx.get(f"{self._addresses.reference}/admin/state", timeout=_PATIENCE_S).json()["models"]
        return with_loop(scored, incident, {name: route["shares"] for name, route in serving.items()})

    def _inject(self) -> None:
        drill = self._plan.drill
        self._injected_ns = time.time_ns()
        if drill.fault is not None:
            answer = httpx.post(
                f"{self._addresses.reference}/admin/faults",
                json={"name": drill.fault, "parameters": dict(drill.parameters)}, timeout=_PATIENCE_S,
            )  # fmt: skip
            answer.raise_for_status()
        if drill.load is not None:
            self._load.change(drill.load)
        self._display.step(f"fault injected: {drill.summary}", "bold yellow")

    def _look(self, elapsed_s: float) -> None:
        self._memory_mib = max(self._memory_mib, self._processes.memory_mib())
        self._display.figures({
            "running": f"{elapsed_s:.0f} s",
            "requests": f"{self._load.sent:,}",
            "spans stored": f"{self._spans_stored():,}",
            "memory": f"{self._memory_mib:,.0f} MiB",
        })  # fmt: skip
        self._display.slos({slo["name"]: _worst(slo) for slo in self._get("/api/v1/slos")["slos"]})
        for incident in self._get("/api/v1/incidents")["incidents"]:
            told = f"{incident['status']} {incident['cause']} {incident['severity']}"
            if self._seen_incidents.get(incident["id"]) != told:
                self._seen_incidents[incident["id"]] = told
                self._tell_incident(incident)
            if self._plan.hooks:
                self._tell_hooks(incident["id"])
        for one in self._sink.received[self._seen_notifications :]:
            self._seen_notifications += 1
            late = (
                ""
                if self._injected_ns is None
                else f", {(one.at_ns - self._injected_ns) / NANOS:.1f} s after the fault"
            )
            self._display.step(f"notification received at {one.path}{late}", "green")
        self._display.refresh()

    def _tell_incident(self, incident: Mapping[str, Any]) -> None:
        slice_ = ", ".join(f"{name}={value}" for name, value in incident["slice"].items()) or "all traffic"
        self._display.step(
            f"incident {incident['id']} {incident['status']}: {incident['title']}; cause {incident['cause']},"
            f" slice {slice_}, runbook {incident['runbook']}",
            "bold red" if incident["status"] == "open" else "",
        )
        if self._plan.dashboard:
            self._display.step(f"look at it: {self._addresses.dashboard}/incidents?incident={incident['id']}")

    def _tell_hooks(self, incident: str) -> None:
        for event in self._get(f"/api/v1/incidents/{incident}")["timeline"]:
            if event["kind"] == "hook" and event["at"] not in self._seen_hooks:
                self._seen_hooks.add(event["at"])
                late = 0.0 if self._injected_ns is None else event["at"] - self._injected_ns / NANOS
                self._display.step(f"{incident}: {event['text']}, {late:.1f} s after the fault", "bold cyan")

    def _spans_stored(self) -> int:
        return int(self._get("/api/v1/status")["counters"]["spans"])

    def _get(self, path: str) -> Any:
        answer = self._client.get(path)
        answer.raise_for_status()
        return answer.json()

    def _scored(self) -> DrillReport:
        truth = self._plan.drill.truth
        return score(
            Truth(self._plan.drill.name, truth.slo, truth.cause, truth.slice, truth.runbook),
            injected_ns=self._injected_ns,
            incidents=self._get("/api/v1/incidents")["incidents"],
            received=self._sink.received,
            requests_sent=self._load.sent,
            spans_stored=self._spans_stored(),
            memory_mib=self._memory_mib,
        )


def _start(plan: DemoPlan, processes: Processes, sink: NotificationSink, secret: str, display: Display) -> _Addresses:
    ports = {name: free_port(port) for name, port in _PREFERRED_PORTS.items()}
    urls = _Addresses(
        api=f"http://127.0.0.1:{ports['http']}",
        grpc=f"127.0.0.1:{ports['grpc']}",
        reference=f"http://127.0.0.1:{ports['reference']}",
        dashboard=f"http://127.0.0.1:{ports['dashboard']}",
    )
    config = _write_config(plan.folder, urls, sink.url, hooks=plan.hooks)
    python = [sys.executable, "-m"]
    display.step("starting the collector, the evaluator and the API")
    environment = {_SECRET_VARIABLE: secret, "TAILWATCH_DEMO_SLACK_URL": f"{sink.url}/slack"}
    processes.start("tailwatch", [*python, "tailwatch", "--config", str(config), "serve"], environment)
    display.step("starting the reference service; its models need some seconds")
    processes.start(
        "reference",
        [*python, "reference_model", "serve", "--port", str(ports["reference"]), "--otlp", urls.api],
        {"CUDA_MODULE_LOADING": os.environ.get("CUDA_MODULE_LOADING", "LAZY")},
    )
    links = {"API": f"{urls.api}/docs", "metrics": f"{urls.api}/metrics", "reference service": f"{urls.reference}/docs"}
    if plan.dashboard:
        processes.start("dashboard", [*python, "dashboard", "--port", str(ports["dashboard"]), "--url", urls.api], {})
        links = {"dashboard": urls.dashboard, **links}
    processes.wait_ready("tailwatch", f"{urls.api}/readyz", timeout_s=_READY_S, waiting=display.refresh)
    display.step("collector ready")
    processes.wait_ready("reference", f"{urls.reference}/readyz", timeout_s=_READY_S, waiting=display.refresh)
    display.step("reference service ready")
    if plan.dashboard:
        processes.wait_ready("dashboard", urls.dashboard, timeout_s=_READY_S, waiting=display.refresh)
        display.step("dashboard ready")
    display.links({**links, "files": str(plan.folder)})
    return urls


def _settle(display: Display) -> None:
    """Wait until starting no longer keeps the processors busy, or the queues of the start would be the first news."""
    deadline = time.monotonic() + _CALM_WITHIN_S
    psutil.cpu_percent()
    while time.monotonic() < deadline:
        if psutil.cpu_percent(interval=1.0) < _CALM_PERCENT:
            return
        display.refresh()
    display.step(
        f"this machine is busy with other work (over {_CALM_PERCENT:.0f} % for {_CALM_WITHIN_S:.0f} s)", "yellow"
    )


def _write_config(folder: Path, urls: _Addresses, sink: str, *, hooks: bool) -> Path:
    """The configuration of the demo's service, as a user would write it."""
    shipped = resources.files("tailwatch.demo")
    for name in ("slos.yaml", "prices.yaml"):
        text = (shipped / name).read_text(encoding="utf-8")
        (folder / name).write_text(quick_to_end(text) if hooks and name == "slos.yaml" else text, encoding="utf-8")
    document: dict[str, Any] = {
        "http": urls.api.removeprefix("http://"),
        "grpc": urls.grpc,
        "data_dir": "data",
        "slos": ["slos.yaml"],
        "prices": "prices.yaml",
        "alerting": {
            "external_url": urls.dashboard,
            "allow_private": ["127.0.0.0/8"],
            "receivers": [
                {
                    "name": "demo",
                    "webhook": {"url": f"{sink}/webhook", "secret_env": _SECRET_VARIABLE},
                    "slack": {"webhook_url_env": "TAILWATCH_DEMO_SLACK_URL"},
                }
            ],
            "route": {"receiver": "demo"},
        },
    }
    if hooks:
        document["alerting"]["hooks"] = hooks_section(urls.reference)
    path = folder / "tailwatch.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


@contextmanager
def _until_interrupt(display: Display) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        display.step("interrupted: ending the load, then every part")


def _worst(slo: Mapping[str, Any]) -> tuple[str, str]:
    """State and budget of the SLO's worst group."""
    order = (
        "misconfigured", "outage", "exhausted", "burning", "late", "corrected", "ok", "not_enough_data", "no_telemetry",
        "no_traffic",
    )  # fmt: skip
    groups = slo["groups"]
    if not groups:
        return "no_traffic", ""
    state = min((group["state"] for group in groups), key=order.index)
    left = [group["budget_remaining"] for group in groups if group["budget_remaining"] is not None]
    return state, f"{min(left):.0%}" if left else ""


def write_report(report: DrillReport, path: Path) -> None:
    """The report as JSON."""
    path.write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")
