"""Dead letters: notifications that were given up and that nothing later has made good; it sends nothing.

A later notification of the same group that was delivered says what the lost one would have said, so that one is no
longer missed. One that is tried again keeps its place and its idempotency key, and goes the way of every other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, exists, func, select, update

from alerting.incidents import TimelineEvent, format_id
from alerting.repository import append_events
from alerting.tables import outbox
from storage import audit
from telemetry.errors import ConflictError, NotFoundError
from telemetry.windows import NANOS

MOST: Final = 1000
"""Listed, and tried again, at once."""


def listed(connection: Connection, receivers: Iterable[str]) -> list[dict[str, Any]]:
    """The documents of those to these receivers, the latest first."""
    return [document(row) for row in _load(connection, outbox.c.receiver.in_(list(receivers)))]


def counted(connection: Connection, receivers: Iterable[str]) -> dict[str, int]:
    """How many there are, by receiver."""
    found = dict.fromkeys(receivers, 0)
    query = select(outbox.c.receiver, func.count()).where(*_DEAD, outbox.c.receiver.in_(list(found)))
    return found | {row[0]: row[1] for row in connection.execute(query.group_by(outbox.c.receiver))}


def retry(
    connection: Connection, receivers: Iterable[str], number: int | None, *, author: str, actor: str, now_ns: int
) -> list[dict[str, Any]]:
    """Let one be tried again, or all of these receivers; their documents.

    Raises:
        NotFoundError: there is no such notification.
        ConflictError: it was not given up, or what it says has been overtaken.
    """
    to_these = outbox.c.receiver.in_(list(receivers))
    rows = _load(connection, to_these if number is None else to_these & (outbox.c.id == number), lock=True)
    if number is not None and not rows:
        raise _not_dead(connection, number)
    if rows:
        values = {"status": "pending", "attempts": 0, "due_ns": now_ns, "leased_until_ns": 0, "concluded_ns": None}
        connection.execute(update(outbox).where(outbox.c.id.in_([row["id"] for row in rows])).values(values))
    for row in rows:
        text = f"{row['receiver']} is told again ({row['reason']}); it was given up: {row['last_error']}"
        append_events(connection, [(row["incident"], TimelineEvent(now_ns, "commented", author, text))])
        audit.record(
            connection, at_ns=now_ns, actor=actor, action="notification.retry", subject=format_id(row["incident"]),
            detail={"id": row["id"], "receiver": row["receiver"], "reason": row["reason"], "author": author},
        )  # fmt: skip
    return [document(row) for row in rows]


def document(row: RowMapping) -> dict[str, Any]:
    """One as the HTTP API gives it; times in seconds since the epoch."""
    return {
        "id": row["id"],
        "incident": format_id(row["incident"]),
        "receiver": row["receiver"],
        "reason": row["reason"],
        "error": row["last_error"],
        "attempts": row["attempts"],
        "created_at": row["created_ns"] / NANOS,
        "given_up_at": row["concluded_ns"] / NANOS,
    }


_later = outbox.alias("later")
_DEAD: Final[tuple[ColumnElement[bool], ...]] = (
    outbox.c.status == "failed",
    ~exists(
        select(_later.c.id).where(
            _later.c.incident == outbox.c.incident,
            _later.c.receiver == outbox.c.receiver,
            _later.c.group_key == outbox.c.group_key,
            _later.c.status == "delivered",
            _later.c.id > outbox.c.id,
        )
    ),
)


def _load(connection: Connection, condition: ColumnElement[bool], *, lock: bool = False) -> Sequence[RowMapping]:
    query = select(outbox).where(*_DEAD, condition).order_by(outbox.c.id.desc()).limit(MOST)
    return connection.execute(query.with_for_update(of=outbox) if lock else query).mappings().all()


def _not_dead(connection: Connection, number: int) -> NotFoundError | ConflictError:
    status = connection.execute(select(outbox.c.status).where(outbox.c.id == number)).scalar_one_or_none()
    if status is None:
        return NotFoundError(f"there is no notification {number}", remedy="take an id from the list of those given up")
    why = {
        "failed": "something later has been delivered since, or its receiver is no longer configured",
        "pending": "it waits to be delivered",
        "delivered": "it was delivered",
    }.get(status, "it was overtaken before it could be delivered")
    return ConflictError(f"notification {number} cannot be tried again: {why}", remedy="nothing needs to be done")
