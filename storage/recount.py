"""Puts counters in place of others that may lack something, as far back as rows are complete; it counts nothing.

    with standstill(db) as connection:
        ... count rows, which db.read() shows as they stay ...
        start_ns = replaceable_from(connection, rules)
        replace_counters(connection, rules, start_ns, end_ns, sli, distributions)

Ask for the start last: rows that were deleted while they were counted have moved it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, delete, func, select, text

from storage.compaction import FOLDS
from storage.coverage import complete_from
from storage.database import Database
from storage.increments import insert_distributions, insert_sli
from storage.locks import Lock, take_turn
from storage.positions import DELTA_TABLES
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.windows import BUCKET_NS, bucket_start

_WIDEST_NS: Final = max(fold.width_ns for fold in FOLDS)


@contextmanager
def standstill(db: Database) -> Iterator[Connection]:
    """A write transaction during which nobody else commits requests or folds counters; they wait.

    Raises:
        StorageError: the database cannot be used, or stays locked.
    """
    with db.write() as connection:
        if connection.dialect.name == "postgresql":
            take_turn(connection, Lock.COMPACTION)
            # Every commit of requests begins with their digests.
            connection.execute(text("LOCK TABLE payloads IN SHARE ROW EXCLUSIVE MODE"))
        yield connection


def replaceable_from(connection: Connection, rules: Sequence[str]) -> int:
    """The first bucket (ns) from which rows are complete and that cuts no folded bucket of ``rules``."""
    start_ns = bucket_start(complete_from(connection) + BUCKET_NS - 1)
    ends_ns = [start_ns]
    for table in DELTA_TABLES:
        end_ns = table.c.bucket_ns + table.c.width_ns
        cut = select(func.max(end_ns)).where(
            table.c.rule.in_(rules),
            table.c.bucket_ns > start_ns - _WIDEST_NS,
            table.c.bucket_ns < start_ns,
            end_ns > start_ns,
        )
        ends_ns.append(connection.execute(cut).scalar() or start_ns)
    return max(ends_ns)


def replace_counters(
    connection: Connection,
    rules: Sequence[str],
    start_ns: int,
    end_ns: int,
    sli: Iterable[SliDelta],
    distributions: Iterable[DistributionDelta],
) -> None:
    """Drop the counters of ``rules`` in buckets of [start, end), and insert what lies there of the others.

    The end is a whole hour, so that it cuts no folded bucket.

    Incremental readers see neither: they go on with what they had until they load anew.
    """
    for table in DELTA_TABLES:
        within = table.c.bucket_ns >= start_ns, table.c.bucket_ns < end_ns
        connection.execute(delete(table).where(table.c.rule.in_(rules), *within))
    insert_sli(connection, (delta for delta in sli if start_ns <= delta.bucket_ns < end_ns), read=True)
    insert_distributions(
        connection, (delta for delta in distributions if start_ns <= delta.bucket_ns < end_ns), read=True
    )
