"""Who hears of a stored incident; what that means is for ``alerting.hearing`` to say."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from alerting import repository
from alerting.config import AlertingConfig
from alerting.dispatch import Directory
from alerting.hearing import Hearing, LastRow
from alerting.incidents import Alert, Incident
from alerting.quieting import Quieting
from alerting.tables import outbox


def hearing_documents(
    connection: Connection,
    incident: Incident,
    members: Collection[Alert],
    config: AlertingConfig,
    quieting: Quieting,
) -> list[dict[str, Any]]:
    """For each receiver how it stands to the incident, and why."""
    told = repository.load_told(connection, [incident.number])
    receivers: dict[str, list[str]] = {name: [] for name in config.receiver_names}
    for receiver in config.receivers:
        receivers.setdefault(receiver.name, []).append(receiver.id)
    hearing = Hearing(
        incident,
        members,
        list(Directory(config).groups(incident, members)),
        {(receiver, key): known for (_number, receiver, key), known in told.items()},
        _last(connection, incident.number),
        receivers,
        config.route,
        config.timing,
        quieting,
    )
    return list(hearing.documents())


def _last(connection: Connection, number: int) -> dict[tuple[str, str], LastRow]:
    """The latest notification of each receiver and group; of those that wait, the earliest holds up the others."""
    row = outbox.c
    query = (
        select(row.receiver, row.group_key, row.status, row.reason, row.attempts, row.due_ns, row.last_error)
        .where(row.incident == number, row.status != "superseded")
        .order_by(row.id)
    )
    found: dict[tuple[str, str], LastRow] = {}
    for receiver, group_key, *rest in connection.execute(query):
        known = found.get((receiver, group_key))
        if known is None or known.status != "pending":
            found[receiver, group_key] = LastRow(*rest)
    return found
