"""Drift reports: for every open drift incident an HTML file by Evidently, written by a process of its own.

Evidently takes seconds and hundreds of megabytes; neither may be spent where telemetry is taken in.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from alerting.service import Alerting
from detectors.slo.spec import Drift, SloSet
from telemetry.windows import NANOS

_TIME_LIMIT_S: Final = 300

_log = logging.getLogger(__name__)


class DriftReports:
    """Reports in ``folder``, one a drift incident; each is tried once a process."""

    def __init__(self, folder: Path, database_url: str, slos: SloSet, alerting: Alerting) -> None:
        self._folder = folder
        self._url = database_url
        self._slos = slos
        self._alerting = alerting
        self._tried: set[str] = set()

    def path(self, incident_id: str) -> Path:
        """Where the report of an incident is, or would be."""
        return self._folder / f"{incident_id}.html"

    def step(self, now_ns: int) -> None:
        """Write the report of the oldest open drift incident that has none."""
        for incident in reversed(self._alerting.incidents("open")):
            slo = self._slos.named(incident["slo"])
            name = incident["id"]
            if slo is None or not isinstance(slo.sli, Drift) or name in self._tried or self.path(name).exists():
                continue
            self._tried.add(name)
            self._write(incident, now_ns)
            return

    def _write(self, incident: dict[str, Any], now_ns: int) -> None:
        slo = self._slos.named(incident["slo"])
        assert slo is not None
        assert isinstance(slo.sli, Drift)
        self._folder.mkdir(parents=True, exist_ok=True)
        task = {
            "url": self._url,
            "service": slo.service,
            "where": [str(matcher) for matcher in slo.where.items],
            "fields": list(slo.sli.fields),
            "onset_ns": round(min(alert["since"] for alert in incident["alerts"]) * NANOS),
            "now_ns": now_ns,
            "path": str(self.path(incident["id"])),
        }
        # The task goes by standard input: a database URL may hold a password, and arguments are public.
        done = subprocess.run(
            [sys.executable, "-m", "tailwatch.report_process"],
            input=json.dumps(task).encode(), capture_output=True, timeout=_TIME_LIMIT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            _log.warning("no drift report for %s: %s", incident["id"], " ".join(reason))
