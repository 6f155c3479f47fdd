"""What every receiver for people says of a notification, as plain lines; each escapes and lays out them for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from alerting.notifications import Notification
from alerting.quieting import sentences
from alerting.runbooks.markdown import number, percent, seconds, utc
from alerting.texts import flat
from telemetry.findings import CAUSES

_ROWS: Final = 4


def headline(notification: Notification) -> str:
    """One line: how grave, which incident, what about."""
    incident = notification.incident
    into = incident.get("merged_into")
    if into:
        return f"🔗 {incident['id']} was merged into {into}: {flat(incident['title'])}"
    if notification.phase == "resolved":
        mark = "⚪ Withdrawn" if notification.withdrawn else "✅ Resolved"
    elif incident["severity"] == "page":
        mark = "🔴 Page"
    else:
        mark = "🟠 Ticket"
    return f"{mark} {incident['id']}: {flat(incident['title'])}"


def facts(notification: Notification) -> dict[str, str]:
    """What it is about, by name; what is not known is left out."""
    incident, evidence = notification.incident, notification.evidence
    where = ", ".join(f"{name} = {value}" for name, value in sorted(incident["slice"].items()))
    remaining = evidence["budget"].get("remaining")
    found = {
        "Service": incident["service"],
        "SLO": incident["slo"],
        "Cause": CAUSES.get(incident["cause"], incident["cause"]),
        "Where": where or "all of the traffic",
        "Budget left": percent(remaining) if remaining is not None else "",
        "Confidence": percent(evidence["confidence"]) if evidence["confidence"] is not None else "",
        "Alerts": _alert_names(notification),
        "Kept quiet": "; ".join(sentences(incident)),
    }
    return {name: text for name, value in found.items() if (text := flat(value, 2000))}


def story(notification: Notification) -> Iterable[tuple[str, list[str]]]:
    """Sections of title and lines, the most telling first; the first has no title, and none is empty."""
    for title, lines in _sections(notification):
        kept = [line for line in lines if line]
        if kept:
            yield flat(title, 200), kept


def footer(notification: Notification) -> str:
    """Why this is told, and since when it goes on."""
    said = {"reminder": "still firing", "updated": "more alerts have joined"}.get(
        notification.reason, notification.reason
    )
    return f"{said} · opened {utc(notification.incident['opened_at'])} · Tailwatch"


def _sections(notification: Notification) -> Iterable[tuple[str, list[str]]]:
    evidence = notification.evidence
    yield "", [flat(evidence["summary"], 1000)]
    step = notification.runbook.get("first_step")
    if step and notification.phase == "firing":
        yield f"Runbook: {notification.runbook['title']}. First step", [flat(step, 1000)]
    if notification.phase == "firing":
        yield "Response hooks that wait for you", [_hook_row(name, notification) for name in notification.hooks]
    yield "Where", [_attribution_row(row) for row in evidence["attribution"][:_ROWS]]
    yield "Where the time goes", [_tail_row(row) for row in evidence["tail"][:_ROWS]]
    yield "Drift", [_drift_row(row) for row in evidence["drift"][:_ROWS]]
    yield "What changed", [flat(row.get("text") or _change(row)) for row in evidence["changes"][:_ROWS]]
    yield "Burn rate", [_burn_row(row) for row in evidence["burn"][:_ROWS]]
    yield "Examples", [_exemplar_row(row) for row in evidence["exemplars"][:_ROWS]]


def _alert_names(notification: Notification) -> str:
    names = list(dict.fromkeys(str(alert["name"]) for alert in notification.alerts))
    more = len(names) - _ROWS
    return ", ".join(names[:_ROWS]) + (f" and {more} more" if more > 0 else "")


def _hook_row(name: str, notification: Notification) -> str:
    return f"{name}: on the incident's page, or: tailwatch hooks run {notification.incident['id']} {name}"


def _attribution_row(row: Mapping[str, Any]) -> str:
    share = f"{percent(row.get('excess_share'))} of the excess"
    counts = f"{number(row.get('bad'))} of {number(row.get('total'))} bad"
    return flat(f"{row.get('dimension')} = {row.get('value')}: {counts}, {share}")


def _tail_row(row: Mapping[str, Any]) -> str:
    return flat(f"{row.get('part')}: {seconds(row.get('before_s'))} before, {seconds(row.get('after_s'))} now")


def _drift_row(row: Mapping[str, Any]) -> str:
    return flat(f"{row.get('field')}: effect {number(row.get('effect'))}, p = {number(row.get('p_value'))}")


def _burn_row(row: Mapping[str, Any]) -> str:
    windows = f"{row.get('long')} and {row.get('short')}"
    burns = f"{number(row.get('long_burn'))}x and {number(row.get('short_burn'))}x"
    return flat(f"{burns} over {windows}, alerts above {number(row.get('factor'))}x")


def _exemplar_row(row: Mapping[str, Any]) -> str:
    error = f", {row['error_type']}" if row.get("error_type") else ""
    return flat(f"trace {row.get('trace_id')}: {seconds(row.get('duration_s'))}{error}")


def _change(row: Mapping[str, Any]) -> str:
    return f"{row.get('what')}: was {row.get('before')}, now {row.get('after')}"
