"""What a receiver is told of an incident, and whether there is reason to tell it again; pure, nothing is sent.

The decision compares what a receiver was last told of a group of alerts with what holds now (after Alertmanager's
``needsUpdate``). It never asks which event led here, so a lost or repeated evaluation does no harm.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self

from alerting.documents import incident_document, seconds_of
from alerting.evidence import clean, encoded
from alerting.incidents import Alert, Incident
from alerting.quieting import Quieting
from alerting.routing import GroupTiming
from telemetry.findings import Severity

Reason = Literal["opened", "escalated", "updated", "reopened", "reminder", "resolved"]
Phase = Literal["firing", "resolved"]

MAX_ALERTS: Final = 200
"""Alerts in one notification; how many more there are is said."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a receiver was last told of a group of an incident's alerts.

    Attributes:
        firing: fingerprints of the alerts that it knows of.
        sequence: counts the notifications of this group for this receiver, from 1.
    """

    phase: Phase
    severity: Severity
    firing: frozenset[str]
    at_ns: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of one incident that one route tells together, as they stand."""

    incident: Incident
    alerts: tuple[Alert, ...]

    @property
    def active(self) -> bool:
        """Whether any condition is taken to hold, and nobody has resolved the incident."""
        return self.incident.status != "resolved" and any(alert.state.active for alert in self.alerts)

    @property
    def firing(self) -> bool:
        """Whether any alert fires, damped or not, and nobody has resolved the incident."""
        return self.incident.status != "resolved" and any(alert.state.status == "firing" for alert in self.alerts)

    @property
    def loud(self) -> frozenset[str]:
        """Fingerprints of the alerts that are worth a notification."""
        if self.incident.status == "resolved":
            return frozenset()
        return frozenset(alert.fingerprint for alert in self.alerts if alert.state.loud)

    @property
    def severity(self) -> Severity:
        """The highest severity among the loud alerts, or among all when none is loud."""
        speaking = [alert for alert in self.alerts if alert.state.loud] or self.alerts
        return "page" if any(alert.severity == "page" for alert in speaking) else "ticket"

    @property
    def first_fired_ns(self) -> int:
        """When the first of the loud alerts began to fire."""
        return min((alert.state.fired_ns or 0 for alert in self.alerts if alert.state.loud), default=0)


def reason_to_tell(
    told: Told | None, group: Group, timing: GroupTiming, now_ns: int, *, unsaid: bool = False
) -> Reason | None:
    """Why a receiver should hear of the group now; None when it need not.

    ``unsaid``: the last notification has not been delivered yet. A damped alert is quiet because "resolved" has just
    been said; where it has not, it would be said after the alert fires again, and be wrong.
    """
    if told is None:
        ripe = bool(group.loud) and _apart(now_ns, group.first_fired_ns) >= timing.group_wait_ns
        return "opened" if ripe else None
    if told.phase == "resolved":
        return "reopened" if group.loud or (unsaid and group.firing) else None
    if not group.active:
        return "resolved"
    return _reason_to_tell_more(told, group, timing, now_ns) if group.loud else None


def _reason_to_tell_more(told: Told, group: Group, timing: GroupTiming, now_ns: int) -> Reason | None:
    """Why a receiver that knows the group fires should hear more of it."""
    if group.severity == "page" and told.severity == "ticket":
        return "escalated"
    if group.loud - told.firing and _apart(now_ns, told.at_ns) >= timing.group_interval_ns:
        return "updated"
    if group.incident.status == "acknowledged":
        return None
    woken_ns = group.incident.snoozed_until_ns
    woken = woken_ns is not None and woken_ns <= now_ns and not woken_ns <= told.at_ns <= now_ns
    return "reminder" if woken or _apart(now_ns, told.at_ns) >= timing.repeat_interval_ns else None


def _apart(one_ns: int, other_ns: int) -> int:
    """How far apart two moments lie. A clock that was set back must not keep a page until it has caught up."""
    return abs(one_ns - other_ns)


def telling(told: Told | None, reason: Reason, group: Group, now_ns: int) -> Told:
    """What the receiver has been told once it hears this."""
    known = told.firing if told and reason in ("escalated", "updated", "reminder") else frozenset()
    return Told(
        phase="resolved" if reason == "resolved" else "firing",
        severity=group.severity,
        firing=frozenset() if reason == "resolved" else known | group.loud,
        at_ns=now_ns,
        sequence=told.sequence + 1 if told else 1,
    )


