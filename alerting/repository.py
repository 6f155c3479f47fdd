"""Alerts and incidents in and out of the database; it decides nothing.

Whoever changes them calls :func:`lock` first in its transaction, so that an evaluation and people's actions, in
however many processes, take turns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from alerting.evidence import clean, dumps, encoded
from alerting.incidents import Alert, Incident, TimelineEvent
from alerting.lazy_json import LazyJson, text_of
from alerting.merging import Merged
from alerting.notifications import Told
from alerting.planning import Plan, World
from alerting.state import LIVING, AlertState
from alerting.tables import alerts, incident_events, incident_numbers, incidents, told
from storage.statements import chunks, insert_rows, update_rows
from telemetry.errors import StorageError
from telemetry.findings import Diagnosis

_UNRESOLVED: Final = ("open", "acknowledged")
_ENDED: Final = ("resolved", "withdrawn")


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
    living = select(alerts.c.incident).where(alerts.c.status.in_(LIVING), alerts.c.incident.is_not(None))
    recent = and_(incidents.c.status == "resolved", incidents.c.resolved_ns >= recent_ns)
    wanted = or_(incidents.c.status.in_(_UNRESOLVED), recent, incidents.c.number.in_(living))
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
    ended = and_(alerts.c.status.in_(_ENDED), alerts.c.since_ns >= since_ns)
    return load_alerts(connection, or_(alerts.c.status.in_(LIVING), ended))


def load_members(connection: Connection, numbers: Iterable[int]) -> dict[int, list[Alert]]:
    """The alerts of each incident, by its number."""
    members: dict[int, list[Alert]] = {number: [] for number in numbers}
    for chunk in chunks(list(members)):
        for alert in load_alerts(connection, alerts.c.incident.in_(chunk)):
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


def save(connection: Connection, plan: Plan, world: World) -> World:
    """Store what a plan changes in the world as it is stored; the world as it is then."""
    former = {incident.number: incident for incident in world.incidents}
    changed = [plan.incidents[number] for number in sorted(plan.changed)]
    after = former | _add_incidents(connection, [one for one in changed if one.number not in former])
    after |= save_incidents(connection, [one for one in changed if one.number in former], former)
    if plan.next_number != world.next_number:
        connection.execute(update(incident_numbers).values(last=plan.next_number - 1))
    for chunk in chunks(plan.dropped):
        connection.execute(delete(alerts).where(alerts.c.id.in_(chunk)))
    dropped = frozenset(plan.dropped)
    stored = {alert.id: alert for alert in world.alerts if alert.id not in dropped}
    stored |= _save_alerts(connection, [one for one in plan.alerts.values() if one.id is not None], stored)
    stored |= _add_alerts(connection, [one for one in plan.alerts.values() if one.id is None])
    append_events(connection, plan.events)
    return World(tuple(stored.values()), tuple(after.values()), plan.next_number)


def _add_alerts(connection: Connection, new: Sequence[Alert]) -> dict[int | None, Alert]:
    """Store alerts; they as they are stored, by their rows."""
    if not new:
        return {}
    rows = {alert.fingerprint: _alert_row(alert) for alert in new}
    # Nobody else adds any while we have the turn.
    last = connection.execute(select(func.max(alerts.c.id))).scalar_one() or 0
    insert_rows(connection, alerts, _ALERT_COLUMNS, rows.values())
    added = connection.execute(select(alerts.c.id, alerts.c.fingerprint).where(alerts.c.id > last))
    return {number: _alert((number, *rows[fingerprint])) for number, fingerprint in added}


def _save_alerts(
    connection: Connection, changed: Sequence[Alert], former: Mapping[int | None, Alert]
) -> dict[int | None, Alert]:
    """Store alerts as they are now; they as they are stored, by their rows."""
    # Most have changed in nothing but their state.
    stepped = {alert.id: alert for alert in changed if _differs_in_state_only(alert, former.get(alert.id))}
    update_rows(
        connection, alerts, _STATE_COLUMNS, ["id"], ((*_state_row(one.state), one.id) for one in stepped.values())
    )
    others = {alert.id: _alert_row(alert) for alert in changed if alert.id not in stepped}
    update_rows(connection, alerts, _ALERT_COLUMNS, ["id"], ((*row, number) for number, row in others.items()))
    return stepped | {number: _alert((number, *row)) for number, row in others.items()}


def _differs_in_state_only(alert: Alert, former: Alert | None) -> bool:
    return former is not None and all(getattr(alert, name) is getattr(former, name) for name in _BUT_STATE)


_BUT_STATE: Final = tuple(each.name for each in fields(Alert) if each.name != "state")


def _add_incidents(connection: Connection, new: Sequence[Incident]) -> dict[int, Incident]:
    """Store incidents; they as they are stored, by number."""
    rows = [_incident_row(incident, _INCIDENT_FIELDS) for incident in new]
    insert_rows(connection, incidents, _columns(_INCIDENT_FIELDS), rows)
    return {row[0]: _incident(row) for row in rows}


def save_incident(connection: Connection, incident: Incident) -> None:
    """Store an incident as it is now."""
    save_incidents(connection, [incident], {})


def save_incidents(
    connection: Connection, changed: Sequence[Incident], former: Mapping[int, Incident]
) -> dict[int, Incident]:
    """Store incidents as they are now; of those whose ``former`` self is given, what differs.

    Returns:
        They as they are stored, by number.
    """
    by_fields: dict[tuple[str, ...], dict[int, tuple[Any, ...]]] = {}
    for incident in changed:
        before = former.get(incident.number)
        names = tuple(
            name for name in _INCIDENT_FIELDS if before is None or getattr(incident, name) is not getattr(before, name)
        )
        by_fields.setdefault(names, {})[incident.number] = _incident_row(incident, names)
    stored = {incident.number: incident for incident in changed}
    for names, rows in by_fields.items():
        if names:
            update_rows(
                connection, incidents, _columns(names), ["number"], ((*row, number) for number, row in rows.items())
            )
        for number, row in rows.items():
            stored[number] = replace(stored[number], **dict(zip(names, _read(names, row), strict=True)))
    return stored


def _columns(names: Iterable[str]) -> list[str]:
    """The columns of an incident's fields."""
    return [_COLUMN_OF.get(name, name) for name in names]


