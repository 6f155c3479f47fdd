"""Writes increments of counters, those of the same counter added up first; it reads none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection

from storage.distributions import encode
from storage.statements import insert_rows, storable
from storage.tables import distribution_deltas, sli_deltas
from telemetry.deltas import Distribution, DistributionDelta, SliDelta, merge_distributions
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS

_KEY_COLUMNS: Final = ("rule", "group_key", "bucket_ns", "width_ns")
_READ_COLUMNS: Final = ("level", "transaction_id")
_READ: Final = (1, 0)
"""What compaction leaves of 10 s increments that were read."""


def insert_sli(connection: Connection, deltas: Iterable[SliDelta], *, read: bool = False) -> None:
    """Insert increments of good and total.

    ``read``: as increments that every reader has seen; for counters that are replaced, whose former increments
    readers took in.
    """
    good: dict[tuple[str, str, int], int] = defaultdict(int)
    total: dict[tuple[str, str, int], int] = defaultdict(int)
    for delta in deltas:
        key = storable(delta.rule), storable(delta.group), delta.bucket_ns
        good[key] += delta.good
        total[key] += delta.total
    columns, more = _more_columns(("good", "total"), read=read)
    rows = [(*key, BUCKET_NS, good[key], total[key], *more) for key in total]
    insert_rows(connection, sli_deltas, columns, rows)


def insert_distributions(connection: Connection, deltas: Iterable[DistributionDelta], *, read: bool = False) -> None:
    """Insert increments of distributions; ``read`` as for :func:`insert_sli`.

    Numbers and texts under one key are two rows: which of them the field holds is known when all are read together.
    """
    parts: dict[tuple[str, str, int, str, bool], list[Distribution]] = defaultdict(list)
    for delta in deltas:
        is_sketch = isinstance(delta.distribution, DDSketch)
        key = storable(delta.rule), storable(delta.group), delta.bucket_ns, storable(delta.field), is_sketch
        parts[key].append(delta.distribution)
    columns, more = _more_columns(("field", "kind", "body"), read=read)
    insert_rows(
        connection,
        distribution_deltas,
        columns,
        [
            (rule, group, bucket_ns, BUCKET_NS, field, *encode(merge_distributions(same)), *more)
            for (rule, group, bucket_ns, field, _), same in parts.items()
        ],
    )


def _more_columns(own: tuple[str, ...], *, read: bool) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    return ((*_KEY_COLUMNS, *own, *_READ_COLUMNS), _READ) if read else ((*_KEY_COLUMNS, *own), ())