@dataclass(frozen=True, slots=True)
class Notification:
    """What is sent, as it held when it was decided; everything in it is JSON.

    Attributes:
        reason: why it is sent; ``phase`` is what it says.
        receiver: the receiver's name in the configuration.
        group_key: identifies route and group; ``group_labels`` are its labels.
        incident: ``INC`` of the HTTP API.
        evidence: the incident's evidence document.
        alerts: name, labels, severity, state, summary, fingerprint, starts_at, ends_at of the group's alerts.
        truncated: how many more alerts the group has.
        runbook: name, title, first_step.
        external_url: where the dashboard is, without a slash at the end; empty when it is not configured.
        at: seconds since the epoch.
        thread: what the receiver calls its first message of this group, once it has said so.
        hooks: names of response hooks that want a person's approval.
    """

    reason: Reason
    phase: Phase
    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    incident: Mapping[str, Any]
    evidence: Mapping[str, Any]
    alerts: Sequence[Mapping[str, Any]]
    truncated: int
    runbook: Mapping[str, str]
    external_url: str
    at: float
    thread: str | None = None
    hooks: Sequence[str] = ()

    @property
    def withdrawn(self) -> bool:
        """Whether late data proved every alert wrong."""
        return self.phase == "resolved" and bool(self.alerts) and all(a["state"] == "withdrawn" for a in self.alerts)

    @property
    def incident_url(self) -> str:
        """The incident's page in the dashboard; empty when its address is not configured."""
        return f"{self.external_url}/incidents?incident={self.incident['id']}" if self.external_url else ""

    def to_json(self) -> str:
        """The notification as text to store."""
        return encoded({each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The notification from its stored text."""
        return cls(**json.loads(text))


def shown(incident: Incident, members: Collection[Alert], quieting: Quieting | None = None) -> dict[str, Any]:
    """``INC`` with these alerts, all that it has, as notifications hold it; with what keeps them quiet, if known."""
    document = incident_document(incident, members, most=MAX_ALERTS)
    quiet = {} if quieting is None else quieting.summary(members)
    # Labels, summaries and evidence have been cleaned when they came in.
    return {**clean({**document, "alerts": []}), "alerts": document["alerts"], **quiet}


def compose(
    reason: Reason,
    group: Group,
    document: Mapping[str, Any],
    *,
    receiver: str,
    group_key: str,
    group_labels: Mapping[str, str],
    runbook: Mapping[str, str],
    external_url: str,
    now_ns: int,
    hooks: Sequence[str] = (),
) -> Notification:
    """The notification about a group; ``document`` is its incident as :func:`shown`."""
    resolved = reason == "resolved"
    ordered = sorted(group.alerts, key=lambda alert: (alert.severity != "page", alert.onset_ns, alert.fingerprint))
    return Notification(
        reason=reason,
        phase="resolved" if resolved else "firing",
        receiver=receiver,
        group_key=group_key,
        group_labels=dict(group_labels),
        incident=document,
        evidence=dict(group.incident.evidence),
        alerts=[_alert_document(alert, now_ns, ended=resolved) for alert in ordered[:MAX_ALERTS]],
        truncated=max(len(ordered) - MAX_ALERTS, 0),
        runbook=clean(dict(runbook)),
        external_url=external_url.rstrip("/"),
        at=now_ns / 1e9,
        hooks=list(hooks),
    )


def _alert_document(alert: Alert, now_ns: int, *, ended: bool) -> dict[str, Any]:
    over = alert.state.status in ("resolved", "withdrawn")
    ends_ns = alert.state.since_ns if over else now_ns if ended else None
    return {
        "name": alert.labels.get("alertname", alert.fingerprint),
        "labels": dict(alert.labels),
        "severity": alert.severity,
        "state": "resolved" if ended and not over else alert.state.status,
        "summary": alert.summary,
        "fingerprint": alert.fingerprint,
        "starts_at": seconds_of(alert.onset_ns),
        "ends_at": seconds_of(ends_ns),
    }
