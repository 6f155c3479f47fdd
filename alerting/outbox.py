"""The transactional outbox: notifications wait here, are leased, and are concluded; it sends nothing.

A notification is stored in the transaction that changes its incident, so either both happen or neither does.
Whoever delivers leases a row for a while, counted as an attempt, sends, and concludes it. Killed in between, its
lease runs out and the same row, with the same idempotency key, is sent again.

Within an incident and receiver only the oldest pending row can be leased, so order is kept. What has waited longer
than ``stale_ns`` is no news any more: when a later row of its group waits behind it, or its incident has been
resolved meanwhile for a receiver that does not want to hear of that, it is superseded.

No row waits for a clock that was set back: one that was made, leased or tried at a time that is yet to come is due.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, case, exists, or_, select, update

from alerting.evidence import dumps
from alerting.incidents import MACHINE, EventKind, TimelineEvent
from alerting.notifications import Notification, Reason, Told
from alerting.outcomes import Outcome
from alerting.repository import append_events
from alerting.tables import outbox, told
from storage.statements import chunks, insert_rows
from telemetry.windows import NANOS


@dataclass(frozen=True, slots=True)
class Queued:
    """Something to tell a receiver of an incident that was opened at ``opened_ns``.

    Attributes:
        known: what the receiver knows then.
        figures: budget and burn as they are now, where they are later than the incident's own.
        notification: what to tell, where that cannot be put together later from what is stored.
    """

    number: int
    opened_ns: int
    receiver: str
    group_key: str
    reason: Reason
    known: Told
    figures: Mapping[str, Any] = field(default_factory=dict)
    notification: Notification | None = None


@dataclass(frozen=True, slots=True)
class Leased:
    """A row that this process may send now.

    Attributes:
        attempt: counts from 1, and tells leases of a row apart.
        decided_ns: when it was decided to tell it.
        figures: budget and burn as they were then, where they are later than the incident's own.
        message: the notification as JSON; None when it is put together from what is stored.
        thread: what the receiver called the first message of the group.
    """

    id: int
    incident: int
    receiver: str
    idempotency_key: str
    attempt: int
    group_key: str
    reason: Reason
    decided_ns: int
    figures: Mapping[str, Any]
    message: str | None
    thread: str | None


@dataclass(frozen=True, slots=True)
class ReceiverHealth:
    """How delivery to a receiver stands.

    Attributes:
        pending: how many notifications wait.
        waiting_since_ns: since when the oldest that has failed does; None when none has.
        last_error: why the latest failed; None when that has been made good.
        undelivered: how many were given up, and nothing later has made them good.
    """

    receiver: str
    pending: int
    waiting_since_ns: int | None
    last_error: str | None
    undelivered: int = 0


_QUEUED: Final = (
    "incident", "receiver", "group_key", "sequence", "idempotency_key", "reason", "severity", "phase", "created_ns",
    "due_ns", "message", "figures", "attempts", "leased_until_ns", "status",
)  # fmt: skip


def enqueue(connection: Connection, queued: Iterable[Queued]) -> None:
    """Store notifications for delivery, in this order, within the caller's transaction."""
    insert_rows(connection, outbox, _QUEUED, map(_row, queued))


def _row(queued: Queued) -> tuple[Any, ...]:
    known = queued.known
    identity = f"{queued.number}|{queued.opened_ns}|{queued.receiver}|{queued.group_key}|{known.sequence}"
    key = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
    message = None if queued.notification is None else queued.notification.to_json()
    figures = dumps(dict(queued.figures)) if queued.figures else None
    return (
        queued.number, queued.receiver, queued.group_key, known.sequence, key, queued.reason, known.severity,
        known.phase, known.at_ns, known.at_ns, message, figures, 0, 0, "pending",
    )  # fmt: skip


def due_receivers(connection: Connection, now_ns: int, lease_ns: int) -> list[str]:
    """The receivers for which something may be sent now, when leases last for ``lease_ns``."""
    query = select(outbox.c.receiver).where(outbox.c.status == "pending", *_ripe(now_ns, lease_ns)).distinct()
    return sorted(connection.execute(query).scalars())


