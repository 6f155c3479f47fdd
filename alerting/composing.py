"""What a receiver is told, put together when it is sent from what is stored then; it decides and sends nothing.

So a receiver that was down hears of an incident as it stands: with the diagnosis that came meanwhile, the alerts that
have joined, who has acknowledged it. Where the row says that it goes on and it is over by now, or the reverse, the
row that says so waits behind: then it is told as it stood when that was decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from alerting import repository
from alerting.dispatch import Directory
from alerting.evidence import refreshed
from alerting.hooks.documents import to_approve
from alerting.incidents import MACHINE, Alert, Incident
from alerting.notifications import Group, Notification, Reason, compose, shown
from alerting.outbox import Leased
from alerting.outcomes import NotTellableError
from alerting.quiet_now import load_quieting
from alerting.quieting import Quieting
from alerting.receivers.protocol import name_of
from alerting.runbooks.rendering import rendered_first_step
from alerting.silences import Silence
from alerting.telling import Setup


def leased_notification(
    connection: Connection, leased: Leased, setup: Setup, silences: Sequence[Silence], now_ns: int
) -> Notification:
    """The notification of a leased row, with what keeps alerts of its incident quiet now, ``silences`` and all else.

    Raises:
        NotTellableError: its incident is gone, or what was stored of it cannot be read.
    """
    if leased.message is not None:
        try:
            return replace(Notification.from_json(leased.message), thread=leased.thread)
        except (ValueError, TypeError) as error:
            raise NotTellableError(f"it cannot be read any more: {type(error).__name__}") from error
    incident = repository.load_incident(connection, leased.incident)
    if incident is None:
        raise NotTellableError("its incident is gone")
    goes_on_in = incident.number if incident.merged_into is None else incident.merged_into
    alerts = repository.load_members(connection, [goes_on_in])[goes_on_in]
    found = notification(
        setup, incident, alerts, receiver=leased.receiver, group_key=leased.group_key, reason=leased.reason,
        decided_ns=leased.decided_ns, figures=leased.figures,
        hooks=to_approve(connection, setup.config.hooks, goes_on_in),
        quieting=load_quieting(connection, setup.config.route, now_ns, alerts, silences),
    )  # fmt: skip
    return replace(found, thread=leased.thread)


def notification(
    setup: Setup,
    incident: Incident,
    alerts: Sequence[Alert],
    *,
    receiver: str,
    group_key: str,
    reason: Reason,
    decided_ns: int,
    figures: Mapping[str, Any],
    hooks: Sequence[str] = (),
    quieting: Quieting | None = None,
) -> Notification:
    """What to tell a receiver, by its identity, of one group of an incident's alerts, all of which are given.

    ``figures`` are budget and burn as they were when it was decided, where they are later than the incident's;
    ``hooks`` those that wait for a person's approval; ``quieting`` knows what keeps alerts quiet.
    """
    config = setup.config
    name = name_of(receiver)
    labels, own = _group(setup.directory, incident, alerts, name, group_key)
    over = reason == "resolved"
    if Group(incident, tuple(own)).active == over:
        incident = _ended(incident, decided_ns) if over else _going_on(incident, decided_ns)
        alerts, own = (alerts, own) if over else (_firing(alerts, decided_ns), _firing(own, decided_ns))
    document = shown(incident, alerts, quieting)
    runbook = setup.runbooks.choose(incident.runbook, incident.cause)
    step = rendered_first_step(runbook, document, incident.evidence, config.external_url)
    present = replace(incident, evidence=refreshed(incident.evidence, figures)) if figures else incident
    return compose(
        reason, Group(present, tuple(own)), document, receiver=name, group_key=group_key, group_labels=labels,
        runbook={"name": runbook.name, "title": runbook.title, "first_step": step}, external_url=config.external_url,
        now_ns=decided_ns, hooks=hooks,
    )  # fmt: skip


def _group(
    directory: Directory, incident: Incident, alerts: Sequence[Alert], receiver: str, key: str
) -> tuple[Mapping[str, str], Sequence[Alert]]:
    """Labels and alerts of a group; all that have fired, where the routes have changed and know it no more."""
    for destination, group in directory.groups(incident, alerts):
        if destination.receiver == receiver and destination.key == key:
            return dict(destination.group_labels), group.alerts
    return {"incident": incident.id}, [alert for alert in alerts if alert.state.fired_ns is not None]


def _going_on(incident: Incident, at_ns: int) -> Incident:
    """An incident that was over later, as it was."""
    acknowledged = incident.acknowledged_ns is not None and incident.acknowledged_ns <= at_ns
    return replace(incident, status="acknowledged" if acknowledged else "open", resolved_ns=None, resolved_by=None)


def _firing(alerts: Sequence[Alert], at_ns: int) -> Sequence[Alert]:
    """Alerts as they were, of which some have ended since."""
    return [
        replace(alert, state=replace(alert.state, status="firing"))
        if alert.state.status in ("resolved", "withdrawn") and alert.state.since_ns > at_ns
        else alert
        for alert in alerts
    ]


def _ended(incident: Incident, at_ns: int) -> Incident:
    """An incident that was opened again later, as it was."""
    if incident.status == "resolved":
        return incident
    return replace(incident, status="resolved", resolved_ns=at_ns, resolved_by=MACHINE)
