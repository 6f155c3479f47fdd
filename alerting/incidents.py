"""Alerts and incidents as values, and what people and findings do to an incident; nothing is stored here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from alerting.state import AlertState
from telemetry.errors import ConflictError
from telemetry.findings import Diagnosis, Severity
from telemetry.windows import told_time

IncidentStatus = Literal["open", "acknowledged", "resolved"]
EventKind = Literal[
    "opened", "joined", "ended", "diagnosed", "escalated", "acknowledged", "assigned", "commented", "resolved",
    "reopened", "notified", "superseded", "undelivered", "snoozed", "woken", "hook", "merged",
    "reclassified", "suppressed", "muted",
]  # fmt: skip

MACHINE: Final = "tailwatch"
"""The author of everything that no person did."""

_PREFIX: Final = "INC-"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: its labels, its state, what was found and why.

    Attributes:
        id: the stored row; None before it is stored.
        onset_ns: when the condition is estimated to have begun.
        suppressed_by: fingerprint of the alert that keeps this one quiet.
        incident: number of the incident that it belongs to; None before it has fired.
    """

    fingerprint: str
    labels: Mapping[str, str]
    severity: Severity
    state: AlertState
    onset_ns: int
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    runbook: str | None = None
    diagnosis: Diagnosis | None = None
    suppressed_by: str | None = None
    incident: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something that happened to an incident, by whom, in words; ``at_ns`` is nanoseconds since the epoch.

    ``origin`` is the number of the incident in which it happened, where that was merged into this one.
    """

    at_ns: int
    kind: EventKind
    author: str
    text: str
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts that belong together, told and handled as one.

    Attributes:
        number: unique; people write it ``INC-7``.
        severity: the highest that any of its alerts has had.
        primary: fingerprint of the alert that speaks for the incident.
        cause: a key of ``telemetry.findings.CAUSES``; ``confidence`` and ``slice`` belong to it.
        evidence: JSON document, complete in its keys (``alerting.evidence``).
        onset_ns: the earliest onset of its alerts; ``last_onset_ns`` the latest.
        resolved_by: who resolved it; ``MACHINE`` when its alerts had all ended.
        snoozed_until_ns: until when it is acknowledged only; it stays after that has passed.
        merged_into: number of the incident that goes on with what this one had; it is resolved then, for good.
    """

    number: int
    title: str
    status: IncidentStatus
    severity: Severity
    service: str
    slo: str
    primary: str
    cause: str
    confidence: float | None
    slice: Mapping[str, str]
    runbook: str
    evidence: Mapping[str, Any]
    opened_ns: int
    onset_ns: int
    last_onset_ns: int
    acknowledged_ns: int | None = None
    acknowledged_by: str | None = None
    assignee: str | None = None
    resolved_ns: int | None = None
    resolved_by: str | None = None
    snoozed_until_ns: int | None = None
    merged_into: int | None = None

    @property
    def id(self) -> str:
        """The number as people write it."""
        return format_id(self.number)


def format_id(number: int) -> str:
    """``7`` as ``INC-7``."""
    return f"{_PREFIX}{number}"


def parse_id(text: str) -> int | None:
    """The number in ``INC-7``; None when the text is no incident's id."""
    digits = text.removeprefix(_PREFIX)
    return (
        int(digits) if text.startswith(_PREFIX) and digits.isascii() and digits.isdigit() and len(digits) < 16 else None
    )


def acknowledge(incident: Incident, author: str, comment: str, now_ns: int) -> tuple[Incident, TimelineEvent]:
    """Somebody works on it: reminders stop.

    Raises:
        ConflictError: it is resolved.
    """
    if incident.status == "resolved":
        raise ConflictError(f"{incident.id} is resolved", remedy="re-open it before acknowledging it")
    event = TimelineEvent(now_ns, "acknowledged", author, comment or "Acknowledged")
    return _taken(incident, author, now_ns, until_ns=None), event


