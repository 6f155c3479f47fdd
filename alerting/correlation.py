"""Which incident an alert belongs to, and what that incident is then said to be about; pure.

An alert joins, in this order of preference, an incident

1. of the same budget (the labels without those of :data:`ALERT_LABELS`), while that is open or only just resolved;
2. of the same service, while it is open and the onsets lie within the correlation window of each other;
3. of the same diagnosed cause in another service, under the same condition, unless the slices contradict;
4. of a service that calls this one or is called by it, directly or through others, under the same condition.

An incident is of every service that it has an alert of.

Onsets are compared, not the moments of detection: a slow burn is found long after a fast one that the same fault
has caused. Two faults of one service that begin within the window are taken for one; that is the price of never
splitting one fault that several SLOs see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from alerting.incidents import Alert, Incident
from telemetry.findings import Diagnosis

UNKNOWN: Final = "unknown"

ALERT_LABELS: Final = frozenset({"alertname", "severity", "window"})
"""Labels that tell the alerts of one budget apart."""

BETTER_BY: Final = 0.1
"""How much surer a later diagnosis must be to replace a known one, so that close calls do not alternate."""


BudgetKey = tuple[tuple[str, str], ...]
Related = Mapping[str, frozenset[str]]
"""By service, those whose faults may be its own."""


def budget_key(labels: Mapping[str, str]) -> BudgetKey:
    """What all alerts of one budget have in common: not which alert of the policy it is."""
    return tuple(sorted((name, value) for name, value in labels.items() if name not in ALERT_LABELS))


def incident_for(
    alert: Alert,
    incidents: Iterable[Incident],
    budgets: Mapping[int, Collection[BudgetKey]],
    *,
    now_ns: int,
    window_ns: int,
    reopen_within_ns: int,
    related: Related,
) -> Incident | None:
    """The incident that a newly firing alert joins; None when it is the first of a new one.

    ``budgets`` holds the keys of the budgets that each incident, by its number, has alerts of, ``related`` the services
    that each service is related to.
    """
    ranked: list[tuple[int, int, int, Incident]] = []
    for incident in incidents:
        known = budgets.get(incident.number, ())
        rank = _rank(
            alert, incident, known, now_ns=now_ns, window_ns=window_ns, reopen_within_ns=reopen_within_ns,
            related=related,
        )  # fmt: skip
        if rank is not None:
            ranked.append((rank, _distance(alert.onset_ns, incident), incident.number, incident))
    return min(ranked)[3] if ranked else None


def _rank(
    alert: Alert,
    incident: Incident,
    budgets: Collection[BudgetKey],
    *,
    now_ns: int,
    window_ns: int,
    reopen_within_ns: int,
    related: Related,
) -> int | None:
    is_open = incident.status != "resolved"
    recent = is_open or now_ns - (incident.resolved_ns or 0) <= reopen_within_ns
    if recent and budget_key(alert.labels) in budgets:
        return 0
    if not is_open or _distance(alert.onset_ns, incident) > window_ns:
        return None
    service = alert.labels.get("service", "")
    if service == incident.service or any(("service", service) in key for key in budgets):
        return 1
    diagnosis = alert.diagnosis
    if diagnosis is not None and diagnosis.cause not in (UNKNOWN, "") and diagnosis.cause == incident.cause:
        return 2 if _agree(diagnosis.slice, incident.slice) else None
    near = related.get(service, frozenset())
    close = incident.service in near or any(("service", other) in key for key in budgets for other in near)
    return 3 if close else None


def related_services(depends_on: Mapping[str, Iterable[str]]) -> Related:
    """By service, every other one that it calls or is called by, directly or through others.

    Two that merely call the same one are not related.
    """
    found: dict[str, set[str]] = {}
    for service in depends_on:
        below, waiting = {service}, [service]
        while waiting:
            for called in depends_on.get(waiting.pop(), ()):
                if called not in below:
                    below.add(called)
                    waiting.append(called)
        for called in below - {service}:
            found.setdefault(service, set()).add(called)
            found.setdefault(called, set()).add(service)
    return {service: frozenset(others) for service, others in found.items()}


def _distance(onset_ns: int, incident: Incident) -> int:
    """How far an onset lies outside the span of the incident's onsets."""
    return max(incident.onset_ns - onset_ns, onset_ns - incident.last_onset_ns, 0)


def _agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(other.get(name, value) == value for name, value in one.items())


def precedence(alert: Alert) -> tuple[bool, int, int, str]:
    """Sorts the alert that speaks for an incident first: pages before tickets, then the earliest."""
    fired_ns = alert.state.since_ns if alert.state.fired_ns is None else alert.state.fired_ns
    return alert.severity != "page", fired_ns, alert.onset_ns, alert.fingerprint


def is_better(candidate: Diagnosis, cause: str, confidence: float | None) -> bool:
    """Whether a diagnosis should replace a cause that was found earlier, with this confidence."""
    if candidate.cause == UNKNOWN:
        return False
    return cause == UNKNOWN or (candidate.confidence or 0.0) >= (confidence or 0.0) + BETTER_BY
