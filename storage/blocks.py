"""The table of record blocks: what is written of a batch of records, and which blocks may hold what is looked for.

A block is a few hundred bytes that describe it (times, services, a filter of trace ids) and two long values, columns
and raw bytes (``storage.block_format``), in this order, so that neither is read for what stands before it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, Integer, LargeBinary, Select, bindparam, func, select, tuple_
from sqlalchemy import cast as sql_cast

from storage import trace_filter
from storage.block_format import (
    MAX_RECORDS,
    Batch,
    batch_of,
    encode_raw,
    encode_table,
    fixed_bytes,
    joined,
    string_column,
)
from storage.partitions import ensure_days
from storage.statements import insert_rows
from storage.tables import record_blocks
from telemetry.columns import Columns, Signal
from telemetry.windows import NANOS

LEVELS: Final = 5
"""Levels of size: a block of ``level`` holds at least ``8**level`` records, at the highest any more than that."""
FULL: Final = LEVELS - 1
"""The level of blocks that are large enough: they stay as they are."""

_WINDOW_NS: Final = 300 * NANOS
"""Records that lie further apart go to blocks by such windows: a reader of a range then reads little beside it."""
_MAX_WINDOWS: Final = 32
_MAX_SERVICES: Final = 50
_PAGE: Final = 256
_MAX_RAW_BYTES: Final = 256 * 1024 * 1024
"""Of one block: far below the longest value that the engines keep (1 GB)."""
_COLUMNS: Final = (
    "signal", "level", "start_ns", "end_ns", "records", "services", "trace_filter", "columns", "raw",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """A block that is ready to be inserted; the attributes are the table's columns."""

    signal: Signal
    level: int
    start_ns: int
    end_ns: int
    records: int
    services: str | None
    trace_filter: bytes | None
    columns: bytes
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """A stored block: its event times are within [``start_ns``, ``end_ns``], both ends included."""

    id: int
    start_ns: int
    end_ns: int
    records: int
    services: frozenset[str] | None

    def may_hold_service(self, service: str | None) -> bool:
        """Whether it may hold records of ``service``; of any for None."""
        return service is None or self.services is None or service in self.services


def prepare(columns: Iterable[Columns]) -> list[EncodedBlock]:
    """Blocks of what was taken in together: as few as their signals, times and sizes allow."""
    parts: dict[tuple[Signal, int], list[Batch]] = defaultdict(list)
    blocks: list[EncodedBlock] = []
    for batch in columns:
        for window, piece in _windows(batch):
            if len(piece) > MAX_RECORDS // 2:
                blocks += [encode_block(batch.signal, batch_of(small)) for small in _pieces(piece)]
            elif len(piece):
                parts[batch.signal, window].append(batch_of(piece))
    for (signal, _), same in parts.items():
        blocks += [encode_block(signal, joined(run)) for run in _runs(same)]
    return blocks


def encode_block(signal: Signal, batch: Batch) -> EncodedBlock:
    """One block of ``batch``, of at least one record and at most ``MAX_RECORDS``."""
    times = batch.table.column("time_ns").to_numpy()
    return EncodedBlock(
        signal=signal,
        level=level_of(len(batch)),
        start_ns=int(times.min()),
        end_ns=int(times.max()),
        records=len(batch),
        services=_services(batch.table),
        trace_filter=trace_filter.build(fixed_bytes(batch.table, "trace_id", 16)),
        columns=encode_table(batch.table),
        raw=encode_raw(batch),
    )


