"""Two incidents that people see to be one: what becomes of both, as values; nothing is stored here.

The target goes on with everything that the source had. The source ends: its number, and the threads and keys under
which receivers know it, are closed, and it says where it went. There is no way back: what cannot be meant is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from alerting.correlation import UNKNOWN
from alerting.incidents import Alert, Incident, TimelineEvent, format_id
from alerting.steps import latest
from telemetry.errors import ConflictError


@dataclass(frozen=True, slots=True)
class Merged:
    """Both incidents afterwards, with what each writes into its timeline.

    Attributes:
        alerts: the target's, all of them.
        dropped: rows that said the same alert twice, to be deleted.
    """

    source: Incident
    target: Incident
    source_event: TimelineEvent
    target_event: TimelineEvent
    alerts: tuple[Alert, ...]
    dropped: tuple[int, ...]


def merge(
    source: Incident,
    target: Incident,
    members: Mapping[int, Iterable[Alert]],
    author: str,
    comment: str,
    now_ns: int,
) -> Merged:
    """What becomes of two incidents of which ``source`` goes into ``target``; ``members`` are the alerts of each.

    Raises:
        ConflictError: they are one and the same, or one of them is over or was merged itself.
    """
    if source.number == target.number:
        raise ConflictError(f"{source.id} cannot be merged into itself", remedy="name another incident")
    for incident in (source, target):
        check_unmerged(incident)
        if incident.status == "resolved":
            raise ConflictError(f"{incident.id} is resolved", remedy="merge incidents that are open, or re-open it")
    said = f": {comment}" if comment else ""
    both = [*members.get(target.number, ()), *members.get(source.number, ())]
    kept = latest(both)
    ids = {alert.id for alert in kept.values()}
    gone = replace(
        source, status="resolved", resolved_ns=now_ns, resolved_by=author, snoozed_until_ns=None,
        merged_into=target.number,
    )  # fmt: skip
    return Merged(
        gone,
        _with(target, source),
        TimelineEvent(now_ns, "merged", author, f"Merged into {target.id}{said}"),
        TimelineEvent(now_ns, "merged", author, f"{source.id} is now part of this ({source.title}){said}"),
        tuple(replace(alert, incident=target.number) for alert in kept.values()),
        tuple(sorted(alert.id for alert in both if alert.id is not None and alert.id not in ids)),
    )


def check_unmerged(incident: Incident) -> None:
    """Raise unless people may act on the incident itself.

    Raises:
        ConflictError: it was merged, and into which.
    """
    if incident.merged_into is not None:
        into = format_id(incident.merged_into)
        raise ConflictError(f"{incident.id} was merged into {into}", remedy=f"act on {into}")


def _with(target: Incident, source: Incident) -> Incident:
    """The target as it goes on; of the two the graver, else the one whose cause is known, says what it is about."""
    target = replace(
        target,
        onset_ns=min(target.onset_ns, source.onset_ns),
        last_onset_ns=max(target.last_onset_ns, source.last_onset_ns),
        assignee=target.assignee or source.assignee,
    )
    graver = source.severity == "page" and target.severity == "ticket"
    knows = source.severity == target.severity and target.cause == UNKNOWN and source.cause != UNKNOWN
    if not graver and not knows:
        return target
    return replace(
        target, title=source.title, severity=source.severity, service=source.service, slo=source.slo,
        primary=source.primary, cause=source.cause, confidence=source.confidence, slice=source.slice,
        runbook=source.runbook, evidence=source.evidence,
    )  # fmt: skip