def _incident_row(incident: Incident, names: Iterable[str]) -> tuple[Any, ...]:
    """These fields as they are stored."""
    return tuple([_WRITTEN.get(name, clean)(getattr(incident, name)) for name in names])


def _read(names: Iterable[str], row: Sequence[Any]) -> list[Any]:
    """These fields as they were stored."""
    return [_READ[name](value) if name in _READ else value for name, value in zip(names, row, strict=True)]


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


def append_events(connection: Connection, events: Iterable[tuple[int, TimelineEvent]]) -> None:
    """Add events to the timelines of their incidents, in this order."""
    insert_rows(
        connection,
        incident_events,
        ("incident", "at_ns", "kind", "author", "text"),
        ((number, event.at_ns, event.kind, clean(event.author), clean(event.text)) for number, event in events),
    )


_TOLD_KEY: Final = ("incident", "receiver", "group_key")
_TOLD_WHAT: Final = ("phase", "severity", "firing", "at_ns", "sequence")


def load_told(connection: Connection, numbers: Sequence[int]) -> dict[tuple[int, str, str], Told]:
    """What receivers were last told, by incident, receiver and group."""
    found: dict[tuple[int, str, str], Told] = {}
    columns = [told.c[name] for name in (*_TOLD_KEY, *_TOLD_WHAT)]
    for chunk in chunks(numbers):
        for row in connection.execute(select(*columns).where(told.c.incident.in_(chunk))):
            incident, receiver, group_key, phase, severity, firing, at_ns, sequence = row
            known = Told(phase, severity, frozenset(json.loads(firing)), at_ns, sequence)
            found[incident, receiver, group_key] = known
    return found


