"""The counters: what is new since a reader last looked, and the merged state of a time range; it evaluates nothing.

Increments are appended by any number of writers and merged here on reading. Buckets are 10 s wide and, once
folded (``storage.compaction``), 5 min or 1 h; a range holds the buckets that start within it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Connection, Table, cast, func, select

from storage.database import Database, Moment
from storage.distributions import decode
from storage.positions import Position, adopt_restored_rows, current_position, unread
from storage.statements import chunks
from storage.tables import distribution_deltas, sli_deltas
from telemetry.deltas import Distribution, DistributionDelta, SliColumns, group_labels, merge_distributions
from telemetry.windows import BUCKET_NS


@dataclass(frozen=True, slots=True)
class Increment:
    """What became visible since a position: 10 s increments in the order of their rows, and the new position."""

    sli: SliColumns
    distributions: tuple[DistributionDelta, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class SliSeries:
    """The counters of one rule and group, a bucket each: (k,) int64, ``bucket_ns`` ascending.

    ``width_ns`` is the width at which a bucket is known: 10 s, or more once it is folded.
    """

    rule: str
    group: str
    bucket_ns: NDArray[np.int64]
    width_ns: NDArray[np.int64]
    good: NDArray[np.int64]
    total: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DistributionSeries:
    """The distributions of one rule, group and field; ``bucket_ns`` and ``width_ns`` (k,) int64 as in SliSeries."""

    rule: str
    group: str
    field: str
    bucket_ns: NDArray[np.int64]
    width_ns: NDArray[np.int64]
    distributions: tuple[Distribution, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The merged state of a range, and the position from which :func:`read_since` continues without gap or overlap.

    ``older`` are distributions from before those in ``distributions``, of the rules for which they were wanted.
    """

    sli: tuple[SliSeries, ...]
    distributions: tuple[DistributionSeries, ...]
    position: Position
    older: tuple[DistributionSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class SliTotal:
    """Good and total events of one group over a range."""

    labels: Mapping[str, str]
    good: int
    total: int


def read_since(
    db: Database | Moment, position: Position, *, without_distributions_of: Collection[str] = ()
) -> Increment:
    """Every increment that was committed after ``position`` was taken, each exactly once, however commits overlap.

    ``without_distributions_of`` names a few rules whose distributions the caller has no use for: decoding the
    sketches of all series would cost more than the rest of an evaluation.

    Raises:
        StorageError: the database cannot be used.
    """
    columns = sli_deltas.c
    fields = distribution_deltas.c
    with db.read() as connection:
        sli = connection.execute(
            select(columns.rule, columns.group_key, columns.bucket_ns, columns.good, columns.total)
            .where(unread(connection, sli_deltas, position))
            .order_by(columns.id)
        )
        deltas = SliColumns.of(tuple(row) for row in sli)
        distributions = connection.execute(
            select(fields.rule, fields.group_key, fields.bucket_ns, fields.field, fields.kind, fields.body)
            .where(unread(connection, distribution_deltas, position), fields.rule.not_in(without_distributions_of))
            .order_by(fields.id)
        )
        more = tuple(DistributionDelta(*row[:4], decode(row.kind, row.body)) for row in distributions)
        return Increment(deltas, more, current_position(connection))


def load(
    db: Database | Moment,
    rules: Sequence[str] | None,
    start_ns: int,
    end_ns: int,
    width_ns: int = BUCKET_NS,
    *,
    distributions_start_ns: int | None = None,
    older_distributions_of: Collection[str] = (),
) -> Loaded:
    """The state of ``rules`` (None: all) over [start, end), in buckets of at least ``width_ns``, as of one moment.

    ``distributions_start_ns``: where distributions begin, if later than counters do; ``older_distributions_of``
    names rules of which those before it are wanted too.

    Raises:
        StorageError: the database cannot be used.
    """
    if isinstance(db, Database):
        adopt_restored_rows(db)
    with db.read() as connection:
        sli = tuple(_sli(connection, rules, start_ns, end_ns, width_ns))
        from_ns = start_ns if distributions_start_ns is None else distributions_start_ns
        distributions = tuple(_distributions(connection, rules, from_ns, end_ns, width_ns=width_ns))
        whole = sorted(older_distributions_of)
        older = tuple(_distributions(connection, whole, start_ns, from_ns, width_ns=width_ns)) if whole else ()
        return Loaded(sli, distributions, current_position(connection), older)


def load_sli(
    db: Database,
    rules: Sequence[str] | None,
    start_ns: int,
    end_ns: int,
    width_ns: int = BUCKET_NS,
    *,
    group: str | None = None,
) -> tuple[SliSeries, ...]:
    """The counters alone, as :func:`load` gives them; of one ``group`` or all.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        return tuple(_sli(connection, rules, start_ns, end_ns, width_ns, group))


def load_distributions(
    db: Database,
    rules: Sequence[str] | None,
    start_ns: int,
    end_ns: int,
    *,
    width_ns: int = BUCKET_NS,
    field: str | None = None,
) -> tuple[DistributionSeries, ...]:
    """The distributions alone, of one ``field`` or all, as :func:`load` gives them.

    Raises:
        StorageError: the database cannot be used.
    """
    with db.read() as connection:
        return tuple(_distributions(connection, rules, start_ns, end_ns, width_ns=width_ns, field=field))


def sli_totals(db: Database, rule: str, start_ns: int, end_ns: int) -> tuple[SliTotal, ...]:
    """Good and total of each group of ``rule`` over [start, end), by group.

    Raises:
        StorageError: the database cannot be used.
    """
    columns = sli_deltas.c
    query = (
        select(columns.group_key, _sum(columns.good), _sum(columns.total))
        .where(columns.rule == rule, columns.bucket_ns >= start_ns, columns.bucket_ns < end_ns)
        .group_by(columns.group_key)
        .order_by(columns.group_key)
    )
    with db.read() as connection:
        return tuple(SliTotal(group_labels(group), good, total) for group, good, total in connection.execute(query))


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    """PostgreSQL adds bigints up to a numeric, which would come back as a Decimal."""
    return cast(func.sum(column), BigInteger)


def _within(
    table: Table, rules: Sequence[str] | None, start_ns: int, end_ns: int
) -> Iterator[list[ColumnElement[bool]]]:
    """The conditions of a range, once for each chunk of rules."""
    span = [table.c.bucket_ns >= start_ns, table.c.bucket_ns < end_ns]
    if rules is None:
        yield span
        return
    for chunk in chunks(sorted(set(rules))):
        yield [table.c.rule.in_(chunk), *span]


def _sli(
    connection: Connection,
    rules: Sequence[str] | None,
    start_ns: int,
    end_ns: int,
    width_ns: int,
    only_group: str | None = None,
) -> Iterator[SliSeries]:
    columns = sli_deltas.c
    bucket = (columns.bucket_ns - columns.bucket_ns % width_ns).label("bucket")
    for conditions in _within(sli_deltas, rules, start_ns, end_ns):
        if only_group is not None:
            conditions.append(columns.group_key == only_group)
        query = (
            select(
                columns.rule, columns.group_key, bucket, func.max(columns.width_ns),
                _sum(columns.good), _sum(columns.total),
            )
            .where(*conditions)
            .group_by(columns.rule, columns.group_key, bucket)
            .order_by(columns.rule, columns.group_key, bucket)
        )  # fmt: skip
        for (rule, group), rows in groupby(connection.execute(query), key=lambda row: (row[0], row[1])):
            numbers = np.asarray([row[2:] for row in rows], dtype=np.int64).T
            yield SliSeries(rule, group, numbers[0], np.maximum(numbers[1], width_ns), numbers[2], numbers[3])


def _distributions(
    connection: Connection,
    rules: Sequence[str] | None,
    start_ns: int,
    end_ns: int,
    *,
    width_ns: int,
    field: str | None = None,
) -> Iterator[DistributionSeries]:
    columns = distribution_deltas.c
    bucket = (columns.bucket_ns - columns.bucket_ns % width_ns).label("bucket")
    for conditions in _within(distribution_deltas, rules, start_ns, end_ns):
        if field is not None:
            conditions.append(columns.field == field)
        query = (
            select(columns.rule, columns.group_key, columns.field, bucket, columns.width_ns, columns.kind, columns.body)
            .where(*conditions)
            .order_by(columns.rule, columns.group_key, columns.field, bucket, columns.id)
        )
        for key, rows in groupby(connection.execute(query), key=lambda row: (row[0], row[1], row[2])):
            yield _merged_series(*key, rows, width_ns)


def _merged_series(rule: str, group: str, field: str, rows: Iterable[Any], width_ns: int) -> DistributionSeries:
    buckets: list[int] = []
    widths: list[int] = []
    merged: list[Distribution] = []
    for bucket, same in groupby(rows, key=lambda row: row.bucket):
        parts = list(same)
        buckets.append(bucket)
        widths.append(max(width_ns, *(part.width_ns for part in parts)))
        merged.append(merge_distributions([decode(part.kind, part.body) for part in parts]))
    starts, sizes = np.asarray(buckets, dtype=np.int64), np.asarray(widths, dtype=np.int64)
    return DistributionSeries(rule, group, field, starts, sizes, tuple(merged))
