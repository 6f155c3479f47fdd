"""Incidents as the JSON documents of the HTTP API: times in seconds since the epoch; it computes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alerting.incidents import Alert, Incident, TimelineEvent, format_id
from alerting.quieting import Quieting
from telemetry.windows import NANOS


def seconds_of(time_ns: int | None) -> float | None:
    """Nanoseconds as seconds since the epoch."""
    return None if time_ns is None else time_ns / NANOS


def incident_document(
    incident: Incident, members: Iterable[Alert], most: int | None = None, *, quieting: Quieting | None = None
) -> dict[str, Any]:
    """``INC`` of the HTTP API; pages first among its alerts, then the earliest, at most ``most`` of them.

    With ``quieting`` each alert that holds has its ``status`` in Alertmanager's words.
    """
    ordered = sorted(members, key=lambda alert: (alert.severity != "page", alert.onset_ns, alert.fingerprint))
    return {
        "id": incident.id,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity,
        "service": incident.service,
        "slo": incident.slo,
        "cause": incident.cause,
        "slice": dict(incident.slice),
        "runbook": incident.runbook,
        "opened_at": seconds_of(incident.opened_ns),
        "acknowledged_at": seconds_of(incident.acknowledged_ns),
        "acknowledged_by": incident.acknowledged_by,
        "assignee": incident.assignee,
        "snoozed_until": seconds_of(incident.snoozed_until_ns),
        "resolved_at": seconds_of(incident.resolved_ns),
        "merged_into": None if incident.merged_into is None else format_id(incident.merged_into),
        "alerts": [alert_document(alert, quieting) for alert in ordered[:most]],
    }


def alert_document(alert: Alert, quieting: Quieting | None = None) -> dict[str, Any]:
    """One alert of an incident; ``since`` is when its condition is estimated to have begun."""
    document = {
        "name": alert.labels.get("alertname", alert.fingerprint),
        "labels": dict(alert.labels),
        "state": alert.state.status,
        "since": seconds_of(alert.onset_ns),
    }
    if quieting is not None and alert.state.active:
        document["status"] = quieting.status(alert).to_json()
    return document


def event_document(event: TimelineEvent) -> dict[str, Any]:
    """One entry of a timeline; ``origin`` is the incident in which it happened, if that was merged into this one."""
    origin = None if event.origin is None else format_id(event.origin)
    return {
        "at": seconds_of(event.at_ns), "kind": event.kind, "author": event.author, "text": event.text, "origin": origin,
    }  # fmt: skip
