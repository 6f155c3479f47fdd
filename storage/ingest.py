"""Commits what requests carried: counters, rows and the digests that make a repeat count once, in one transaction.

It decodes and counts nothing itself. When it returns, everything is on the disk; when it raises, nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sqlalchemy import Connection, select

from storage.blocks import insert_blocks, prepare
from storage.coverage import rows_dropped
from storage.database import Database
from storage.feedback import FeedbackRow, insert_feedback
from storage.increments import insert_distributions, insert_sli
from storage.metric_points import insert_points
from storage.revisions import note_uncounted
from storage.statements import chunks, insert_new
from storage.tables import payloads
from telemetry.columns import Columns
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.errors import TailwatchError
from telemetry.points import MetricPoint
from telemetry.windows import NANOS, bucket_start

Kind: TypeAlias = Literal["span", "log", "feedback"]
EVERY_KIND: Final[frozenset[Kind]] = frozenset({"span", "log", "feedback"})
_UNKEPT_NS: Final = 300 * NANOS
"""Where no rows are kept, the time that they are complete from moves in steps of this."""


class RepeatedError(TailwatchError):
    """Requests among those to be committed had been counted before; nothing was committed.

    Attributes:
        digests: theirs. What they carried has to be left out, and the rest committed without it.
    """

    def __init__(self, digests: frozenset[bytes]) -> None:
        self.digests = digests
        super().__init__(f"{len(digests)} requests were counted before", remedy="commit the others without them")


@dataclass(frozen=True, slots=True)
class PreparedPayload:
    """What a batch of requests carried, decoded and counted together: it is committed whole or not at all.

    Attributes:
        digests: one a request; equal digests are the same request.
        columns: their spans and inference logs.
        feedback: their labels for earlier requests.
        sli, distributions: what they add to the counters.
        points: what they add to metrics.
        spans: how many records they carried.
        rules: ids of the rules that these were counted by; None for what carries no records, such as verdicts.
    """

    digests: tuple[bytes, ...]
    columns: tuple[Columns, ...] = ()
    feedback: tuple[FeedbackRow, ...] = ()
    sli: tuple[SliDelta, ...] = ()
    distributions: tuple[DistributionDelta, ...] = ()
    points: tuple[MetricPoint, ...] = ()
    spans: int = 0
    rules: frozenset[str] | None = None


def known(db: Database, digests: Iterable[bytes]) -> frozenset[bytes]:
    """Those of ``digests`` that were counted before; a commit decides all the same, since others commit too.

    Raises:
        StorageError: the database cannot be used.
    """
    found: set[bytes] = set()
    with db.read() as connection:
        for chunk in chunks(sorted(set(digests))):
            stored = connection.execute(select(payloads.c.digest).where(payloads.c.digest.in_(chunk)))
            found.update(bytes(digest) for digest in stored.scalars())
    return frozenset(found)


def commit(db: Database, group: Sequence[PreparedPayload], now_ns: int, kept: frozenset[Kind] = EVERY_KIND) -> None:
    """Commit the payloads of a group together, each request of which is new, and named once in the group.

    ``kept``: which kinds of records are kept; counters and metrics always are. Increments of
    the same counter are added up first, so a group costs one row a counter.

    Raises:
        RepeatedError: requests were counted before; nothing of the group was committed.
        StorageError: nothing of the group was committed. If the server was lost during the commit itself,
            that is unknown: send the same payloads again, and what was committed will be found by its digest.
        ValueError: a digest occurs twice in the group.
    """
    if not group:
        return
    records = [columns for payload in group for columns in payload.columns if len(columns)]
    blocks = prepare(columns for columns in records if columns.signal in kept)
    with db.write() as connection:
        _claim(connection, [digest for payload in group for digest in payload.digests], now_ns)
        insert_sli(connection, [delta for payload in group for delta in payload.sli])
        insert_distributions(connection, [delta for payload in group for delta in payload.distributions])
        insert_points(connection, [point for payload in group for point in payload.points], now_ns)
        if "feedback" in kept:
            insert_feedback(connection, [row for payload in group for row in payload.feedback])
        insert_blocks(connection, blocks)
        _note_unkept(connection, [columns for columns in records if columns.signal not in kept])
        counted = [payload.rules for payload in group if payload.rules is not None and payload.spans]
        if counted:
            note_uncounted(connection, counted[0].intersection(*counted[1:]))


def _claim(connection: Connection, digests: Sequence[bytes], now_ns: int) -> None:
    """Write down the digests, or raise RepeatedError with those that somebody wrote before.

    In sorted order, lest two collectors wait for each other's digests.
    """
    asked = frozenset(digests)
    if len(asked) < len(digests):
        raise ValueError("a digest occurs twice among the payloads of one commit")
    claimed: set[bytes] = set()
    for chunk in chunks(sorted(asked)):
        new = insert_new(connection, payloads, ("digest", "received_ns"), [(digest, now_ns) for digest in chunk])
        claimed.update(map(bytes, new))
    if claimed != asked:
        raise RepeatedError(asked - claimed)


def _note_unkept(connection: Connection, unkept: Sequence[Columns]) -> None:
    if unkept:
        newest_ns = max(int(columns.time_ns.max()) for columns in unkept)
        rows_dropped(connection, bucket_start(newest_ns, _UNKEPT_NS) + _UNKEPT_NS)
