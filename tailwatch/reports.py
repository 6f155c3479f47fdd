"""Drift reports: for every open drift incident an HTML file by Evidently, written by a process of its own.

Evidently takes seconds and hundreds of megabytes; neither may be spent where telemetry is taken in.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from alerting.service import Alerting
from detectors.slo.kinds.drift import Drift
from detectors.slo.spec import Slo, SloSet
from telemetry.windows import NANOS

_TIME_LIMIT_S: Final = 300

_log = logging.getLogger(__name__)


class DriftReports:
    """Reports in ``folder``, one a drift incident of ``slos``, which may be replaced; each is tried once a process."""

    def __init__(self, folder: Path, database_url: str, slos: SloSet, alerting: Alerting) -> None:
        self._folder = folder
        self._url = database_url
        self.slos = slos
        self._alerting = alerting
        self._tried: set[str] = set()
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """Give up the report that is being written, and write no more: the service's end must not wait for it."""
        self._closed.set()
        if self._process is not None:
            self._process.kill()

    def path(self, incident_id: str) -> Path:
        """Where the report of an incident is, or would be."""
        return self._folder / f"{incident_id}.html"

    def step(self, now_ns: int) -> None:
        """Write the report of the oldest unresolved incident with a drift alert that has none."""
        unresolved = [*self._alerting.incidents("acknowledged"), *self._alerting.incidents("open")]
        for incident in sorted(unresolved, key=lambda found: found["opened_at"]):
            alert = next((one for one in incident["alerts"] if self._drift_slo(one) is not None), None)
            if alert is not None and incident["id"] not in self._tried and not self.path(incident["id"]).exists():
                self._tried.add(incident["id"])
                self._write(incident["id"], alert, now_ns)
                return

    def _drift_slo(self, alert: Mapping[str, Any]) -> Slo | None:
        slo = self.slos.named(alert["labels"].get("slo", ""))
        return slo if slo is not None and isinstance(slo.sli, Drift) else None

    def _write(self, incident_id: str, alert: Mapping[str, Any], now_ns: int) -> None:
        slo = self._drift_slo(alert)
        assert slo is not None
        assert isinstance(slo.sli, Drift)
        task = {
            "url": self._url,
            "service": slo.service,
            "where": [str(matcher) for matcher in slo.where.items],
            "fields": list(slo.sli.fields),
            "onset_ns": round(alert["since"] * NANOS),
            "now_ns": now_ns,
            "path": str(self.path(incident_id)),
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            fault = self._run(json.dumps(task).encode())
        except OSError as error:
            fault = str(error)
        if fault and not self._closed.is_set():
            _log.warning("no drift report for %s: %s", incident_id, fault)

    def _run(self, task: bytes) -> str:
        """Write one report; what went wrong, or nothing."""
        # The task goes by standard input: a database URL may hold a password, and arguments are public.
        with subprocess.Popen(
            [sys.executable, "-m", "tailwatch.report_process"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            self._process = process
            if self._closed.is_set():
                process.kill()
            try:
                _, told = process.communicate(task, timeout=_TIME_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                return f"it took longer than {_TIME_LIMIT_S} s"
        return " ".join(told.decode(errors="replace").strip().splitlines()[-1:]) if process.returncode else ""
