"""The stored silences: made, changed, ended, listed; when alerts are silenced is for ``alerting.silences`` to say."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from alerting.evidence import clean
from alerting.silences import Silence, begun, changed, check, expired
from alerting.tables import silences
from storage import audit
from storage.database import Database
from telemetry.errors import NotFoundError
from telemetry.matchers import Matcher, Matchers
from telemetry.windows import NANOS

_log = logging.getLogger(__name__)


class SilenceBook:
    """Every silence there is, over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: tuple[int, list[Silence]] | None = None

    def put(self, wanted: Silence, now_ns: int, *, actor: str | None = None) -> str:
        """Make a silence, or change the one of its id; the id of what is in force then.

        ``actor`` is whom the audit log names, beside the author that the silence has; None for no entry.

        Raises:
            PayloadError: it cannot be made.
            NotFoundError: it has an id that no silence has.
        """
        check(wanted, now_ns)
        fresh = replace(wanted, id=str(uuid.uuid4()), updated_ns=now_ns)
        with self._database.write() as connection:
            results = changed(_load(connection, wanted.id), fresh, now_ns) if wanted.id else (begun(fresh, now_ns),)
            for silence in results:
                _save(connection, silence)
            if actor is not None:
                verb = "change" if wanted.id else "create"
                detail = _detail(results[-1]) | ({"instead_of": wanted.id} if wanted.id else {})
                _record(connection, now_ns, actor, verb, results[-1].id, detail)
        self._recent = None
        _log.info("silence %s of %s by %s: %s", results[-1].id, wanted.matchers, wanted.created_by, wanted.comment)
        return results[-1].id

    def expire(self, silence_id: str, now_ns: int, *, actor: str | None = None) -> None:
        """End a silence now.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it is over.
        """
        with self._database.write() as connection:
            over = expired(_load(connection, silence_id), now_ns)
            _save(connection, over)
            if actor is not None:
                _record(connection, now_ns, actor, "expire", silence_id, _detail(over))
        self._recent = None
        _log.info("silence %s was ended", silence_id)

    def get(self, silence_id: str) -> Silence:
        """One silence.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._database.read() as connection:
            return _load(connection, silence_id)

    def all(self) -> list[Silence]:
        """Every silence, those that have ended recently too."""
        with self._database.read() as connection:
            return [_silence(row) for row in connection.execute(select(silences)).mappings()]

    def in_force(self, now_ns: int) -> list[Silence]:
        """Those that are in force now."""
        with self._database.read() as connection:
            return in_force(connection, now_ns)

    def recently(self, connection: Connection, now_ns: int) -> list[Silence]:
        """Those that were in force within the last second, for what asks thousands of times: a burst's notifications.

        What another process has silenced within that second is not among them.
        """
        recent = self._recent
        if recent is None or not 0 <= now_ns - recent[0] < NANOS:
            recent = self._recent = now_ns, in_force(connection, now_ns)
        return recent[1]


def in_force(connection: Connection, now_ns: int) -> list[Silence]:
    """The silences that are in force now."""
    query = select(silences).where(silences.c.starts_ns <= now_ns, silences.c.ends_ns > now_ns).order_by(silences.c.id)
    return [_silence(row) for row in connection.execute(query).mappings()]


def delete_ended_before(connection: Connection, before_ns: int) -> None:
    """Forget silences that ended before a time."""
    connection.execute(delete(silences).where(silences.c.ends_ns < before_ns))


def _load(connection: Connection, silence_id: str) -> Silence:
    row = connection.execute(select(silences).where(silences.c.id == silence_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("silence not found", where=silence_id[:100], remedy="take an id from the list of silences")
    return _silence(row)


def _record(
    connection: Connection, now_ns: int, actor: str, verb: str, silence_id: str, detail: Mapping[str, object]
) -> None:
    audit.record(connection, at_ns=now_ns, actor=actor, action=f"silence.{verb}", subject=silence_id, detail=detail)


def _detail(silence: Silence) -> dict[str, object]:
    return {
        "matchers": str(silence.matchers),
        "until": silence.ends_ns / NANOS,
        "author": silence.created_by,
        "comment": silence.comment,
    }


def _save(connection: Connection, silence: Silence) -> None:
    values: dict[str, Any] = {
        "matchers": json.dumps([[item.name, item.op, clean(item.value)] for item in silence.matchers.items]),
        "starts_ns": silence.starts_ns,
        "ends_ns": silence.ends_ns,
        "created_by": clean(silence.created_by),
        "comment": clean(silence.comment),
        "updated_ns": silence.updated_ns,
    }
    if connection.execute(update(silences).where(silences.c.id == silence.id).values(values)).rowcount == 0:
        connection.execute(insert(silences).values(values | {"id": silence.id}))


def _silence(row: RowMapping) -> Silence:
    matchers = Matchers(tuple(Matcher(*item) for item in json.loads(row["matchers"])))
    return Silence(**{name: value for name, value in row.items() if name != "matchers"}, matchers=matchers)
