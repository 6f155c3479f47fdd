"""The audit log: who changed what, when and from where, as rows that are only ever added. It decides nothing.

Whoever changes something records it in the transaction of the change, so that neither is stored without the other.
A detail holds what was asked for, never a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import Connection, select

from storage.database import Database
from storage.statements import insert_rows, storable
from storage.tables import audit_log
from telemetry.windows import NANOS

LONGEST_ANSWER: Final = 1000
"""Entries that are read at once."""


class Actor(str):
    """Who acts: the name of a token, or of whom nobody asked for one; with the address that the request came from."""

    __slots__ = ("address",)
    address: str

    def __new__(cls, name: str, address: str = "") -> Self:
        """``address`` is empty where no network is between."""
        made = super().__new__(cls, name)
        made.address = address
        return made


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change.

    Attributes:
        id: grows with time; the next page of an answer begins below it.
        at_ns: when, in ns since the epoch.
        actor: who, as in :class:`Actor`.
        address: from where; empty for a command on the database itself.
        action: a dotted verb, such as ``incident.acknowledge``.
        subject: what was changed, such as ``INC-7``.
        detail: what was asked for, as JSON has it.
    """

    id: int
    at_ns: int
    actor: str
    address: str
    action: str
    subject: str
    detail: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The entry as the API gives it; ``at`` is in seconds since the epoch."""
        return {
            "id": self.id, "at": self.at_ns / NANOS, "actor": self.actor, "address": self.address,
            "action": self.action, "subject": self.subject, "detail": dict(self.detail),
        }  # fmt: skip


def record(
    connection: Connection, *, at_ns: int, actor: str, action: str, subject: str, detail: Mapping[str, object]
) -> None:
    """Add an entry within the transaction of ``connection``; ``detail`` is what JSON can hold.

    Raises:
        StorageError: the database cannot be used.
    """
    record_all(connection, [(subject, detail)], at_ns=at_ns, actor=actor, action=action)


def record_all(
    connection: Connection, entries: Iterable[tuple[str, Mapping[str, object]]], *, at_ns: int, actor: str, action: str
) -> None:
    """Add an entry for each subject, with its detail, in this order: one action that was done to many at once.

    Raises:
        StorageError: the database cannot be used.
    """
    who, address = storable(actor), actor.address if isinstance(actor, Actor) else ""
    insert_rows(
        connection,
        audit_log,
        ("at_ns", "actor", "address", "action", "subject", "detail"),
        (
            (at_ns, who, address, action, storable(subject), json.dumps(detail, ensure_ascii=True))
            for subject, detail in entries
        ),
    )


def load(
    db: Database,
    *,
    since_ns: int | None = None,
    before: int | None = None,
    actor: str | None = None,
    action: str | None = None,
    limit: int = LONGEST_ANSWER,
) -> tuple[AuditEntry, ...]:
    """The newest entries first: from ``since_ns`` on, with an id below ``before``, of one actor, of one action.

    ``action`` may be a whole verb, or what stands before the dot of several (``token``).

    Raises:
        StorageError: the database cannot be used.
    """
    log = audit_log.c
    query = select(audit_log).order_by(log.id.desc()).limit(min(limit, LONGEST_ANSWER))
    if since_ns is not None:
        query = query.where(log.at_ns >= since_ns)
    if before is not None:
        query = query.where(log.id < before)
    if actor is not None:
        query = query.where(log.actor == storable(actor))
    if action is not None:
        query = query.where((log.action == action) | log.action.startswith(f"{action}.", autoescape=True))
    with db.read() as connection:
        return tuple(
            AuditEntry(row.id, row.at_ns, row.actor, row.address, row.action, row.subject, json.loads(row.detail))
            for row in connection.execute(query)
        )
