"""A real `tailwatch serve` at fixed addresses, to be killed and started again, with its memory and its log in view."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.faults.accounting import SPACING_NS, Found, Ledger, Sent
from tests.tailwatch.running import READY_S, command, write_config

SERVICE = "faults"
SLO = "answered"
SLOS = f"""
version: 1
slos:
  - name: {SLO}
    service: {SERVICE}
    sli: {{errors: {{}}}}
    per: [tenant]
    objective: 99%
    window: 30d
"""
TIMEOUT_S = 40.0
"""Longer than a locked database makes a request wait."""
_MIB = 1024 * 1024
_PORTS = count(20_000 + os.getpid() * 31 % 10_000)
"""Below the range of outgoing connections: a retrying sender must not sit on the port of a server that is dead."""
_ROWS = 500
"""Rows asked for at once: the API gives 1,000, and one that is stored twice must have room to show."""


class Server:
    """``tailwatch serve`` in ``folder``.

    Args:
        folder: of configuration, data and log.
        document: settings beside addresses, data directory and SLOs.
        environment: of the process; None for this one's.
        prefix: command before the command, which must ``exec`` it.
    """

    def __init__(
        self,
        folder: Path,
        document: Mapping[str, Any] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        http, grpc = free_port(), free_port()
        self.url, self.http_port, self.grpc = f"http://127.0.0.1:{http}", http, f"127.0.0.1:{grpc}"
        addresses = {"http": f"127.0.0.1:{http}", "grpc": self.grpc}
        self.config = write_config(folder, addresses | dict(document or {}), SLOS)
        self.log = folder / "serve.log"
        self.log.touch()
        self._environment = environment
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None
        # one for all: to make a client costs more than a request, which the server would miss on a small machine
        self.client = httpx.Client(base_url=self.url, timeout=TIMEOUT_S, limits=httpx.Limits(max_connections=None))

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        return self._process

    @property
    def data(self) -> Path:
        """The data directory as the process sees it, which may have mounts of its own."""
        return Path(f"/proc/{self.process.pid}/root{self.config.parent}/data")

    def launch(self) -> None:
        """Start the process and wait for nothing."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._prefix, *command("--config", self.config, "serve")],
                stdout=output, stderr=output, cwd=self.config.parent, env=self._environment,
            )  # fmt: skip

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended: {self.log.read_text()[-4000:]}"
            if self.is_ready():
                return
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log.read_text()[-4000:]}")

    def is_ready(self) -> bool:
        try:
            return self.client.get("/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def kill(self) -> None:
        """``kill -9``; a second time does nothing."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self._process.wait()

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()

    def memory_mib(self) -> float:
        """Resident memory now."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / _MIB

    def reset_peak(self) -> None:
        """Let ``peak_mib`` look at what comes from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_mib(self) -> float:
        """The most resident memory since ``reset_peak``."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024

    def log_size(self) -> int:
        return self.log.stat().st_size

    def log_line(self, pattern: str, since: int = 0) -> str:
        """The first line with ``pattern`` after byte ``since`` of the log, without its time; empty when none is."""
        with self.log.open("rb") as file:
            file.seek(since)
            for line in file.read().decode(errors="replace").splitlines():
                if re.search(pattern, line):
                    return re.sub(r"^\S+ \S+ ", "", line)
        return ""

    def found(self, ledger: Ledger) -> Found:
        """What this server has of what the ledger's senders sent, by its API."""
        groups = self.get(f"/api/v1/slis/{SLO}")["groups"]
        counted = {group["group"]["tenant"]: (group["good"], group["total"]) for group in groups}
        stored: dict[int, int] = {}
        for start_ns, end_ns in _windows(ledger.sent):
            answer = self.get("/api/v1/traces", start=start_ns / 1e9, end=end_ns / 1e9, limit=1000)
            assert len(answer["traces"]) < 1000, "more rows than were sent"
            for row in answer["traces"]:
                number = int(row["span_id"], 16)
                stored[number] = stored.get(number, 0) + 1
        return Found(stored, counted)


def free_port() -> int:
    """A port that nobody listens on."""
    for candidate in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise AssertionError("no port is free")


def _windows(sent: Sequence[Sent]) -> list[tuple[int, int]]:
    """Ranges of time without gaps that hold all of ``sent``, about 500 rows each."""
    edges: list[int] = []
    rows = _ROWS
    for one in sent:
        if rows + one.spans > _ROWS:
            edges.append(one.time_ns - SPACING_NS // 2)
            rows = 0
        rows += one.spans
    edges.append(sent[-1].time_ns + SPACING_NS // 2 if sent else 1)
    return list(pairwise(edges))
