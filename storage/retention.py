"""Deletes what is older than its keeping time, in bounded batches; it decides no time itself.

Each batch is a transaction of its own, so that writers wait for one batch at most. Deleted space is used again
by the engine; the file of SQLite does not shrink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Column, delete, select

from storage.compaction import LEVELS
from storage.coverage import rows_dropped
from storage.database import Database
from storage.tables import (
    distribution_deltas,
    feedback,
    inference_logs,
    payloads,
    resources,
    sli_deltas,
    spans,
)
from telemetry.windows import NANOS

_BATCH_ROWS: Final = 5_000
_RESOURCE_MARGIN_NS: Final = 86400 * NANOS
"""A resource outlives its rows: it is noted as seen only now and then, and rows may lie in the near future."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long things are kept, in nanoseconds.

    Attributes:
        rows_ns: spans, inference logs and feedback, by event time.
        deltas_ns: counters, by bucket; not less than the longest SLO window.
        digests_ns: digests of requests, by arrival: for so long a repeat is recognised.
    """

    rows_ns: int
    deltas_ns: int
    digests_ns: int


def apply(db: Database, now_ns: int, policy: RetentionPolicy, batch_rows: int = _BATCH_ROWS) -> dict[str, int]:
    """Delete what is past its time; the number of deleted rows by table.

    Raises:
        StorageError: the database cannot be used; batches before it stay deleted.
    """
    rows_before = now_ns - policy.rows_ns
    with db.write() as connection:
        rows_dropped(connection, rows_before)
    limits: Mapping[Column[int], int] = {
        spans.c.time_ns: rows_before,
        inference_logs.c.time_ns: rows_before,
        feedback.c.time_ns: rows_before,
        resources.c.seen_ns: rows_before - _RESOURCE_MARGIN_NS,
        payloads.c.received_ns: now_ns - policy.digests_ns,
        sli_deltas.c.bucket_ns: now_ns - policy.deltas_ns,
        distribution_deltas.c.bucket_ns: now_ns - policy.deltas_ns,
    }
    return {column.table.name: _delete_before(db, column, limit, batch_rows) for column, limit in limits.items()}


def _delete_before(db: Database, column: Column[int], limit_ns: int, batch_rows: int) -> int:
    table = column.table
    (key,) = table.primary_key.columns
    due = select(key).where(column < limit_ns)
    if "level" in table.c:  # the index on increments begins with it
        due = due.where(table.c.level.in_(range(LEVELS)))
    batch = due.limit(batch_rows).scalar_subquery()
    deleted = 0
    while True:
        with db.write() as connection:
            count = connection.execute(delete(table).where(key.in_(batch))).rowcount
        deleted += count
        if count < batch_rows:
            return deleted
