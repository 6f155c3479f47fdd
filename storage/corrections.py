"""Budget corrections as rows that are only ever added: created, and cancelled at most once. It excludes nothing."""

from __future__ import annotations

import json

from sqlalchemy import func, insert, select

from storage import audit
from storage.database import Database, Moment
from storage.statements import insert_into, storable
from storage.tables import correction_cancellations, corrections
from telemetry.corrections import Cancellation, Correction, NewCorrection
from telemetry.errors import ConflictError, NotFoundError
from telemetry.matchers import parse_matchers
from telemetry.windows import told_time


def create(db: Database, asked: NewCorrection, now_ns: int, actor: str | None = None) -> Correction:
    """Store a correction; it is in force from the next evaluation of any process.

    ``actor`` is whom the audit log names, by default the author.

    Raises:
        StorageError: the database cannot be used.
    """
    row = {
        "start_ns": asked.start_ns,
        "end_ns": asked.end_ns,
        "slos": storable(json.dumps(asked.slos)),
        "matchers": storable(json.dumps([str(matcher) for matcher in asked.matchers.items])),
        "author": storable(asked.author),
        "reason": storable(asked.reason),
        "created_ns": now_ns,
    }
    with db.write() as connection:
        number: int = connection.execute(insert(corrections).values(row).returning(corrections.c.id)).scalar_one()
        detail = {name: row[name] for name in ("author", "reason")} | {
            "start": told_time(asked.start_ns), "end": told_time(asked.end_ns), "slos": list(asked.slos),
            "matchers": [str(matcher) for matcher in asked.matchers.items],
        }  # fmt: skip
        audit.record(
            connection, at_ns=now_ns, actor=actor or asked.author, action="slo.correct",
            subject=f"correction {number}", detail=detail,
        )  # fmt: skip
    return Correction(number, asked, now_ns)


def cancel(db: Database, number: int, cancellation: Cancellation, actor: str | None = None) -> Correction:
    """Take a correction back: its time counts again; ``actor`` as above.

    Raises:
        NotFoundError: there is no such correction.
        ConflictError: it was cancelled before.
        StorageError: the database cannot be used.
    """
    row = {
        "correction": number,
        "author": storable(cancellation.author),
        "reason": storable(cancellation.reason),
        "cancelled_ns": cancellation.at_ns,
    }
    with db.write() as connection:
        if connection.execute(select(corrections.c.id).where(corrections.c.id == number)).scalar() is None:
            raise NotFoundError(
                f"there is no correction {number}", where="corrections", remedy="GET /api/v1/corrections lists them"
            )
        added = insert_into(connection, correction_cancellations).values(row).on_conflict_do_nothing()
        if connection.execute(added.returning(correction_cancellations.c.correction)).scalar() is None:
            raise ConflictError(
                f"correction {number} was cancelled before", where="corrections",
                remedy="create a new one if the time shall not count after all",
            )  # fmt: skip
        audit.record(
            connection, at_ns=cancellation.at_ns, actor=actor or cancellation.author, action="slo.cancel_correction",
            subject=f"correction {number}", detail={"author": cancellation.author, "reason": cancellation.reason},
        )  # fmt: skip
    return next(one for one in load(db) if one.id == number)


def load(db: Database | Moment) -> tuple[Correction, ...]:
    """Every correction that was ever made, oldest first.

    Raises:
        StorageError: the database cannot be used.
    """
    ended = correction_cancellations.c
    query = (
        select(corrections, ended.author.label("ended_by"), ended.reason.label("ended_for"), ended.cancelled_ns)
        .join_from(corrections, correction_cancellations, isouter=True)
        .order_by(corrections.c.id)
    )
    with db.read() as connection:
        return tuple(
            Correction(
                row.id,
                NewCorrection(
                    row.start_ns, row.end_ns, tuple(json.loads(row.slos)), parse_matchers(json.loads(row.matchers)),
                    row.author, row.reason,
                ),
                row.created_ns,
                None if row.cancelled_ns is None else Cancellation(row.ended_by, row.ended_for, row.cancelled_ns),
            )
            for row in connection.execute(query)
        )  # fmt: skip


def version(db: Database | Moment) -> tuple[int, int]:
    """Differs from what it was whenever a correction was created or cancelled since, by any process.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        created, cancelled = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (corrections, correction_cancellations)
        )
        return created, cancelled
