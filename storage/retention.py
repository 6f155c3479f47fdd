"""Deletes what is older than its keeping time, in bounded batches; it decides no time itself.

Each batch is a transaction of its own, so that writers wait for one batch at most. Deleted space is used again
by the engine; the file of SQLite does not shrink. Records go by whole blocks, once the newest in a block is due, and on
PostgreSQL by whole days, whose partitions are dropped.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Text, column, delete, func, select, table

from storage.compaction import LEVELS
from storage.coverage import rows_dropped
from storage.database import Database
from storage.partitions import DAY_NS, drop, ended, ensure_days
from storage.tables import distribution_deltas, feedback, payloads, record_blocks, sli_deltas
from telemetry.columns import Signal
from telemetry.errors import StorageError

_BATCH_ROWS: Final = 5_000
_BATCH_BLOCKS: Final = 32
"""Blocks are long: about 1 MB each."""
_DAYS_AHEAD: Final = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long things are kept, in nanoseconds.

    Attributes:
        spans_ns, logs_ns, feedback_ns: spans, inference logs and feedback, by event time.
        deltas_ns: counters, by bucket; not less than the longest SLO window.
        digests_ns: digests of requests, by arrival: for so long a repeat is recognised.
    """

    spans_ns: int
    logs_ns: int
    feedback_ns: int
    deltas_ns: int
    digests_ns: int


def apply(db: Database, now_ns: int, policy: RetentionPolicy, batch_rows: int = _BATCH_ROWS) -> dict[str, int]:
    """Delete what is past its time; the number of deleted records by kind.

    Raises:
        StorageError: the database cannot be used; batches before it stay deleted.
    """
    due: Mapping[Signal, int] = {"span": now_ns - policy.spans_ns, "log": now_ns - policy.logs_ns}
    with db.write() as connection:
        rows_dropped(connection, max(due.values()))
    deleted = _drop_days(db, min(due.values()))
    for signal, before_ns in due.items():
        deleted[signal] += _delete_blocks(db, signal, before_ns)
    limits: Mapping[Column[int], int] = {
        feedback.c.time_ns: now_ns - policy.feedback_ns,
        payloads.c.received_ns: now_ns - policy.digests_ns,
        sli_deltas.c.bucket_ns: now_ns - policy.deltas_ns,
        distribution_deltas.c.bucket_ns: now_ns - policy.deltas_ns,
    }
    _prepare_days(db, now_ns)
    return {
        "spans": deleted["span"],
        "inference_logs": deleted["log"],
        **{time.table.name: _delete_before(db, time, limit, batch_rows) for time, limit in limits.items()},
    }


def _prepare_days(db: Database, now_ns: int) -> None:
    """Make the partitions of today and of the days to come, so that no commit has to."""
    with db.write() as connection:
        ensure_days(connection, record_blocks, [now_ns + ahead * DAY_NS for ahead in range(_DAYS_AHEAD + 1)])


def _drop_days(db: Database, before_ns: int) -> Counter[Signal]:
    """Drop partitions that end by ``before_ns``; the records that were in them."""
    dropped: Counter[Signal] = Counter()
    if db.dialect != "postgresql":
        return dropped
    try:
        with db.write() as connection:
            for name in ended(connection, record_blocks, before_ns):
                day = table(name, column("signal", Text), column("records", BigInteger))
                for row in connection.execute(select(day.c.signal, func.sum(day.c.records)).group_by(day.c.signal)):
                    dropped[row[0]] += int(row[1])
                drop(connection, name)
    except StorageError as error:
        _log.warning("whole days of records are dropped later: %s", error)
        return Counter()
    return dropped


def _delete_blocks(db: Database, signal: Signal, before_ns: int) -> int:
    """Delete the blocks whose newest record is older than ``before_ns``; the records that were in them."""
    blocks = record_blocks.c
    batch = select(blocks.id).where(blocks.signal == signal, blocks.end_ns < before_ns).limit(_BATCH_BLOCKS)
    statement = delete(record_blocks).where(blocks.id.in_(batch.scalar_subquery())).returning(blocks.records)
    records = 0
    while True:
        with db.write() as connection:
            counts: Sequence[int] = connection.execute(statement).scalars().all()
        records += sum(counts)
        if len(counts) < _BATCH_BLOCKS:
            return records


def _delete_before(db: Database, time: Column[int], limit_ns: int, batch_rows: int) -> int:
    whole = time.table
    (key,) = whole.primary_key.columns
    due = select(key).where(time < limit_ns)
    if "level" in whole.c:  # the index on increments begins with it
        due = due.where(whole.c.level.in_(range(LEVELS)))
    batch = due.limit(batch_rows).scalar_subquery()
    deleted = 0
    while True:
        with db.write() as connection:
            count = connection.execute(delete(whole).where(key.in_(batch))).rowcount
        deleted += count
        if count < batch_rows:
            return deleted