def save_told(connection: Connection, changes: Sequence[tuple[tuple[int, str, str], Told]]) -> None:
    """Remember what receivers have been told, by incident, receiver and group."""
    first = ((*key, *_told_row(what)) for key, what in changes if what.sequence == 1)
    insert_rows(connection, told, (*_TOLD_KEY, *_TOLD_WHAT), first)
    later = ((*_told_row(what), *key) for key, what in changes if what.sequence != 1)
    update_rows(connection, told, _TOLD_WHAT, _TOLD_KEY, later)


def _told_row(what: Told) -> tuple[Any, ...]:
    return what.phase, what.severity, encoded(sorted(what.firing)), what.at_ns, what.sequence


def delete_resolved_before(connection: Connection, before_ns: int) -> int:
    """Forget incidents that were resolved before a moment, with all that belongs to them; how many."""
    old = select(incidents.c.number).where(incidents.c.status == "resolved", incidents.c.resolved_ns < before_ns)
    living = exists(select(alerts.c.id).where(alerts.c.incident == incidents.c.number, alerts.c.status.in_(LIVING)))
    doomed = old.where(~living)
    count = connection.execute(select(func.count()).select_from(doomed.subquery())).scalar_one()
    connection.execute(delete(incidents).where(incidents.c.number.in_(doomed)))
    return int(count)


_STATE_COLUMNS: Final = tuple(each.name for each in fields(AlertState))
_ALERT_COLUMNS: Final = (
    "fingerprint", "incident", "labels", "severity", "onset_ns", "summary", "evidence", "runbook", "diagnosis",
    "suppressed_by", *_STATE_COLUMNS,
)  # fmt: skip
_ALERT: Final = (alerts.c.id, *(alerts.c[name] for name in _ALERT_COLUMNS))
_state_row: Final = attrgetter(*_STATE_COLUMNS)


def _alert_row(alert: Alert) -> tuple[Any, ...]:
    """The columns of an alert but its id."""
    return (
        alert.fingerprint, alert.incident, encoded(dict(alert.labels)), alert.severity, alert.onset_ns,
        clean(alert.summary), text_of(alert.evidence), clean(alert.runbook),
        None if alert.diagnosis is None else _diagnosis_text(alert.diagnosis), alert.suppressed_by,
        *_state_row(alert.state),
    )  # fmt: skip


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


def _alert(row: Sequence[Any]) -> Alert:
    # By position: a burst loads ten thousand, and looking up each value by its name takes longer than the query.
    number, fingerprint, incident, labels, severity, onset_ns, summary, evidence, runbook, diagnosis, by, *state = row
    return Alert(
        fingerprint, json.loads(labels), severity, AlertState(*state), onset_ns, summary, LazyJson(evidence), runbook,
        None if diagnosis is None else Diagnosis(**json.loads(diagnosis)), by, incident, number,
    )  # fmt: skip


_INCIDENT_FIELDS: Final = tuple(each.name for each in fields(Incident))
_COLUMN_OF: Final = {"primary": "primary_fingerprint"}
_INCIDENT: Final = tuple(incidents.c[name] for name in _columns(_INCIDENT_FIELDS))
_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = {"slice": lambda value: dumps(dict(value)), "evidence": text_of}
_READ: Final[Mapping[str, Callable[[str], Any]]] = {"slice": json.loads, "evidence": LazyJson}
_SLICE, _EVIDENCE = _INCIDENT_FIELDS.index("slice"), _INCIDENT_FIELDS.index("evidence")


def _incident(row: Sequence[Any]) -> Incident:
    values = list(row)
    values[_SLICE], values[_EVIDENCE] = json.loads(values[_SLICE]), LazyJson(values[_EVIDENCE])
    return Incident(*values)
