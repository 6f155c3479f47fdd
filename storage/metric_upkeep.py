"""Folds old metric points to wider buckets, and deletes those past their keeping time, in bounded batches.

The folds are those of ``storage.compaction``. Nobody reads points incrementally, so they wait for no reader. Rows
are taken away and put back within one transaction, so a reader sees a bucket before or after, never between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, select

from storage.compaction import FOLDS, LEVELS, Fold
from storage.database import Database
from storage.locks import Lock, take_turn
from storage.metric_bodies import decode, encode
from storage.metric_tables import metric_points, metric_series
from storage.metrics import bounds_of
from storage.statements import chunks, insert_rows
from telemetry.points import State, merge_states
from telemetry.windows import NANOS, bucket_start

_BATCH_ROWS: Final = 5_000
_SERIES_MARGIN_NS: Final = 86400 * NANOS
"""A series outlives its points: it is noted as seen only now and then."""


def compact_points(db: Database, now_ns: int, batch_rows: int = _BATCH_ROWS) -> int:
    """Fold every point that is due; how many rows were folded away.

    Raises:
        StorageError: the database cannot be used; batches committed before it stay folded.
    """
    removed = 0
    for fold in FOLDS:
        before_ns = bucket_start(now_ns - fold.age_ns, fold.width_ns)
        while batch := _fold_batch(db, fold, before_ns, batch_rows):
            removed += batch
    return removed


def forget_points(db: Database, before_ns: int, batch_rows: int = _BATCH_ROWS) -> int:
    """Delete the points of buckets before ``before_ns``, and series that have none left; how many points there were.

    Raises:
        StorageError: the database cannot be used; batches committed before it stay deleted.
    """
    columns = metric_points.c
    due = columns.bucket_ns < before_ns, columns.level.in_(range(LEVELS))  # the index begins with the level
    batch = select(columns.id).where(*due).limit(batch_rows).scalar_subquery()
    deleted, count = 0, batch_rows
    while count >= batch_rows:
        with db.write() as connection:
            count = connection.execute(delete(metric_points).where(columns.id.in_(batch))).rowcount
        deleted += count
    with db.write() as connection:
        idle = metric_series.c.seen_ns < before_ns - _SERIES_MARGIN_NS
        left = select(columns.id).where(columns.series_id == metric_series.c.id).exists()
        connection.execute(delete(metric_series).where(idle, ~left))
    return deleted


def _fold_batch(db: Database, fold: Fold, before_ns: int, limit: int) -> int:
    """Fold up to ``limit`` rows of buckets that start before ``before_ns``; how many there were."""
    columns = metric_points.c
    with db.write() as connection:
        take_turn(connection, Lock.COMPACTION)
        due = columns.level == fold.level - 1, columns.bucket_ns < before_ns
        oldest = select(columns.id).where(*due).order_by(columns.bucket_ns).limit(limit)
        taken = _take(connection, columns.id.in_(oldest.scalar_subquery()))
        if taken:
            # What earlier batches left in the same wide buckets joins in, or every batch would add its own row.
            _put(connection, fold, [*_take_folded(connection, fold, taken), *taken])
    return len(taken)


def _take(connection: Connection, condition: ColumnElement[bool]) -> list[Any]:
    """Remove rows and return them, in one statement: what is put back is what was taken, whoever writes meanwhile."""
    return list(connection.execute(delete(metric_points).where(condition).returning(*metric_points.c)))


def _take_folded(connection: Connection, fold: Fold, rows: Sequence[Any]) -> list[Any]:
    columns = metric_points.c
    buckets = sorted({bucket_start(row.bucket_ns, fold.width_ns) for row in rows})
    taken: list[Any] = []
    for some in chunks(sorted({row.series_id for row in rows})):
        same = columns.series_id.in_(some), columns.bucket_ns.between(buckets[0], buckets[-1])
        wanted = set(buckets)
        found = connection.execute(
            select(columns.id, columns.bucket_ns).where(*same, columns.level == fold.level)
        ).all()
        for ids in chunks([row.id for row in found if row.bucket_ns in wanted]):
            taken += _take(connection, columns.id.in_(ids))
    return taken


def _put(connection: Connection, fold: Fold, rows: Sequence[Any]) -> None:
    bounds = bounds_of(connection, {row.series_id for row in rows})
    groups: dict[tuple[int, int, int], list[State]] = defaultdict(list)
    for row in rows:
        key = row.series_id, bucket_start(row.bucket_ns, fold.width_ns), row.start_ns
        groups[key].append(decode(bytes(row.body), bounds.get(row.series_id, ())))
    insert_rows(
        connection,
        metric_points,
        ("level", "width_ns", "series_id", "bucket_ns", "start_ns", "body"),
        [(fold.level, fold.width_ns, *key, encode(_merged(states))) for key, states in groups.items()],
    )


def _merged(states: Sequence[State]) -> State:
    merged = states[0]
    for state in states[1:]:
        merged = merge_states(merged, state)
    return merged
