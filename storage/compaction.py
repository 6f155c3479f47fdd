"""Merges increments of one bucket, then folds old buckets to 5 min and 1 h, changing no total; it drops nothing.

Only what the evaluator has read is folded, and folded rows carry a level above 0, so an incremental reader
neither misses an increment nor sees one again. Rows are taken away and put back within one transaction, in
bounded batches: writers wait for a batch at most, and readers see a range before or after, never between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from storage.database import Database
from storage.distributions import decode, encode
from storage.locks import Lock, take_turn
from storage.positions import DELTA_TABLES, Position, already_read
from storage.statements import chunks, insert_rows
from storage.tables import sli_deltas
from telemetry.deltas import merge_distributions
from telemetry.windows import BUCKET_NS, NANOS, bucket_start


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of the level below, whose buckets began ``age_ns`` ago, become buckets of ``width_ns`` at ``level``."""

    level: int
    width_ns: int
    age_ns: int


FOLDS: Final = (
    Fold(level=1, width_ns=BUCKET_NS, age_ns=120 * NANOS),
    Fold(level=2, width_ns=300 * NANOS, age_ns=6 * 3600 * NANOS),
    Fold(level=3, width_ns=3600 * NANOS, age_ns=73 * 3600 * NANOS),
)
"""First many increments of one bucket (a row a commit) become one. The ages of the others are the longest windows
of burn alerts that are sharp to 10 s (6 h) and to 5 min (3 d, and an hour for the evaluation to come round)."""

LEVELS: Final = 1 + max(fold.level for fold in FOLDS)
"""How many levels rows can have, from 0 on."""

BATCH_ROWS: Final = 10_000

Splits = Callable[[int, int], Collection[int]]


def compact(
    db: Database,
    now_ns: int,
    up_to: Position,
    batch_rows: int = BATCH_ROWS,
    splits: Splits | None = None,
) -> int:
    """Fold everything that is due and was read at ``up_to``; how many rows were folded away.

    ``splits`` gives the moments (ns, on the grid of 10 s) within [start, end) across which nothing is folded: where a
    calendar period or a budget correction begins or ends.

    Raises:
        StorageError: the database cannot be used; batches committed before it stay folded.
    """
    removed = 0
    for fold in FOLDS:
        before_ns = bucket_start(now_ns - fold.age_ns, fold.width_ns)
        for table in DELTA_TABLES:
            spared = _spared(db, table, fold, before_ns, splits) if splits and fold.level > 1 else ()
            while batch := _fold_batch(db, table, fold, before_ns, up_to=up_to, limit=batch_rows, spared=spared):
                removed += batch
    return removed


def _spared(db: Database, table: Table, fold: Fold, before_ns: int, splits: Splits) -> Collection[int]:
    """Starts of the wide buckets that a fold leaves alone."""
    with db.read() as connection:
        due = table.c.level == fold.level - 1, table.c.bucket_ns < before_ns
        oldest_ns = connection.execute(select(func.min(table.c.bucket_ns)).where(*due)).scalar()
    if oldest_ns is None:
        return ()
    moments = splits(bucket_start(oldest_ns, fold.width_ns), before_ns)
    return {bucket_start(at_ns, fold.width_ns) for at_ns in moments if at_ns % fold.width_ns}


def _fold_batch(
    db: Database, table: Table, fold: Fold, before_ns: int, *, up_to: Position, limit: int, spared: Collection[int]
) -> int:
    """Fold up to ``limit`` rows of buckets that start before ``before_ns``; how many there were."""
    with db.write() as connection:
        take_turn(connection, Lock.COMPACTION)
        due = [table.c.level == fold.level - 1, table.c.bucket_ns < before_ns]
        if fold.level == 1:
            due.append(already_read(connection, table, up_to))
        if spared:
            due.append((table.c.bucket_ns - table.c.bucket_ns % fold.width_ns).not_in(sorted(spared)))
        oldest = select(table.c.id).where(*due).order_by(table.c.bucket_ns).limit(limit)
        taken = _take(connection, table, table.c.id.in_(oldest.scalar_subquery()))
        if taken:
            # What earlier batches left in the same wide buckets joins in, or every batch would add its own row.
            before = _take_folded(connection, table, fold, taken)
            _put(connection, table, fold, [*before, *taken])
    return len(taken)


def _take(connection: Connection, table: Table, condition: ColumnElement[bool]) -> list[Any]:
    """Remove rows and return them, in one statement: what is put back is what was taken, whoever writes meanwhile."""
    return list(connection.execute(delete(table).where(condition).returning(*table.c)))


def _take_folded(connection: Connection, table: Table, fold: Fold, rows: Sequence[Any]) -> list[Any]:
    buckets = sorted({bucket_start(row.bucket_ns, fold.width_ns) for row in rows})
    rules = sorted({row.rule for row in rows})
    taken: list[Any] = []
    for some_rules in chunks(rules):
        for some_buckets in chunks(buckets):
            taken += _take(
                connection,
                table,
                (table.c.level == fold.level) & table.c.rule.in_(some_rules) & table.c.bucket_ns.in_(some_buckets),
            )
    return taken


def _put(connection: Connection, table: Table, fold: Fold, rows: Sequence[Any]) -> None:
    groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in rows:
        key = row.rule, row.group_key, bucket_start(row.bucket_ns, fold.width_ns)
        groups[key if table is sli_deltas else (*key, row.field)].append(row)
    head = ("level", "width_ns", "transaction_id", "rule", "group_key", "bucket_ns")
    if table is sli_deltas:
        names: tuple[str, ...] = (*head, "good", "total")
        folded = [
            (fold.level, fold.width_ns, 0, *key, sum(row.good for row in same), sum(row.total for row in same))
            for key, same in groups.items()
        ]
    else:
        names = (*head, "field", "kind", "body")
        merged = [merge_distributions([decode(row.kind, row.body) for row in same]) for same in groups.values()]
        folded = [
            (fold.level, fold.width_ns, 0, *key, *stored) for key, stored in zip(groups, encode(merged), strict=True)
        ]
    insert_rows(connection, table, names, folded)
