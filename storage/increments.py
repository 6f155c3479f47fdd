"""Writes increments of counters, those of the same counter added up first; it reads none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from storage.distributions import encode
from storage.statements import insert_rows, storable
from storage.tables import distribution_deltas, sli_deltas
from telemetry.deltas import Distribution, DistributionDelta, SliDelta, merge_distributions
from telemetry.sketch_merge import merge_each
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS

_KEY_COLUMNS: Final = ("rule", "group_key", "bucket_ns", "width_ns")
_READ_COLUMNS: Final = ("level", "transaction_id")
_READ: Final = (1, 0)
"""What compaction leaves of 10 s increments that were read."""

_Key: TypeAlias = tuple[str, str, int, str]
"""Rule, group, bucket and field."""


def insert_sli(connection: Connection, deltas: Iterable[SliDelta], *, read: bool = False) -> None:
    """Insert increments of good and total.

    ``read``: as increments that every reader has seen; for counters that are replaced, whose former increments
    readers took in.
    """
    counters: dict[tuple[str, str, int], tuple[int, int]] = {}
    for rule, group, bucket_ns, good, total in deltas:
        key = rule, group, bucket_ns
        before = counters.get(key, (0, 0))
        counters[key] = before[0] + good, before[1] + total
    columns, more = _more_columns(("good", "total"), read=read)
    rows = [
        (storable(rule), storable(group), bucket_ns, BUCKET_NS, *counter, *more)
        for (rule, group, bucket_ns), counter in counters.items()
    ]
    insert_rows(connection, sli_deltas, columns, rows)


def insert_distributions(connection: Connection, deltas: Iterable[DistributionDelta], *, read: bool = False) -> None:
    """Insert increments of distributions; ``read`` as for :func:`insert_sli`.

    Numbers and texts under one key are two rows: which of them the field holds is known when all are read together.
    """
    sketches: dict[_Key, list[DDSketch]] = defaultdict(list)
    texts: dict[_Key, list[Distribution]] = defaultdict(list)
    for rule, group, bucket_ns, field, distribution in deltas:
        key = rule, group, bucket_ns, field
        if isinstance(distribution, DDSketch):
            sketches[key].append(distribution)
        else:
            texts[key].append(distribution)
    merged = [*merge_each([*sketches.values()]), *map(merge_distributions, texts.values())]
    columns, more = _more_columns(("field", "kind", "body"), read=read)
    insert_rows(
        connection,
        distribution_deltas,
        columns,
        [
            (storable(rule), storable(group), bucket_ns, BUCKET_NS, storable(field), *stored, *more)
            for (rule, group, bucket_ns, field), stored in zip((*sketches, *texts), encode(merged), strict=True)
        ],
    )


def _more_columns(own: tuple[str, ...], *, read: bool) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    return ((*_KEY_COLUMNS, *own, *_READ_COLUMNS), _READ) if read else ((*_KEY_COLUMNS, *own), ())
