"""Reading records of a time range out of blocks into column batches; shared by spans and logs, it writes nothing.

Blocks that can hold nothing wanted are passed over by their times and services; of the others those columns are read
that decide, and the rest if a record is wanted. Filters run on the columns, so that they mean here what they mean at
intake. A transaction sees every record once, in one block, whatever is merged meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Connection

from storage.block_format import decode_table, join_tables
from storage.blocks import BlockInfo, find_blocks, newest_blocks, read_columns
from storage.database import Database
from storage.records import names_to_read, to_columns
from telemetry.columns import Columns, Signal, empty_columns
from telemetry.matchers import Matchers

EVERYTHING: Final = Matchers()
CHUNK_ROWS: Final = 50_000
"""Rows in a batch when a long range is read."""
_SLICE_ROWS: Final = 200_000
"""Rows that are read, and put in the order of time, at once; about 40 MB of spans with all their fields."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: ``signal``, event time within [``start_ns``, ``end_ns``), and filters.

    Attributes:
        service: of this service only; None for all.
        where: what else has to match.
        fields: what to read beside ids, times and embeddings; None for all.
        inference_only: leave out records that describe no inference call.
        failed: failed records only, or only good ones; None for both.
        min_duration_ns: from start to end.
    """

    signal: Signal
    start_ns: int
    end_ns: int
    service: str | None = None
    where: Matchers = EVERYTHING
    fields: frozenset[str] | None = None
    inference_only: bool = True
    failed: bool | None = None
    min_duration_ns: int | None = None

    def read(self, connection: Connection, block: BlockInfo) -> pa.Table | None:
        """The wanted records of a block; None for none."""
        if not block.may_hold_service(self.service):
            return None
        body = read_columns(connection, block.id)
        wanted = None if self.fields is None else self.fields | self._deciding
        if self._deciding or wanted is None:
            mask = self.mask(decode_table(body, names_to_read(self._deciding)))
            if not mask.any():
                return None
            table = decode_table(body, names_to_read(wanted))
        else:
            table = decode_table(body, names_to_read(wanted))
            mask = self.mask(table)
        if mask.all():
            return table
        return table.filter(pa.array(mask)) if mask.any() else None

    def mask(self, table: pa.Table) -> NDArray[np.bool_]:
        """(n,) which records of a block are wanted."""
        columns = to_columns(self.signal, table)
        mask = (columns.time_ns >= self.start_ns) & (columns.time_ns < self.end_ns)
        if self.inference_only:
            mask &= columns.is_inference
        if self.service is not None:
            service = columns.string("service")
            mask &= service.mask([value == self.service for value in service.values], missing=False)
        if self.failed is not None:
            mask &= (columns.string("error_type").codes >= 0) == self.failed
        if self.min_duration_ns is not None:
            mask &= columns.time_ns - columns.start_ns >= self.min_duration_ns
        return mask & self.where.mask(columns) if self.where.items else mask

    @property
    def _deciding(self) -> frozenset[str]:
        """The fields that decide, beside times."""
        names = set(self.where.names)
        if self.service is not None:
            names.add("service")
        if self.failed is not None:
            names.add("error_type")
        return frozenset(names)


def load_newest(db: Database, selection: Selection, limit: int) -> Columns:
    """The newest ``limit`` records, oldest first, in one batch.

    Raises:
        StorageError: the database cannot be used.
    """
    found: dict[int, pa.Table] = {}
    times: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    with db.read() as connection:
        for block in newest_blocks(connection, selection.signal, selection.start_ns, selection.end_ns):
            if len(times) >= limit and (not limit or times.min() > block.end_ns):
                break  # what is left is older than everything found
            table = selection.read(connection, block)
            if table is not None:
                found[block.id] = table
                times = _newest(np.append(times, table.column("time_ns").to_numpy()), limit)
    columns = _in_order(selection.signal, [found[number] for number in sorted(found)])
    return columns.take(np.arange(len(columns))[max(len(columns) - limit, 0) :])


def iterate(db: Database, selection: Selection, chunk_rows: int = CHUNK_ROWS) -> Iterator[Columns]:
    """All records, oldest first, in batches of at most ``chunk_rows``.

    The range is read slice by slice of time, each in a transaction of its own. A record that is committed behind the
    place that the reading has reached is not seen.

    Raises:
        StorageError: the database cannot be used.
    """
    for start_ns, end_ns in _slices(db, selection):
        part = replace(selection, start_ns=start_ns, end_ns=end_ns)
        with db.read() as connection:
            blocks = sorted(find_blocks(connection, part.signal, start_ns, end_ns), key=lambda block: block.id)
            tables = [table for block in blocks if (table := part.read(connection, block)) is not None]
        columns = _in_order(part.signal, tables)
        for first in range(0, len(columns), chunk_rows):
            yield columns.take(np.arange(first, min(first + chunk_rows, len(columns))))


def _slices(db: Database, selection: Selection) -> Iterator[tuple[int, int]]:
    """The range cut where about ``_SLICE_ROWS`` records lie between; what comes in meanwhile makes further slices."""
    start_ns = selection.start_ns
    while True:
        with db.read() as connection:
            blocks = find_blocks(connection, selection.signal, start_ns, selection.end_ns)
        if not blocks:
            return
        last_ns = min(max(block.end_ns for block in blocks) + 1, selection.end_ns)
        for cut_ns in [*_cuts(blocks, start_ns, last_ns), last_ns]:
            yield start_ns, cut_ns
            start_ns = cut_ns
        if start_ns >= selection.end_ns:
            return


def _cuts(blocks: Sequence[BlockInfo], start_ns: int, end_ns: int) -> list[int]:
    """Times strictly between ``start_ns`` and ``end_ns``, with as many records between if blocks hold them evenly.

    The number of records before a time is then linear between the ends of blocks, so it is interpolated.
    """
    starts = np.asarray([block.start_ns for block in blocks], dtype=np.int64)
    stops = np.asarray([block.end_ns for block in blocks], dtype=np.int64) + 1
    rates = np.asarray([block.records for block in blocks], dtype=np.float64) / (stops - starts)
    edges, place = np.unique(np.concatenate((starts, stops)), return_inverse=True)
    slopes = np.zeros(len(edges))
    np.add.at(slopes, place, np.concatenate((rates, -rates)))
    before = np.concatenate(([0.0], np.cumsum(np.cumsum(slopes)[:-1] * np.diff(edges))))
    offsets = (edges - edges[0]).astype(np.float64)
    skipped = float(np.interp(start_ns - int(edges[0]), offsets, before))
    targets = np.arange(skipped + _SLICE_ROWS, before[-1], _SLICE_ROWS)
    cuts = np.interp(targets, before, offsets).astype(np.int64) + edges[0]
    return [cut for cut in np.unique(cuts).tolist() if start_ns < cut < end_ns]


def _newest(times: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    return times if len(times) <= limit else np.partition(times, len(times) - limit)[len(times) - limit :]


def _in_order(signal: Signal, tables: Sequence[pa.Table]) -> Columns:
    """The records of ``tables`` by time; those of one time in the order that they have."""
    if not tables:
        return empty_columns(signal)
    columns = to_columns(signal, join_tables(tables))
    if (columns.time_ns[1:] >= columns.time_ns[:-1]).all():
        return columns
    return columns.take(np.argsort(columns.time_ns, kind="stable"))
