"""Alerts and incidents in and out of the database; it decides nothing.

Whoever changes them calls :func:`lock` first in its transaction, so that an evaluation and people's actions, in
however many processes, take turns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from alerting.evidence import clean, dumps, encoded
from alerting.incidents import Alert, Incident, TimelineEvent
from alerting.lazy_json import LazyJson
from alerting.merging import Merged
from alerting.notifications import Told
from alerting.planning import Plan, World
from alerting.state import LIVING, AlertState
from alerting.tables import alerts, incident_events, incident_numbers, incidents, told
from telemetry.errors import StorageError
from telemetry.findings import Diagnosis

_PER_STATEMENT = 500
_UNRESOLVED: Final = ("open", "acknowledged")


def lock(connection: Connection) -> int:
    """Wait for the turn to change alerts, incidents and what was told, until the transaction ends.

    Returns:
        The revision that they had before, which is that of :func:`load_revision`.

    Raises:
        StorageError: the database has lost the row that is locked.
    """
    connection.execute(update(incident_numbers).values(revision=incident_numbers.c.revision + 1))
    return load_revision(connection) - 1


def load_revision(connection: Connection) -> int:
    """How often alerts, incidents and what was told have changed: as long as it stays, so do they.

    Raises:
        StorageError: the database has lost the row that counts it.
    """
    revision = connection.execute(select(incident_numbers.c.revision)).scalar_one_or_none()
    if revision is None:
        raise StorageError("the table incident_numbers is empty", remedy="restore the database from a backup")
    return int(revision)


def load_world(connection: Connection, recent_ns: int) -> World:
    """What an evaluation needs: alerts that live; incidents that are open, were resolved since, or still have some."""
    living = exists(select(alerts.c.id).where(alerts.c.incident == incidents.c.number, alerts.c.status.in_(LIVING)))
    wanted = or_(incidents.c.status != "resolved", incidents.c.resolved_ns >= recent_ns, living)
    found = tuple(_incident(row) for row in connection.execute(select(*_INCIDENT).where(wanted)))
    numbers = select(incidents.c.number).where(wanted)
    condition = or_(alerts.c.status.in_(LIVING), alerts.c.incident.in_(numbers))
    last = connection.execute(select(incident_numbers.c.last)).scalar_one()
    return World(load_alerts(connection, condition), found, int(last) + 1)


def load_alerts(connection: Connection, condition: ColumnElement[bool]) -> tuple[Alert, ...]:
    """The alerts that satisfy the condition, in the order of their storage."""
    return tuple(_alert(row) for row in connection.execute(select(*_ALERT).where(condition).order_by(alerts.c.id)))


def load_living(connection: Connection) -> tuple[Alert, ...]:
    """The alerts that are pending, firing or suppressed."""
    return load_alerts(connection, alerts.c.status.in_(LIVING))


def load_alerts_since(connection: Connection, since_ns: int) -> tuple[Alert, ...]:
    """The alerts that are pending, firing or suppressed, and those that ended since a time."""
    return load_alerts(connection, or_(alerts.c.status.in_(LIVING), alerts.c.since_ns >= since_ns))


def load_members(connection: Connection, numbers: Iterable[int]) -> dict[int, list[Alert]]:
    """The alerts of each incident, by its number."""
    members: dict[int, list[Alert]] = {number: [] for number in numbers}
    wanted = list(members)
    for start in range(0, len(wanted), _PER_STATEMENT):
        for alert in load_alerts(connection, alerts.c.incident.in_(wanted[start : start + _PER_STATEMENT])):
            members[alert.incident or 0].append(alert)
    return members


def load_incident(connection: Connection, number: int) -> Incident | None:
    """One incident; None when there is none of this number."""
    row = connection.execute(select(*_INCIDENT).where(incidents.c.number == number)).one_or_none()
    return None if row is None else _incident(row)


def list_incidents(
    connection: Connection, *, status: str | None, service: str | None, limit: int
) -> tuple[Incident, ...]:
    """The newest incidents first, and at most as many older ones that still go on."""
    query = select(*_INCIDENT).order_by(incidents.c.number.desc()).limit(limit)
    if status is not None:
        query = query.where(incidents.c.status == status)
    if service is not None:
        query = query.where(incidents.c.service == service)
    newest = [_incident(row) for row in connection.execute(query)]
    if status is not None or len(newest) < limit:
        return tuple(newest)
    older = query.where(incidents.c.status.in_(_UNRESOLVED), incidents.c.number < newest[-1].number)
    return (*newest, *(_incident(row) for row in connection.execute(older)))


def count_unresolved(connection: Connection) -> dict[str, int]:
    """How many incidents are not resolved, by severity."""
    query = select(incidents.c.severity, func.count()).where(incidents.c.status.in_(_UNRESOLVED))
    return {row.severity: row[1] for row in connection.execute(query.group_by(incidents.c.severity))}


def load_timeline(connection: Connection, number: int) -> tuple[TimelineEvent, ...]:
    """The events of an incident, the earliest first: also those that it had when it was merged into another."""
    here = or_(incident_events.c.incident == number, incident_events.c.origin == number)
    query = select(incident_events).where(here).order_by(incident_events.c.id)
    return tuple(
        TimelineEvent(
            row["at_ns"], row["kind"], row["author"], row["text"], None if row["origin"] == number else row["origin"]
        )
        for row in connection.execute(query).mappings()
    )


def save(connection: Connection, plan: Plan, world: World) -> None:
    """Store what a plan changes in the world as it is stored."""
    last = connection.execute(select(incident_numbers.c.last)).scalar_one()
    opened = [
        _incident_values(plan.incidents[number], _INCIDENT_FIELDS) for number in sorted(plan.changed) if number > last
    ]
    if opened:
        connection.execute(insert(incidents), opened)
    former = {incident.number: incident for incident in world.incidents}
    known = [plan.incidents[number] for number in sorted(plan.changed) if number <= last]
    save_incidents(connection, known, former)
    if plan.next_number - 1 > last:
        connection.execute(update(incident_numbers).values(last=plan.next_number - 1))
    for start in range(0, len(plan.dropped), _PER_STATEMENT):
        connection.execute(delete(alerts).where(alerts.c.id.in_(plan.dropped[start : start + _PER_STATEMENT])))
    new = [_alert_values(alert) for alert in plan.alerts.values() if alert.id is None]
    if new:
        connection.execute(insert(alerts), new)
    _save_alerts(
        connection,
        [alert for alert in plan.alerts.values() if alert.id is not None],
        {alert.id: alert for alert in world.alerts},
    )
    append_events(connection, plan.events)


def _save_alerts(connection: Connection, changed: Sequence[Alert], former: Mapping[int | None, Alert]) -> None:
    """Store alerts as they are now; most have changed in nothing but their state."""
    same = alerts.c.id == bindparam("row")
    steps = [alert for alert in changed if _differs_in_state_only(alert, former.get(alert.id))]
    if steps:
        connection.execute(update(alerts).where(same), [{**_state_values(one.state), "row": one.id} for one in steps])
    stepped = {alert.id for alert in steps}
    others = [{**_alert_values(alert), "row": alert.id} for alert in changed if alert.id not in stepped]
    if others:
        connection.execute(update(alerts).where(same), others)


def _differs_in_state_only(alert: Alert, former: Alert | None) -> bool:
    return former is not None and all(getattr(alert, name) is getattr(former, name) for name in _BUT_STATE)


_BUT_STATE: Final = tuple(each.name for each in fields(Alert) if each.name != "state")


def save_incident(connection: Connection, incident: Incident) -> None:
    """Store an incident as it is now."""
    save_incidents(connection, [incident], {})


def save_incidents(connection: Connection, changed: Sequence[Incident], former: Mapping[int, Incident]) -> None:
    """Store incidents as they are now; of those whose ``former`` self is given, what differs."""
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for incident in changed:
        before = former.get(incident.number)
        names = [
            name for name in _INCIDENT_FIELDS if before is None or getattr(incident, name) is not getattr(before, name)
        ]
        values = _incident_values(incident, names)
        by_columns.setdefault(tuple(values), []).append({**values, "of_number": incident.number})
    same = incidents.c.number == bindparam("of_number")
    for columns, rows in by_columns.items():
        if columns:
            connection.execute(update(incidents).where(same), rows)


def _incident_values(incident: Incident, names: Iterable[str]) -> dict[str, Any]:
    """The columns of these fields."""
    return {_COLUMN_OF.get(name, name): _stored(name, getattr(incident, name)) for name in names}


def _stored(name: str, value: Any) -> Any:
    if name == "evidence":
        return encoded(dict(value))
    if name == "slice":
        return dumps(dict(value))
    return clean(value)


def save_merged(connection: Connection, merged: Merged) -> None:
    """Store what became of two incidents, and let the events of the one happen in the other from now on."""
    source, target = merged.source.number, merged.target.number
    if merged.dropped:
        connection.execute(delete(alerts).where(alerts.c.id.in_(merged.dropped)))
    connection.execute(update(alerts).where(alerts.c.incident == source).values(incident=target))
    connection.execute(
        update(incident_events)
        .where(incident_events.c.incident == source)
        .values(incident=target, origin=func.coalesce(incident_events.c.origin, source))
    )
    save_incident(connection, merged.source)
    save_incident(connection, merged.target)
    append_events(connection, [(source, merged.source_event), (target, merged.target_event)])


def append_events(connection: Connection, events: Sequence[tuple[int, TimelineEvent]]) -> None:
    """Add events to the timelines of their incidents, in this order."""
    if events:
        connection.execute(
            insert(incident_events),
            [
                {
                    "incident": number,
                    "at_ns": event.at_ns,
                    "kind": event.kind,
                    "author": clean(event.author),
                    "text": clean(event.text),
                }
                for number, event in events
            ],
        )


_TOLD: Final = (
    told.c.incident, told.c.receiver, told.c.group_key, told.c.phase, told.c.severity, told.c.firing, told.c.at_ns,
    told.c.sequence,
)  # fmt: skip


def load_told(connection: Connection, numbers: Sequence[int]) -> dict[tuple[int, str, str], Told]:
    """What receivers were last told, by incident, receiver and group."""
    found: dict[tuple[int, str, str], Told] = {}
    for start in range(0, len(numbers), _PER_STATEMENT):
        query = select(*_TOLD).where(told.c.incident.in_(numbers[start : start + _PER_STATEMENT]))
        for incident, receiver, group_key, phase, severity, firing, at_ns, sequence in connection.execute(query):
            known = Told(phase, severity, frozenset(json.loads(firing)), at_ns, sequence)
            found[incident, receiver, group_key] = known
    return found


def save_told(connection: Connection, changes: Sequence[tuple[tuple[int, str, str], Told]]) -> None:
    """Remember what receivers have been told, by incident, receiver and group."""
    new, known = list[dict[str, Any]](), list[dict[str, Any]]()
    for (incident, receiver, group_key), what in changes:
        values = {
            "phase": what.phase,
            "severity": what.severity,
            "firing": dumps(sorted(what.firing)),
            "at_ns": what.at_ns,
            "sequence": what.sequence,
        }
        if what.sequence == 1:
            new.append({"incident": incident, "receiver": receiver, "group_key": group_key, **values})
        else:
            known.append({"of_incident": incident, "of_receiver": receiver, "of_group": group_key, **values})
    if new:
        connection.execute(insert(told), new)
    if known:
        same = (
            told.c.incident == bindparam("of_incident"),
            told.c.receiver == bindparam("of_receiver"),
            told.c.group_key == bindparam("of_group"),
        )
        connection.execute(update(told).where(*same), known)


def delete_resolved_before(connection: Connection, before_ns: int) -> int:
    """Forget incidents that were resolved before a moment, with all that belongs to them; how many."""
    old = select(incidents.c.number).where(incidents.c.status == "resolved", incidents.c.resolved_ns < before_ns)
    living = exists(select(alerts.c.id).where(alerts.c.incident == incidents.c.number, alerts.c.status.in_(LIVING)))
    doomed = old.where(~living)
    count = connection.execute(select(func.count()).select_from(doomed.subquery())).scalar_one()
    connection.execute(delete(incidents).where(incidents.c.number.in_(doomed)))
    return int(count)


def _alert_values(alert: Alert) -> dict[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "incident": alert.incident,
        "labels": encoded(dict(alert.labels)),
        "severity": alert.severity,
        "onset_ns": alert.onset_ns,
        "summary": clean(alert.summary),
        "evidence": encoded(dict(alert.evidence)),
        "runbook": alert.runbook,
        "diagnosis": None if alert.diagnosis is None else _diagnosis_text(alert.diagnosis),
        "suppressed_by": alert.suppressed_by,
        **_state_values(alert.state),
    }


def _state_values(state: AlertState) -> dict[str, Any]:
    return {
        "status": state.status,
        "since_ns": state.since_ns,
        "held_since_ns": state.held_since_ns,
        "absent_since_ns": state.absent_since_ns,
        "fired_ns": state.fired_ns,
        "damped": state.damped,
        "returns": state.returns,
    }


def _diagnosis_text(diagnosis: Diagnosis) -> str:
    return dumps(
        {
            "cause": diagnosis.cause,
            "summary": diagnosis.summary,
            "confidence": diagnosis.confidence,
            "slice": dict(diagnosis.slice),
            "evidence": dict(diagnosis.evidence),
        }
    )


_ALERT: Final = (
    alerts.c.id, alerts.c.fingerprint, alerts.c.incident, alerts.c.labels, alerts.c.severity, alerts.c.onset_ns,
    alerts.c.summary, alerts.c.evidence, alerts.c.runbook, alerts.c.diagnosis, alerts.c.suppressed_by,
    alerts.c.status, alerts.c.since_ns, alerts.c.held_since_ns, alerts.c.absent_since_ns, alerts.c.fired_ns,
    alerts.c.damped, alerts.c.returns,
)  # fmt: skip


def _alert(row: Sequence[Any]) -> Alert:
    # By position: a burst loads ten thousand, and looking up each value by its name takes longer than the query.
    number, fingerprint, incident, labels, severity, onset_ns, summary, evidence, runbook, diagnosis, by, *state = row
    return Alert(
        fingerprint, json.loads(labels), severity, AlertState(*state), onset_ns, summary, LazyJson(evidence), runbook,
        None if diagnosis is None else Diagnosis(**json.loads(diagnosis)), by, incident, number,
    )  # fmt: skip


_INCIDENT_FIELDS: Final = [each.name for each in fields(Incident)]
_COLUMN_OF: Final = {"primary": "primary_fingerprint"}
_INCIDENT: Final = tuple(incidents.c[_COLUMN_OF.get(name, name)] for name in _INCIDENT_FIELDS)
_SLICE, _EVIDENCE = _INCIDENT_FIELDS.index("slice"), _INCIDENT_FIELDS.index("evidence")


def _incident(row: Sequence[Any]) -> Incident:
    values = list(row)
    values[_SLICE], values[_EVIDENCE] = json.loads(values[_SLICE]), LazyJson(values[_EVIDENCE])
    return Incident(*values)
