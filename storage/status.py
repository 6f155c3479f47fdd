"""The last evaluation of every SLO as JSON, shown from a start until the first evaluation after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from storage.database import Database
from storage.statements import chunks, insert_into, storable
from storage.tables import slo_statuses


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What an evaluation said of one SLO: a JSON document, and when."""

    slo: str
    body: Any
    evaluated_ns: int


def save_statuses(db: Database, statuses: Mapping[str, Any], now_ns: int) -> None:
    """Replace everything by ``statuses``, JSON documents by SLO name.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        stored = set(connection.execute(select(slo_statuses.c.slo)).scalars())
        for gone in chunks(sorted(stored - set(statuses))):
            connection.execute(delete(slo_statuses).where(slo_statuses.c.slo.in_(gone)))
        for names in chunks(sorted(statuses)):
            statement = insert_into(connection, slo_statuses).values(
                [{"slo": name, "body": storable(json.dumps(statuses[name])), "evaluated_ns": now_ns} for name in names]
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["slo"],
                    set_={"body": statement.excluded.body, "evaluated_ns": statement.excluded.evaluated_ns},
                )
            )


def load_statuses(db: Database) -> dict[str, StoredStatus]:
    """What was saved last, by SLO name.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        rows = connection.execute(select(slo_statuses).order_by(slo_statuses.c.slo))
        return {row.slo: StoredStatus(row.slo, json.loads(row.body), row.evaluated_ns) for row in rows}
