"""Findings, diagnoses and set-ups of alerting, as the tests of this folder need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, select

from alerting.config import AlertingConfig, parse_alerting
from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers.trust import Trust, networks_of
from alerting.routing import GroupTiming, Route
from alerting.runbooks.library import RunbookLibrary
from alerting.service import Alerting
from alerting.tables import outbox
from storage.database import Database
from telemetry.clock import ManualClock
from telemetry.findings import Diagnosis, Finding, Severity
from telemetry.windows import NANOS

T0 = 1_700_000_000 * NANOS
SHIPPED = RunbookLibrary()
LOOPBACK = Trust(networks_of(["127.0.0.0/8"]))
"""The servers of the tests are on this machine, and it must be said that they may be told."""


DOWN = Outcome("transient", "down")


def outbox_rows(database: Database) -> Sequence[RowMapping]:
    """The rows of the outbox, the first first."""
    with database.read() as connection:
        return connection.execute(select(outbox).order_by(outbox.c.id)).mappings().all()


def at(seconds: float) -> int:
    """Nanoseconds, this many seconds after the tests' beginning of time."""
    return T0 + round(seconds * NANOS)


def finding(
    name: str = "errors-burn",
    *,
    slo: str = "request-errors",
    service: str = "chat",
    severity: Severity = "page",
    since: float = 0.0,
    suppressed_by: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    runbook: str | None = None,
    **group: str,
) -> Finding:
    labels = {"alertname": name, "slo": slo, "service": service, "severity": severity, **group}
    facts = {"budget": {"remaining": 0.5, "objective": 0.995}, **(evidence or {})}
    return Finding(labels, severity, at(since), f"{name} of {slo}", facts, runbook, suppressed_by)


def diagnosis(cause: str = "slice-errors", confidence: float | None = 0.9, **slice_: str) -> Diagnosis:
    return Diagnosis(cause, f"because of {cause}", confidence, slice_, {})


def undiagnosed(_finding: Finding) -> Diagnosis | None:
    return None


@dataclass
class Recorder:
    """A receiver that keeps what it is told, and answers what it is told to."""

    name: str = "oncall"
    send_resolved: bool = True
    answers: list[Outcome] = field(default_factory=list)
    heard: list[Notification] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.name}/recorder"

    def check(self) -> None:
        return None

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        outcome = self.answers.pop(0) if self.answers else Outcome("delivered")
        self.keys.append(idempotency_key)
        if outcome.kind == "delivered":
            self.heard.append(notification)
        return outcome

    @property
    def reasons(self) -> list[str]:
        return [notification.reason for notification in self.heard]


def set_up(database: Database, *receivers: Recorder, route: Route | None = None, **settings: Any) -> Alerting:
    """Alerting that tells the receivers, the first of them unless a route says otherwise."""
    if receivers and route is None:
        route = Route(receivers[0].name, timing=GroupTiming())
    config = AlertingConfig(receivers=tuple(receivers), route=route, **settings)
    return Alerting(database, config, ManualClock(T0), SHIPPED)


def parse(document: Mapping[str, Any]) -> AlertingConfig:
    return parse_alerting(document, folder=Path("/etc/tailwatch"))


def run(
    alerting: Alerting,
    findings: Sequence[Finding],
    start: float,
    end: float,
    *,
    every: float = 10.0,
    diagnose=undiagnosed,
) -> list[str]:
    """Apply the same findings and deliver, at every tick from ``start`` until before ``end``; the changed incidents."""
    changed: list[str] = []
    moment = start
    while moment < end:
        changed += alerting.apply(findings, diagnose, at(moment))
        alerting.deliver(at(moment))
        moment += every
    return changed


def notification(**changes: Any) -> Notification:
    """A notification with something of everything, also of what must not be taken for markup."""
    values = {
        "reason": "opened",
        "phase": "firing",
        "receiver": "oncall",
        "group_key": '{}/{severity="page"}:{incident="INC-7"}',
        "group_labels": {"incident": "INC-7"},
        "incident": {
            "id": "INC-7", "title": "errors: <!channel> & all", "status": "open", "severity": "page",
            "service": "chat", "slo": "errors", "cause": "slice-errors", "slice": {"tenant": "<@U1|x> *b*"},
            "runbook": "slice-errors", "opened_at": 1_700_000_000.0, "acknowledged_at": None, "resolved_at": None,
            "alerts": [],
        },
        "evidence": {
            "summary": "Errors <http://evil|click>", "cause": "slice-errors", "confidence": 0.9, "slice": {},
            "budget": {"remaining": 0.25, "objective": 0.99},
            "burn": [{"long": "1h", "short": "5m", "factor": 14.4, "long_burn": 20.0, "short_burn": 31.0}],
            "attribution": [{"dimension": "tenant", "value": "acme", "bad": 9, "total": 10, "excess_share": 0.97}],
            "tail": [], "changes": [], "exemplars": [], "drift": [], "report": None,
        },
        "alerts": [
            {
                "name": "errors-burn", "labels": {"alertname": "errors-burn", "slo": "errors", "tenant": "<b>"},
                "severity": "page", "state": "firing", "summary": "Errors burn", "fingerprint": "00ff00ff00ff00ff",
                "starts_at": 1_699_999_990.5, "ends_at": None,
            }
        ],
        "truncated": 0,
        "runbook": {"name": "slice-errors", "title": "Errors in a slice", "first_step": "Open a request."},
        "external_url": "https://tailwatch.example.com",
        "at": 1_700_000_000.0,
        "hooks": [],
    }  # fmt: skip
    return Notification(**{**values, **changes})
