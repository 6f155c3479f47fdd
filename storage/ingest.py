"""Commits what requests carried: counters, rows and the digests that make a repeat count once, in one transaction.

It decodes and counts nothing itself. When it returns, everything is on the disk; when it raises, nothing is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from storage.database import Database
from storage.distributions import encode
from storage.feedback import FeedbackRow, insert_feedback
from storage.records import RECORD_TABLES, PreparedRecords, prepare
from storage.statements import chunks, insert_into, insert_rows, storable
from storage.tables import distribution_deltas, payloads, resources, sli_deltas
from telemetry.columns import Columns, Signal
from telemetry.deltas import Distribution, DistributionDelta, SliDelta, merge_distributions
from telemetry.windows import BUCKET_NS, NANOS

_SLI_COLUMNS: Final = ("rule", "group_key", "bucket_ns", "width_ns", "good", "total")
_DISTRIBUTION_COLUMNS: Final = ("rule", "group_key", "bucket_ns", "width_ns", "field", "kind", "body")
_SEEN_EVERY_NS: Final = 3600 * NANOS
"""A resource's ``seen_ns`` is brought up to date this often: retention needs no better, and a write costs."""


@dataclass(frozen=True, slots=True)
class PreparedPayload:
    """What one request carried, decoded and counted.

    Attributes:
        digest: of the body; equal digests are the same request.
        columns: its spans and inference logs.
        feedback: its labels for earlier requests.
        sli, distributions: what it adds to the counters.
        spans: how many records it carried.
    """

    digest: bytes
    columns: tuple[Columns, ...] = ()
    feedback: tuple[FeedbackRow, ...] = ()
    sli: tuple[SliDelta, ...] = ()
    distributions: tuple[DistributionDelta, ...] = ()
    spans: int = 0


def commit(db: Database, group: Sequence[PreparedPayload], now_ns: int, keep_rows: bool = True) -> list[bool]:
    """Commit the payloads of a group together; True for each that is new, False for each that was counted before.

    ``keep_rows``: whether spans and inference logs are kept; counters and feedback always are. Increments of
    the same counter are added up first, so a group costs one row a counter.

    Raises:
        StorageError: nothing of the group was committed. If the server was lost during the commit itself,
            that is unknown: send the same payloads again, and what was committed will be found by its digest.
    """
    if not group:
        return []
    records = [[prepare(columns) for columns in payload.columns if len(columns)] for payload in group if keep_rows]
    with db.write() as connection:
        new = _claim(connection, [payload.digest for payload in group], now_ns)
        counted = [payload for payload, is_new in zip(group, new, strict=True) if is_new]
        _insert_sli(connection, [delta for payload in counted for delta in payload.sli])
        _insert_distributions(connection, [delta for payload in counted for delta in payload.distributions])
        insert_feedback(connection, [row for payload in counted for row in payload.feedback])
        if keep_rows:
            kept = [batch for batches, is_new in zip(records, new, strict=True) if is_new for batch in batches]
            _insert_resources(connection, kept, now_ns)
            _insert_records(connection, kept)
    return new


def _claim(connection: Connection, digests: Sequence[bytes], now_ns: int) -> list[bool]:
    """Write down the digests; True for the first payload of each that nobody wrote before.

    In sorted order, lest two collectors wait for each other's digests.
    """
    claimed: set[bytes] = set()
    for chunk in chunks(sorted(set(digests))):
        statement = insert_into(connection, payloads).values(
            [{"digest": digest, "received_ns": now_ns} for digest in chunk]
        )
        returned = connection.execute(statement.on_conflict_do_nothing().returning(payloads.c.digest))
        claimed.update(bytes(digest) for digest in returned.scalars())
    verdicts: list[bool] = []
    for digest in digests:
        verdicts.append(digest in claimed)
        claimed.discard(digest)
    return verdicts


def _insert_sli(connection: Connection, deltas: Iterable[SliDelta]) -> None:
    good: dict[tuple[str, str, int], int] = defaultdict(int)
    total: dict[tuple[str, str, int], int] = defaultdict(int)
    for delta in deltas:
        key = storable(delta.rule), storable(delta.group), delta.bucket_ns
        good[key] += delta.good
        total[key] += delta.total
    insert_rows(
        connection,
        sli_deltas,
        _SLI_COLUMNS,
        [(*key, BUCKET_NS, good[key], total[key]) for key in total],
    )


def _insert_distributions(connection: Connection, deltas: Iterable[DistributionDelta]) -> None:
    parts: dict[tuple[str, str, int, str], list[Distribution]] = defaultdict(list)
    for delta in deltas:
        key = storable(delta.rule), storable(delta.group), delta.bucket_ns, storable(delta.field)
        parts[key].append(delta.distribution)
    insert_rows(
        connection,
        distribution_deltas,
        _DISTRIBUTION_COLUMNS,
        [
            (rule, group, bucket_ns, BUCKET_NS, field, *encode(merge_distributions(same)))
            for (rule, group, bucket_ns, field), same in parts.items()
        ],
    )


def _insert_resources(connection: Connection, batches: Iterable[PreparedRecords], now_ns: int) -> None:
    bodies: dict[int, bytes] = {}
    for batch in batches:
        bodies.update(batch.resources)
    for chunk in chunks(sorted(bodies)):
        statement = insert_into(connection, resources).values(
            [{"id": number, "body": bodies[number], "seen_ns": now_ns} for number in chunk]
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={"seen_ns": statement.excluded.seen_ns},
                where=resources.c.seen_ns < statement.excluded.seen_ns - _SEEN_EVERY_NS,
            )
        )


def _insert_records(connection: Connection, batches: Iterable[PreparedRecords]) -> None:
    """Insert the rows, those of the same columns together."""
    alike: dict[tuple[Signal, tuple[str, ...]], list[PreparedRecords]] = defaultdict(list)
    for batch in batches:
        alike[batch.signal, batch.names].append(batch)
    for (signal, names), same in alike.items():
        rows = chain.from_iterable(batch.rows() for batch in same)
        insert_rows(connection, RECORD_TABLES[signal], names, rows)