def _ripe(now_ns: int, lease_ns: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Conditions on a pending row: nobody holds it, and it need not wait.

    ``leased_until_ns`` is the end of the lease, and after a failed attempt the moment of that.
    """
    held_until, due = outbox.c.leased_until_ns, outbox.c.due_ns <= now_ns
    set_back = or_(held_until > now_ns + lease_ns, and_(held_until == 0, outbox.c.created_ns > now_ns))
    return or_(held_until <= now_ns, set_back), or_(due, set_back)


def unsaid(connection: Connection, numbers: Sequence[int]) -> frozenset[tuple[int, str, str]]:
    """Incident, receiver and group of every notification of these incidents that has not been delivered yet."""
    query = select(outbox.c.incident, outbox.c.receiver, outbox.c.group_key).where(outbox.c.status == "pending")
    return frozenset(
        (row[0], row[1], row[2])
        for chunk in chunks(numbers)
        for row in connection.execute(query.where(outbox.c.incident.in_(chunk)))
    )


def lease(connection: Connection, receiver: str, now_ns: int, lease_ns: int, stale_ns: int) -> Leased | None:
    """The next notification for a receiver, leased until ``now_ns + lease_ns``; None when there is none to send."""
    while (row := _next(connection, receiver, now_ns, lease_ns)) is not None:
        if row["created_ns"] <= now_ns - stale_ns and _overtaken(connection, row):
            _conclude_all(connection, [row], now_ns, status="superseded")
            text = f"{receiver} was not told ({row['reason']}): it has been overtaken since"
            append_events(connection, [(row["incident"], _event(now_ns, "superseded", text))])
            continue
        attempt = row["attempts"] + 1
        values = {"attempts": attempt, "leased_until_ns": now_ns + lease_ns}
        connection.execute(update(outbox).where(outbox.c.id == row["id"]).values(values))
        return Leased(
            row["id"], row["incident"], receiver, row["idempotency_key"], attempt, row["group_key"], row["reason"],
            row["created_ns"], json.loads(row["figures"] or "{}"), row["message"], _thread(connection, row),
        )  # fmt: skip
    return None


def _next(connection: Connection, receiver: str, now_ns: int, lease_ns: int) -> RowMapping | None:
    """The row that has waited longest among the first of each incident, locked."""
    older = outbox.alias("older")
    not_first = exists(
        select(older.c.id).where(
            older.c.incident == outbox.c.incident,
            older.c.receiver == outbox.c.receiver,
            older.c.status == "pending",
            older.c.id < outbox.c.id,
        )
    )
    query = (
        select(outbox)
        .where(
            outbox.c.receiver == receiver,
            outbox.c.status == "pending",
            *_ripe(now_ns, lease_ns),
            ~not_first,
        )
        .order_by(outbox.c.due_ns, outbox.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=outbox)
    )
    return connection.execute(query).mappings().one_or_none()


def _thread(connection: Connection, row: RowMapping) -> str | None:
    """What the receiver called the first message of the row's group."""
    query = (
        select(outbox.c.handle)
        .where(
            outbox.c.incident == row["incident"],
            outbox.c.receiver == row["receiver"],
            outbox.c.group_key == row["group_key"],
            outbox.c.handle.is_not(None),
        )
        .order_by(outbox.c.id)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def _overtaken(connection: Connection, row: RowMapping) -> bool:
    """Whether a later row of its group waits, or an end that the receiver does not want to hear of has come since."""
    group = ("incident", "receiver", "group_key")
    newer = [outbox.c[name] == row[name] for name in group]
    followed = select(outbox.c.id).where(*newer, outbox.c.status == "pending", outbox.c.id > row["id"])
    ended = select(told.c.sequence).where(
        *(told.c[name] == row[name] for name in group), told.c.phase == "resolved", told.c.sequence > row["sequence"]
    )
    over = row["phase"] == "firing" and connection.execute(ended.limit(1)).first() is not None
    return over or connection.execute(followed.limit(1)).first() is not None


def conclude(connection: Connection, leased: Leased, outcome: Outcome, now_ns: int, delay_s: float) -> None:
    """Record how an attempt went; a transient failure is tried again after ``delay_s``.

    That it was delivered is a fact, whoever holds the lease by now; a failure counts only while the lease is ours.
    """
    mine = (outbox.c.id == leased.id, outbox.c.status == "pending")
    if outcome.kind == "delivered":
        changed = connection.execute(
            update(outbox)
            .where(*mine)
            .values(status="delivered", concluded_ns=now_ns, last_error=None, handle=outcome.handle)
        )
        if changed.rowcount:
            text = f"Told {leased.receiver} ({leased.reason})"
            append_events(connection, [(leased.incident, _outcome_event(now_ns, "notified", text, outcome))])
        return
    held = (*mine, outbox.c.attempts == leased.attempt)
    if outcome.kind == "transient":
        due_ns = now_ns + round(delay_s * NANOS)
        connection.execute(
            update(outbox).where(*held).values(due_ns=due_ns, leased_until_ns=now_ns, last_error=outcome.reason)
        )
        if outcome.retry_after_s is not None:
            _postpone(connection, leased.receiver, now_ns, now_ns + round(outcome.retry_after_s * NANOS))
        return
    changed = connection.execute(
        update(outbox).where(*held).values(status="failed", concluded_ns=now_ns, last_error=outcome.reason)
    )
    if changed.rowcount:
        text = f"{leased.receiver} could not be told ({leased.reason}): {outcome.reason}"
        append_events(connection, [(leased.incident, _outcome_event(now_ns, "undelivered", text, outcome))])


def _postpone(connection: Connection, receiver: str, now_ns: int, until_ns: int) -> None:
    """Leave a receiver alone for as long as it asked: its patience is for all that we send, not for one row."""
    rows = _lock_pending(connection, outbox.c.receiver == receiver, outbox.c.due_ns < until_ns)
    held_until = case((outbox.c.leased_until_ns < now_ns, now_ns), else_=outbox.c.leased_until_ns)
    _change(connection, rows, {"due_ns": until_ns, "leased_until_ns": held_until})


def fail_unknown(
    connection: Connection, known: Iterable[str], gone: Iterable[str], now_ns: int, patience_ns: int
) -> None:
    """Give up what waits for receivers that are no longer configured.

    Those ``gone`` were known here until they were taken out. Who else is not ``known`` may be of another process that
    read its configuration later: it has ``patience_ns`` to deliver.
    """
    given_up = or_(outbox.c.receiver.in_(list(gone)), outbox.c.created_ns <= now_ns - patience_ns)
    rows = _lock_pending(connection, outbox.c.receiver.not_in(list(known)), given_up)
    _conclude_all(connection, rows, now_ns, status="failed", last_error="the receiver is no longer configured")
    text = "{} could not be told: it is no longer configured"
    append_events(
        connection, [(row["incident"], _event(now_ns, "undelivered", text.format(row["receiver"]))) for row in rows]
    )


def _lock_pending(connection: Connection, *conditions: ColumnElement[bool]) -> Sequence[RowMapping]:
    """Pending rows that satisfy the conditions, locked; rows that another process is busy with are left to it."""
    query = (
        select(outbox.c.id, outbox.c.incident, outbox.c.receiver, outbox.c.reason)
        .where(outbox.c.status == "pending", *conditions)
        .order_by(outbox.c.id)
        .with_for_update(skip_locked=True, of=outbox)
    )
    return connection.execute(query).mappings().all()


def _conclude_all(connection: Connection, rows: Sequence[RowMapping], now_ns: int, **values: str) -> None:
    _change(connection, rows, {"concluded_ns": now_ns, **values})


def _change(connection: Connection, rows: Sequence[RowMapping], values: Mapping[str, Any]) -> None:
    for ids in chunks([row["id"] for row in rows]):
        connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(**values))


def health(connection: Connection, receivers: Iterable[str]) -> tuple[ReceiverHealth, ...]:
    """How delivery to each receiver stands, with the error of its latest failure that has not been made good."""
    query = (
        select(outbox.c.receiver, outbox.c.created_ns, outbox.c.last_error, outbox.c.status)
        .where(outbox.c.status == "pending")
        .order_by(outbox.c.id)
    )
    rows = connection.execute(query).all()
    found: list[ReceiverHealth] = []
    for receiver in receivers:
        pending = [row for row in rows if row[0] == receiver]
        failing = [row for row in pending if row[2] is not None]
        since_ns = failing[0][1] if failing else None
        error = failing[-1][2] if failing else _last_failure(connection, receiver)
        found.append(ReceiverHealth(receiver, len(pending), since_ns, error))
    return tuple(found)


def _last_failure(connection: Connection, receiver: str) -> str | None:
    """Why the latest concluded notification failed for good; None when it did not."""
    query = (
        select(outbox.c.status, outbox.c.last_error)
        .where(outbox.c.receiver == receiver, outbox.c.status.in_(("delivered", "failed")))
        .order_by(outbox.c.concluded_ns.desc(), outbox.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return row[1] if row is not None and row[0] == "failed" else None


def _outcome_event(now_ns: int, kind: EventKind, text: str, outcome: Outcome) -> TimelineEvent:
    return _event(now_ns, kind, text) if outcome.timeline is None else _event(now_ns, "hook", outcome.timeline)


def _event(now_ns: int, kind: EventKind, text: str) -> TimelineEvent:
    return TimelineEvent(now_ns, kind, MACHINE, text)
