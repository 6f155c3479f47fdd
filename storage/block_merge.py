"""Merges small blocks into larger ones, changing no record and dropping none; it leaves full blocks as they are.

Commits under load make full blocks by themselves (``storage.blocks.FULL``), so full-speed ingest leaves nothing to
merge. Blocks of little traffic are merged with others of their size, each record about once a level, and what is left
of an hour becomes one block when the hour is over. Blocks are read and encoded outside the writing transaction, which
then takes them away and puts the new one in their place, if all are still there: a reader sees a record in one of
them, never in both, and another collector's merge or a retention that came first wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

import pyarrow as pa
from sqlalchemy import ColumnElement, Connection, Integer, and_, func, select
from sqlalchemy import delete as sql_delete

from storage.block_format import Batch, decode_raw_buffer, decode_table, encode_raw_buffer, join_tables
from storage.blocks import FULL, encode_block, insert_blocks
from storage.database import Database
from storage.locks import Lock, take_turn
from storage.tables import record_blocks
from telemetry.columns import Signal
from telemetry.windows import NANOS

_HOUR_NS: Final = 3600 * NANOS
_OVER_NS: Final = 600 * NANOS
"""So long after its end an hour counts as over; late records are merged into it all the same."""
_SAME_LEVEL: Final = 8
"""So many blocks of a level make one of the next, by the definition of the levels."""
_ENOUGH_RECORDS: Final = 8192
_MOST_BYTES: Final = 32 * 1024 * 1024
_MOST_BLOCKS: Final = 256
"""A merge takes no further block once it has so many records, bytes or blocks: this bounds memory and transaction."""

_FRAME_BYTES: Final = 32 * 1024
"""A compressed frame of raw bytes that is as long gains little from being joined with others."""
_FULL_RECORDS: Final = 8**FULL


@dataclass(frozen=True, slots=True)
class _Small:
    id: int
    level: int
    start_ns: int
    end_ns: int
    records: int
    size_bytes: int


class _GoneError(Exception):
    """A block was merged or deleted by somebody else."""


def merge_blocks(db: Database, now_ns: int) -> int:
    """Merge everything that is due; how many blocks were merged away.

    Raises:
        StorageError: the database cannot be used; merges before it stay.
    """
    merged = 0
    for signal, hour in _crowded_hours(db):
        over = (hour + 1) * _HOUR_NS + _OVER_NS <= now_ns
        for run in _due(_small_blocks(db, signal, hour), hour_is_over=over):
            merged += _merge(db, signal, run)
    return merged


def _crowded_hours(db: Database) -> list[tuple[Signal, int]]:
    """Signals and hours (since the epoch) in which more than one small block begins."""
    blocks = record_blocks.c
    hour = (blocks.start_ns // _HOUR_NS).label("hour")
    query = select(blocks.signal, hour).where(blocks.level.in_(range(FULL))).group_by(blocks.signal, hour)
    with db.read() as connection:
        return [(row.signal, int(row.hour)) for row in connection.execute(query.having(func.count() > 1))]


def _small_blocks(db: Database, signal: Signal, hour: int) -> list[_Small]:
    """The blocks below the highest level that begin within the hour, by their start."""
    blocks = record_blocks.c
    sizes = func.length(blocks.columns, type_=Integer) + func.coalesce(func.length(blocks.raw, type_=Integer), 0)
    query = (
        select(blocks.id, blocks.level, blocks.start_ns, blocks.end_ns, blocks.records, sizes)
        .where(
            blocks.level.in_(range(FULL)), blocks.signal == signal,
            blocks.start_ns >= hour * _HOUR_NS, blocks.start_ns < (hour + 1) * _HOUR_NS,
        )
        .order_by(blocks.start_ns, blocks.id)
    )  # fmt: skip
    with db.read() as connection:
        return [_Small(*row) for row in connection.execute(query)]


def _due(blocks: Sequence[_Small], *, hour_is_over: bool) -> Iterator[list[_Small]]:
    """Blocks to become one: neighbours in time, of one level while the hour may still bring more."""
    if hour_is_over:
        yield from (run for run in _runs(blocks) if len(run) > 1)
        return
    by_level = sorted(blocks, key=lambda block: block.level)
    for _, same in groupby(by_level, key=lambda block: block.level):
        for run in _runs(same):
            if len(run) >= _SAME_LEVEL or (len(run) > 1 and sum(block.records for block in run) >= _FULL_RECORDS):
                yield run


def _runs(blocks: Iterable[_Small]) -> Iterator[list[_Small]]:
    run: list[_Small] = []
    records = size = 0
    for block in blocks:
        run.append(block)
        records += block.records
        size += block.size_bytes
        if records >= _ENOUGH_RECORDS or size >= _MOST_BYTES or len(run) >= _MOST_BLOCKS:
            yield run
            run, records, size = [], 0, 0
    if run:
        yield run


def _read(connection: Connection, run: Sequence[_Small]) -> list[tuple[bytes, bytes | None]]:
    """Columns and raw bytes of those blocks of ``run`` that are there, in their order."""
    query = select(record_blocks.c.id, record_blocks.c.columns, record_blocks.c.raw).where(_among(run))
    found = {row.id: (row.columns, row.raw) for row in connection.execute(query)}
    return [found[block.id] for block in run if block.id in found]


def _joined_raw(parts: Iterable[tuple[bytes | None, pa.Table]]) -> bytes | None:
    """The raw bodies of blocks with these columns as one: zstd frames may follow each other, and small ones are joined.

    So raw bytes, the most of a block, are compressed anew once or twice on their way to a full one.
    """
    frames: list[bytes] = []
    small: list[bytes] = []
    for body, table in parts:
        if body is not None and len(body) >= _FRAME_BYTES:
            frames += [*_frame(small), body]
            small = []
        else:
            small += decode_raw_buffer(body, table)
    return b"".join([*frames, *_frame(small)]) or None


def _frame(pieces: Sequence[bytes]) -> list[bytes]:
    return [encode_raw_buffer(pieces)] if pieces else []


def _among(run: Sequence[_Small]) -> ColumnElement[bool]:
    """The blocks of ``run``; with the ends of their times, by which PostgreSQL finds their partitions."""
    ends_ns = [block.end_ns for block in run]
    blocks = record_blocks.c
    return and_(blocks.id.in_([block.id for block in run]), blocks.end_ns.between(min(ends_ns), max(ends_ns)))


def _merge(db: Database, signal: Signal, run: Sequence[_Small]) -> int:
    """Put one block in the place of those of ``run``; how many they were, 0 when one of them is gone."""
    with db.read() as connection:
        stored = _read(connection, run)
    if len(stored) < len(run):
        return 0
    tables = [decode_table(columns) for columns, _ in stored]
    raw = _joined_raw((body, table) for (_, body), table in zip(stored, tables, strict=True))
    block = replace(encode_block(signal, Batch(join_tables(tables))), raw=raw)
    try:
        with db.write() as connection:
            take_turn(connection, Lock.COMPACTION)
            _take_away(connection, run)
            insert_blocks(connection, [block])
    except _GoneError:
        return 0
    return len(run)


def _take_away(connection: Connection, run: Sequence[_Small]) -> None:
    gone = sql_delete(record_blocks).where(_among(run)).returning(record_blocks.c.id)
    if len(connection.execute(gone).all()) < len(run):
        raise _GoneError