def level_of(records: int) -> int:
    """The level of a block of so many records."""
    return min((records.bit_length() - 1) // 3, FULL)


def insert_blocks(connection: Connection, blocks: Sequence[EncodedBlock]) -> None:
    """Insert ``blocks`` within the caller's transaction."""
    ensure_days(connection, record_blocks, {block.end_ns for block in blocks})
    insert_rows(
        connection, record_blocks, _COLUMNS, (tuple(getattr(block, name) for name in _COLUMNS) for block in blocks)
    )


def find_blocks(connection: Connection, signal: Signal, start_ns: int, end_ns: int) -> list[BlockInfo]:
    """The blocks that may hold records of [start, end), in no order."""
    return [_info(row) for row in connection.execute(_infos(signal, start_ns, end_ns))]


def newest_blocks(connection: Connection, signal: Signal, start_ns: int, end_ns: int) -> Iterator[BlockInfo]:
    """The blocks that may hold records of [start, end), those first whose newest record is the newest."""
    ends, ids = record_blocks.c.end_ns, record_blocks.c.id
    query = _infos(signal, start_ns, end_ns).order_by(ends.desc(), ids.desc()).limit(_PAGE)
    page = connection.execute(query).all()
    yield from map(_info, page)
    while len(page) == _PAGE:
        older = tuple_(ends, ids) < (page[-1].end_ns, page[-1].id)
        page = connection.execute(query.where(older)).all()
        yield from map(_info, page)


def blocks_with_trace(connection: Connection, signal: Signal, trace_id: bytes) -> list[int]:
    """The ids of the blocks that may hold records of a trace, in their order."""
    table = record_blocks
    (probe,) = trace_filter.probes(np.frombuffer(trace_id, dtype=np.uint8).reshape(1, 16))
    place = probe.place % (func.length(table.c.trace_filter, type_=Integer) // trace_filter.BLOCK_BYTES)
    start = sql_cast(place * trace_filter.BLOCK_BYTES + 1, Integer)
    part = func.substr(table.c.trace_filter, start, trace_filter.BLOCK_BYTES, type_=LargeBinary)
    query = select(table.c.id, part).where(table.c.signal == signal, table.c.trace_filter.is_not(None))
    rows = connection.execute(query).all()
    if not rows:
        return []
    held = trace_filter.may_hold(b"".join(row[1] for row in rows), probe)
    return sorted(rows[place][0] for place in np.flatnonzero(held).tolist())


def blocks_with_traces(connection: Connection, signal: Signal, trace_ids: Sequence[bytes]) -> Iterator[int]:
    """The ids of the blocks that may hold records of any of the traces, newest first."""
    table = record_blocks
    looked_for = trace_filter.probes(np.frombuffer(b"".join(trace_ids), dtype=np.uint8).reshape(-1, 16))
    query = select(table.c.id, table.c.trace_filter).where(table.c.signal == signal, table.c.trace_filter.is_not(None))
    rows = connection.execute(query.order_by(table.c.end_ns.desc(), table.c.id.desc())).yield_per(_PAGE)
    return (row.id for row in rows if trace_filter.may_hold_any(row.trace_filter, looked_for))


def read_columns(connection: Connection, block_id: int) -> bytes:
    """The columns of a block that this transaction sees."""
    return bytes(connection.execute(_COLUMNS_OF, {"id": block_id}).scalar_one())


def read_raw(connection: Connection, block_id: int) -> bytes | None:
    """The raw bytes of a block that this transaction sees."""
    body: bytes | None = connection.execute(_RAW_OF, {"id": block_id}).scalar_one()
    return body


_COLUMNS_OF: Final = select(record_blocks.c.columns).where(record_blocks.c.id == bindparam("id"))
_RAW_OF: Final = select(record_blocks.c.raw).where(record_blocks.c.id == bindparam("id"))


def _infos(signal: Signal, start_ns: int, end_ns: int) -> Select[Any]:
    table = record_blocks
    return select(table.c.id, table.c.start_ns, table.c.end_ns, table.c.records, table.c.services).where(
        table.c.signal == signal, table.c.end_ns >= start_ns, table.c.start_ns < end_ns
    )


def _info(row: Any) -> BlockInfo:
    services = None if row.services is None else frozenset(json.loads(row.services))
    return BlockInfo(row.id, row.start_ns, row.end_ns, row.records, services)


def _windows(columns: Columns) -> Iterator[tuple[int, Columns]]:
    """``columns`` by windows of time, each with a number; wider windows where there would be too many."""
    if not len(columns):
        return
    width_ns = _WINDOW_NS
    first, last = int(columns.time_ns.min()), int(columns.time_ns.max())
    if last - first < width_ns:
        yield first // width_ns, columns
        return
    while len(windows := np.unique(columns.time_ns // width_ns)) > _MAX_WINDOWS:
        width_ns *= 8
    for window in windows.tolist():
        yield window, columns.take(columns.time_ns // width_ns == window)


def _pieces(columns: Columns) -> Iterator[Columns]:
    """``columns`` in pieces that fit a block each, of equal size."""
    raw_bytes = len(columns.raw.data) if len(columns.raw) else 0
    count = max(-(-len(columns) // MAX_RECORDS), min(-(-raw_bytes // _MAX_RAW_BYTES), len(columns)))
    if count == 1:
        yield columns
        return
    for rows in np.array_split(np.arange(len(columns)), count):
        yield columns.take(rows)


def _runs(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """``batches`` side by side, as many as fit a block."""
    run: list[Batch] = []
    for batch in batches:
        if run and sum(map(len, run)) + len(batch) > MAX_RECORDS:
            yield run
            run = []
        run.append(batch)
    yield run


def _services(table: pa.Table) -> str | None:
    """A JSON list of the services that occur; None where there are too many."""
    if "service" not in table.column_names:
        return "[]"
    column = string_column(table.column("service"))
    if len(column.values) > _MAX_SERVICES:
        return None
    return json.dumps(sorted(column.values))
