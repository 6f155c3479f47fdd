"""A notification as Alertmanager's webhook payload, version "4"; it adds no field that Alertmanager does not have.

Names, their order and the escaping are those of Go's encoder over ``notify/webhook.Message``, so that receivers made
for Alertmanager work unchanged. What Tailwatch knows beyond it is in the annotations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from alerting.notifications import Notification
from alerting.rfc3339 import format_time
from alerting.texts import flat

_GO_ESCAPES: Final = (
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("&", "\\u0026"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)


def payload(notification: Notification) -> dict[str, Any]:
    """The payload as a document."""
    alerts = [_alert(notification, alert) for alert in notification.alerts]
    return {
        "receiver": notification.receiver,
        "status": notification.phase,
        "alerts": alerts,
        "groupLabels": dict(sorted(notification.group_labels.items())),
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": notification.external_url,
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated,
    }


def encode(document: Mapping[str, Any]) -> bytes:
    """JSON as Go writes it: compact, ``<``, ``>`` and ``&`` escaped, a line break at the end."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for letter, escape in _GO_ESCAPES:
        text = text.replace(letter, escape)
    return f"{text}\n".encode()


def _alert(notification: Notification, alert: Mapping[str, Any]) -> dict[str, Any]:
    over = alert["state"] in ("resolved", "withdrawn")
    slo = alert["labels"].get("slo", "")
    url = notification.external_url
    return {
        "status": "resolved" if over else "firing",
        "labels": dict(sorted(alert["labels"].items())),
        "annotations": dict(sorted(_annotations(notification, alert).items())),
        "startsAt": format_time(alert["starts_at"]),
        "endsAt": format_time(alert["ends_at"] if over else None),
        "generatorURL": f"{url}/slo?slo={quote(slo, safe='')}" if url and slo else url,
        "fingerprint": alert["fingerprint"],
    }


def _annotations(notification: Notification, alert: Mapping[str, Any]) -> dict[str, str]:
    incident, runbook = notification.incident, notification.runbook
    found = {
        "summary": flat(alert["summary"]),
        "description": flat(notification.evidence["summary"]),
        "title": flat(incident["title"]),
        "cause": incident["cause"],
        "slice": ", ".join(f"{name}={flat(value)}" for name, value in sorted(incident["slice"].items())),
        "incident": incident["id"],
        "incident_url": notification.incident_url,
        "runbook": runbook["name"],
        "runbook_first_step": runbook["first_step"],
        "runbook_url": notification.incident_url,
    }
    return {name: value for name, value in found.items() if value}


def _common(sets: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all of the label sets agree on."""
    if not sets:
        return {}
    return {name: value for name, value in sets[0].items() if _all_have(sets, name, value)}


def _all_have(sets: Iterable[Mapping[str, str]], name: str, value: str) -> bool:
    return all(labels.get(name) == value for labels in sets)