def snooze(incident: Incident, author: str, comment: str, now_ns: int, until_ns: int) -> tuple[Incident, TimelineEvent]:
    """Somebody will work on it later: it is acknowledged until then.

    Raises:
        ConflictError: it is resolved, or the time has passed.
    """
    if incident.status == "resolved":
        raise ConflictError(f"{incident.id} is resolved", remedy="re-open it before snoozing it")
    if until_ns <= now_ns:
        raise ConflictError("the snooze would be over already", remedy="choose a later time")
    text = f"Snoozed until {told_time(until_ns)}{f': {comment}' if comment else ''}"
    return _taken(incident, author, now_ns, until_ns), TimelineEvent(now_ns, "snoozed", author, text)


def wake(incident: Incident, now_ns: int) -> tuple[Incident, TimelineEvent]:
    """A snooze is over, and what was snoozed goes on."""
    woken = replace(incident, status="open", acknowledged_ns=None, acknowledged_by=None)
    return woken, TimelineEvent(now_ns, "woken", MACHINE, "The snooze is over, and it goes on")


def _taken(incident: Incident, author: str, now_ns: int, until_ns: int | None) -> Incident:
    """The incident acknowledged, by whom it was first."""
    if incident.status != "acknowledged":
        incident = replace(incident, status="acknowledged", acknowledged_ns=now_ns, acknowledged_by=author)
    return replace(incident, snoozed_until_ns=until_ns)


def assign(incident: Incident, author: str, assignee: str, now_ns: int) -> tuple[Incident, TimelineEvent]:
    """Somebody is put in charge, or nobody any more where ``assignee`` is empty.

    Raises:
        ConflictError: nobody is in charge who could be relieved.
    """
    if not assignee and incident.assignee is None:
        raise ConflictError(f"nobody is in charge of {incident.id}", remedy="name somebody, or leave it as it is")
    text = f"Assigned to {assignee}" if assignee else f"No longer assigned to {incident.assignee}"
    return replace(incident, assignee=assignee or None), TimelineEvent(now_ns, "assigned", author, text)


def reclassify(
    incident: Incident, author: str, comment: str, now_ns: int, severity: Severity
) -> tuple[Incident, TimelineEvent]:
    """Somebody says how grave it is.

    Raises:
        ConflictError: it is resolved, or that grave already.
    """
    if incident.status == "resolved":
        raise ConflictError(f"{incident.id} is resolved", remedy="re-open it before changing its severity")
    if incident.severity == severity:
        raise ConflictError(f"{incident.id} is a {severity} already", remedy="add a comment instead")
    text = f"Now a {severity}, was a {incident.severity}{f': {comment}' if comment else ''}"
    return replace(incident, severity=severity), TimelineEvent(now_ns, "reclassified", author, text)


def comment_on(incident: Incident, author: str, comment: str, now_ns: int) -> tuple[Incident, TimelineEvent]:
    """Somebody says something."""
    return incident, TimelineEvent(now_ns, "commented", author, comment)


def resolve(incident: Incident, author: str, comment: str, now_ns: int) -> tuple[Incident, TimelineEvent]:
    """It is over.

    Raises:
        ConflictError: it is resolved already.
    """
    if incident.status == "resolved":
        raise ConflictError(f"{incident.id} is resolved already", remedy="add a comment instead")
    event = TimelineEvent(now_ns, "resolved", author, comment or "Resolved")
    return replace(incident, status="resolved", resolved_ns=now_ns, resolved_by=author), event


def reopen(
    incident: Incident, author: str, comment: str, now_ns: int, *, keep_acknowledged: bool = False
) -> tuple[Incident, TimelineEvent]:
    """It is not over after all; whoever had acknowledged it is asked again unless ``keep_acknowledged``.

    Raises:
        ConflictError: it is not resolved.
    """
    if incident.status != "resolved":
        raise ConflictError(f"{incident.id} is not resolved", remedy="add a comment instead")
    event = TimelineEvent(now_ns, "reopened", author, comment or "Re-opened")
    incident = replace(incident, resolved_ns=None, resolved_by=None)
    if keep_acknowledged and incident.acknowledged_ns is not None:
        return replace(incident, status="acknowledged"), event
    return replace(incident, status="open", acknowledged_ns=None, acknowledged_by=None), event
