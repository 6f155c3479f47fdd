"""Alerts that others post, as Prometheus does to Alertmanager: kept until they end, and findings like our own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, select

from alerting.evidence import clean, dumps
from alerting.rfc3339 import parse_time
from alerting.tables import posted_alerts
from alerting.texts import flat
from storage.audit import record
from storage.statements import chunks, insert_into
from telemetry.findings import Finding, Severity, fingerprint
from telemetry.windows import NANOS

RESOLVE_TIMEOUT_NS: Final = 5 * 60 * NANOS
"""An alert without an end that is not posted again for this long has ended (Alertmanager's default)."""
PAGING: Final = frozenset({"page", "critical", "emergency", "disaster"})
"""Values of the label ``severity`` that are worth a page; every other alert is a ticket."""
_TOLD: Final = 20
"""Alerts of one request that an entry of the audit log names."""


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """An alert as somebody else evaluates it; it holds until before ``ends_ns``."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ns: int
    ends_ns: int
    generator_url: str

    def __str__(self) -> str:
        """The labels, as people write them."""
        pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(self.labels.items()))
        return f"{{{', '.join(pairs)}}}"

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the sorted labels."""
        return fingerprint(self.labels)

    def finding(self) -> Finding:
        """The alert as a finding; what it says of itself becomes summary, evidence and runbook."""
        notes = self.annotations
        severity: Severity = "page" if self.labels.get("severity", "").lower() in PAGING else "ticket"
        name = self.labels.get("alertname", "an alert without a name")
        summary = notes.get("summary") or notes.get("description") or notes.get("message") or f"{name} fires"
        evidence = {"kind": "posted", "annotations": dict(notes), "generator_url": self.generator_url}
        return Finding(dict(self.labels), severity, self.starts_ns, summary, evidence, notes.get("runbook"))


def read_posted(document: Any, now_ns: int, timeout_ns: int = RESOLVE_TIMEOUT_NS) -> PostedAlert:
    """One entry of a ``POST /api/v2/alerts``.

    Args:
        document: the entry, as JSON gives it.
        now_ns: nanoseconds since the epoch.
        timeout_ns: how long an alert without an end holds.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(document, Mapping):
        raise ValueError('an alert is not an object; write {"labels": {...}}')  # noqa: TRY004  (one error for all)
    labels = {name: value for name, value in _texts(document, "labels").items() if value}
    if not labels:
        raise ValueError("at least one label pair required")
    if "" in labels:
        raise ValueError("invalid label set: invalid name ''")
    starts_ns, ends_ns = parse_time(document.get("startsAt")), parse_time(document.get("endsAt"))
    ends_ns = now_ns + timeout_ns if ends_ns is None else ends_ns
    starts_ns = min(now_ns, ends_ns) if starts_ns is None else starts_ns
    if ends_ns < starts_ns:
        raise ValueError("start time must be before end time")
    return PostedAlert(
        labels, _texts(document, "annotations"), starts_ns, ends_ns, str(document.get("generatorURL", ""))
    )


def _texts(document: Mapping[str, Any], key: str) -> dict[str, str]:
    found = document.get(key) or {}
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f'{key} are not texts by name; write {{"{key}": {{"name": "value"}}}}')
    return {str(name): value for name, value in found.items()}


def store(connection: Connection, alerts: Iterable[PostedAlert], now_ns: int, *, actor: str) -> None:
    """Keep alerts; one with the labels of another takes its place, and its start too while that one holds.

    What begins and what ends by this goes into the audit log; what is posted again goes on, and does not.
    """
    latest = {one.fingerprint: one for one in alerts}
    held = _starts_of_held(connection, list(latest), now_ns)
    # In this order in every process, as Prometheus posts to all at once: none waits for one that waits for it.
    rows = [_row(name, latest[name], min(latest[name].starts_ns, held.get(name, now_ns), now_ns), now_ns)
            for name in sorted(latest)]  # fmt: skip
    if rows:
        statement = insert_into(connection, posted_alerts)
        changes = {name: statement.excluded[name] for name in rows[0] if name != "fingerprint"}
        connection.execute(statement.on_conflict_do_update(index_elements=["fingerprint"], set_=changes), rows)
    began = [alert for name, alert in latest.items() if alert.ends_ns > now_ns and name not in held]
    ended = [alert for name, alert in latest.items() if alert.ends_ns <= now_ns and name in held]
    _record(connection, "alert.begin", began, now_ns, actor)
    _record(connection, "alert.end", ended, now_ns, actor)


def _starts_of_held(connection: Connection, fingerprints: Sequence[str], now_ns: int) -> dict[str, int]:
    """Since when those of these alerts hold that hold now, by fingerprint."""
    query = select(posted_alerts.c.fingerprint, posted_alerts.c.starts_ns).where(posted_alerts.c.ends_ns > now_ns)
    return {
        row.fingerprint: row.starts_ns
        for chunk in chunks(fingerprints)
        for row in connection.execute(query.where(posted_alerts.c.fingerprint.in_(chunk)))
    }


def _row(name: str, alert: PostedAlert, starts_ns: int, now_ns: int) -> dict[str, Any]:
    return {
        "fingerprint": name,
        "labels": dumps(dict(alert.labels)),
        "annotations": dumps(dict(alert.annotations)),
        "starts_ns": starts_ns,
        "ends_ns": alert.ends_ns,
        "generator_url": clean(alert.generator_url),
        "updated_ns": now_ns,
    }


def active(connection: Connection, now_ns: int) -> list[PostedAlert]:
    """The alerts that hold now."""
    query = select(posted_alerts).where(posted_alerts.c.ends_ns > now_ns).order_by(posted_alerts.c.fingerprint)
    return [_alert(row) for row in connection.execute(query).mappings()]


def delete_ended_before(connection: Connection, before_ns: int) -> None:
    """Forget alerts that ended before a time."""
    connection.execute(delete(posted_alerts).where(posted_alerts.c.ends_ns < before_ns))


def _alert(row: RowMapping) -> PostedAlert:
    labels, annotations = json.loads(row["labels"]), json.loads(row["annotations"])
    return PostedAlert(labels, annotations, row["starts_ns"], row["ends_ns"], row["generator_url"])


def _record(connection: Connection, action: str, alerts: Sequence[PostedAlert], now_ns: int, actor: str) -> None:
    if alerts:
        first, more = alerts[0].labels.get("alertname", "an alert"), len(alerts) - 1
        subject = flat(first) + (f" and {more} more" if more else "")
        detail = {"alerts": [flat(alert) for alert in alerts[:_TOLD]]}
        record(connection, at_ns=now_ns, actor=actor, action=action, subject=subject, detail=detail)
