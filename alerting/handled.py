"""How incidents were handled, as the stored timelines tell: when somebody answered, who ended it; it judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from alerting.incidents import MACHINE, EventKind
from alerting.tables import alerts, incident_events, incidents, outbox
from telemetry.findings import Severity

ANSWERS: Final[tuple[EventKind, ...]] = ("acknowledged", "snoozed")
"""What says that somebody has taken an incident on."""
ACTS: Final[tuple[EventKind, ...]] = (
    *ANSWERS, "assigned", "commented", "reclassified", "merged", "resolved", "reopened",
)  # fmt: skip
"""What shows, when a person does it, that an incident was worth somebody's time."""
_HOOK: Final[EventKind] = "hook"
_PER_STATEMENT: Final = 500


@dataclass(frozen=True, slots=True)
class Handled:
    """An incident, and how it was handled; times are nanoseconds since the epoch.

    Attributes:
        acknowledged_ns: when somebody first took it on, however often it was opened again since; None if nobody did.
        resolved_ns: when it last ended; None while it goes on.
        by_itself: it ended, and no person said so.
        withdrawn: late data proved every one of its alerts wrong.
        acted_on: a person did something about it, or a response hook ran.
        returns: how often its alerts fired again soon after they had ended.
        told: notifications of it that were delivered.
    """

    number: int
    service: str
    severity: Severity
    slo: str
    opened_ns: int
    acknowledged_ns: int | None
    resolved_ns: int | None
    by_itself: bool
    withdrawn: bool
    acted_on: bool
    returns: int
    told: int


def load_handled(connection: Connection, since_ns: int, until_ns: int) -> tuple[Handled, ...]:
    """The incidents that were opened from one time until before another, without those merged into others."""
    query = (
        select(
            incidents.c.number, incidents.c.service, incidents.c.severity, incidents.c.slo, incidents.c.opened_ns,
            incidents.c.resolved_ns, incidents.c.resolved_by, incidents.c.status,
        )
        .where(incidents.c.opened_ns >= since_ns, incidents.c.opened_ns < until_ns, incidents.c.merged_into.is_(None))
        .order_by(incidents.c.number)
    )  # fmt: skip
    rows = connection.execute(query).mappings().all()
    found: list[Handled] = []
    for numbers in _batches(row["number"] for row in rows):
        answered, acted, told = _answered(connection, numbers), _acted(connection, numbers), _told(connection, numbers)
        returns, withdrawn = _alerts(connection, numbers)
        for row in rows[len(found) : len(found) + len(numbers)]:
            number, over = row["number"], row["status"] == "resolved"
            found.append(
                Handled(
                    number, row["service"], row["severity"], row["slo"], row["opened_ns"],
                    acknowledged_ns=answered.get(number),
                    resolved_ns=row["resolved_ns"] if over else None,
                    by_itself=over and row["resolved_by"] == MACHINE,
                    withdrawn=number in withdrawn,
                    acted_on=number in acted,
                    returns=returns.get(number, 0),
                    told=told.get(number, 0),
                )
            )  # fmt: skip
    return tuple(found)


def _batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(numbers)
    while batch := list(islice(rest, _PER_STATEMENT)):
        yield batch


def _answered(connection: Connection, numbers: list[int]) -> dict[int, int]:
    """When each was first taken on, by its number; an answer to what was merged into it later counts too."""
    event = incident_events.c
    query = select(event.incident, func.min(event.at_ns)).where(event.incident.in_(numbers), event.kind.in_(ANSWERS))
    return {row[0]: row[1] for row in connection.execute(query.group_by(event.incident))}


def _acted(connection: Connection, numbers: list[int]) -> set[int]:
    event = incident_events.c
    did = or_(event.kind == _HOOK, (event.author != MACHINE) & event.kind.in_(ACTS))
    query = select(event.incident).where(event.incident.in_(numbers), did).distinct()
    return set(connection.execute(query).scalars())


def _told(connection: Connection, numbers: list[int]) -> dict[int, int]:
    query = select(outbox.c.incident, func.count()).where(
        outbox.c.incident.in_(numbers), outbox.c.status == "delivered", is_notification()
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(outbox.c.incident))}


def is_notification() -> ColumnElement[bool]:
    """The condition on a row of the outbox that it tells people, and is no run of a response hook."""
    return outbox.c.receiver.not_like(f"%/{_HOOK}")


def _alerts(connection: Connection, numbers: list[int]) -> tuple[dict[int, int], set[int]]:
    """How often the alerts of each came back, and which have withdrawn ones only."""
    returns: dict[int, int] = {}
    states: dict[int, set[str]] = {}
    query = select(alerts.c.incident, alerts.c.status, alerts.c.returns, alerts.c.fired_ns)
    for row in connection.execute(query.where(alerts.c.incident.in_(numbers))):
        returns[row.incident] = returns.get(row.incident, 0) + row.returns
        if row.fired_ns is not None:
            states.setdefault(row.incident, set()).add(row.status)
    return returns, {number for number, found in states.items() if found == {"withdrawn"}}
