"""The processes that count into one database, and by which rules: each writes a row and renews it; nobody elects.

A collector that was killed leaves its row behind; it counts as gone when it has not renewed it for a minute.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select

from storage.database import Database
from storage.statements import insert_into, storable
from storage.tables import collectors
from telemetry.windows import NANOS

HEARTBEAT_NS: Final = 15 * NANOS
LIVE_NS: Final = 60 * NANOS
"""Three heartbeats may be missed before a collector counts as gone."""
_FORGOTTEN_NS: Final = 86400 * NANOS


@dataclass(frozen=True, slots=True)
class CollectorRow:
    """One process that counts.

    Attributes:
        id: drawn anew at each start.
        host, pid, version: where it runs, and which Tailwatch it is.
        started_ns: when it began.
        rules: ids of what it counts, sorted.
        seen_ns: its last heartbeat.
    """

    id: str
    host: str
    pid: int
    version: str
    started_ns: int
    rules: tuple[str, ...]
    seen_ns: int = 0

    def is_live(self, now_ns: int) -> bool:
        """Whether its heartbeat is recent."""
        return now_ns - self.seen_ns < LIVE_NS


def renew(db: Database, row: CollectorRow, now_ns: int) -> None:
    """Write the row, or renew it and what it counts; rows that nobody renewed for a day go.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        statement = insert_into(connection, collectors).values(
            id=row.id, host=storable(row.host), pid=row.pid, version=row.version, started_ns=row.started_ns,
            rules=json.dumps(row.rules), seen_ns=now_ns,
        )  # fmt: skip
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"], set_={"seen_ns": statement.excluded.seen_ns, "rules": statement.excluded.rules}
            )
        )
        connection.execute(delete(collectors).where(collectors.c.seen_ns < now_ns - _FORGOTTEN_NS))


def leave(db: Database, collector_id: str) -> None:
    """Take a row away: its collector ends.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.write() as connection:
        connection.execute(delete(collectors).where(collectors.c.id == collector_id))


def live_collectors(db: Database, now_ns: int) -> list[CollectorRow]:
    """The collectors whose heartbeat is recent, the longest-running first.

    Raises:
        StorageError: the database cannot be used.
    """
    query = (
        select(collectors)
        .where(collectors.c.seen_ns > now_ns - LIVE_NS)
        .order_by(collectors.c.started_ns, collectors.c.id)
    )
    with db.read() as connection:
        return [
            CollectorRow(
                row.id, row.host, row.pid, row.version, row.started_ns, tuple(json.loads(row.rules)), row.seen_ns
            )
            for row in connection.execute(query)
        ]


def differences(rows: Sequence[CollectorRow]) -> dict[str, tuple[str, ...]]:
    """By id of a collector, the rules that others count and it does not; collectors that lack none are left out."""
    every = {rule for row in rows for rule in row.rules}
    lacking = {row.id: tuple(sorted(every.difference(row.rules))) for row in rows}
    return {collector: rules for collector, rules in lacking.items() if rules}
