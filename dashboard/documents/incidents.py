"""Incidents: in a list, and each with its evidence, its timeline and the hooks that fit it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dashboard.documents.document import Document, Labels
from dashboard.documents.evidence import Evidence
from dashboard.documents.silences import AlertStatus

IncidentStatus = Literal["open", "acknowledged", "resolved"]


class IncidentAlert(Document):
    """An alert that belongs to an incident; `status` is known of those that hold, where one incident is asked for."""

    name: str
    labels: Labels = Field(default_factory=dict)
    state: str = ""
    since: float | None = None
    status: AlertStatus | None = None


class Suppression(Document):
    """A silence (`silenced`), an alert (`inhibited`) or a time interval (`muted`) that keeps some `alerts` quiet."""

    kind: Literal["silenced", "inhibited", "muted"]
    id: str
    until: float | None = None
    alerts: int = 0
    author: str = ""
    comment: str = ""
    name: str = ""
    incident: str | None = None
    receivers: list[str] = Field(default_factory=list)


class Suppressed(Document):
    """How many `of` the alerts that hold are kept quiet, and by what."""

    alerts: int
    of: int
    by: list[Suppression] = Field(default_factory=list)


class IncidentSummary(Document):
    """An incident as a list shows it."""

    id: str
    title: str
    status: IncidentStatus
    severity: str = ""
    service: str | None = None
    slo: str | None = None
    cause: str | None = None
    slice: Labels = Field(default_factory=dict)
    runbook: str | None = None
    opened_at: float
    acknowledged_at: float | None = None
    acknowledged_by: str | None = None
    assignee: str | None = None
    snoozed_until: float | None = None
    resolved_at: float | None = None
    merged_into: str | None = None
    suppressed: Suppressed | None = None
    alerts: list[IncidentAlert] = Field(default_factory=list)


class Incidents(Document):
    """A list of incidents."""

    incidents: list[IncidentSummary]


class TimelineEvent(Document):
    """Something that happened to an incident, and who did it."""

    at: float
    kind: str = ""
    author: str | None = None
    text: str | None = None
    origin: str | None = None


class OfferedHook(Document):
    """A response hook that fits an incident; ``left`` runs may follow, and perhaps one waits for approval."""

    name: str
    target: str = ""
    dry_run: bool = False
    waiting: bool = False
    left: int = 0


class Hearing(Document):
    """How one receiver stands to an incident, and why; `next_at` is when that changes by itself."""

    receiver: str
    escalates: bool = False
    state: str = ""
    text: str = ""
    told_at: float | None = None
    next_at: float | None = None


class Incident(IncidentSummary):
    """An incident with its evidence, timeline, runbook, the hooks that fit it and who hears of it."""

    timeline: list[TimelineEvent] = Field(default_factory=list)
    hooks: list[OfferedHook] = Field(default_factory=list)
    hearing: list[Hearing] = Field(default_factory=list)
    evidence: Evidence = Evidence()
    runbook_markdown: str | None = None
    runbook_first_step: str | None = None
