"""Whole ranges of stored records of one signal as columns; what spans and inference logs have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from storage.database import Database
from storage.selection import CHUNK_ROWS, EVERYTHING, Selection, iterate, load_newest
from storage.tables import record_blocks
from telemetry.columns import Columns, Signal
from telemetry.matchers import Matchers
from telemetry.windows import NANOS

_HOUR_NS = 3600 * NANOS


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads records of ``signal``; by default those only that describe inference calls if ``inference_only``."""

    signal: Signal
    inference_only: bool = True

    def load_columns(
        self,
        db: Database,
        start_ns: int,
        end_ns: int,
        *,
        service: str | None = None,
        where: Matchers = EVERYTHING,
        fields: frozenset[str] | None = None,
        inference_only: bool | None = None,
        limit: int = 200_000,
    ) -> Columns:
        """The newest ``limit`` matching records with an event time (spans: the end) in [start, end), oldest first.

        ``fields`` names what is read beside ids, times and embeddings (None: everything); fewer is faster.

        Raises:
            StorageError: the database cannot be used.
        """
        only = self.inference_only if inference_only is None else inference_only
        return load_newest(db, Selection(self.signal, start_ns, end_ns, service, where, fields, only), limit)

    def iterate_columns(
        self,
        db: Database,
        start_ns: int,
        end_ns: int,
        *,
        service: str | None = None,
        where: Matchers = EVERYTHING,
        fields: frozenset[str] | None = None,
        inference_only: bool | None = None,
        chunk_rows: int = CHUNK_ROWS,
    ) -> Iterator[Columns]:
        """All matching records of [start, end), oldest first, in batches of at most ``chunk_rows``.

        Raises:
            StorageError: the database cannot be used.
        """
        only = self.inference_only if inference_only is None else inference_only
        return iterate(db, Selection(self.signal, start_ns, end_ns, service, where, fields, only), chunk_rows)


def record_hours(db: Database, start_ns: int) -> list[tuple[int, int]]:
    """Hours (ns, their start) after ``start_ns``, and about how many records of any kind each holds, oldest first.

    A block of records counts where it begins.

    Raises:
        StorageError: the database cannot be used.
    """
    blocks = record_blocks.c
    hour = (blocks.start_ns - blocks.start_ns % _HOUR_NS).label("hour")
    query = select(hour, func.sum(blocks.records)).where(blocks.start_ns > start_ns).group_by(hour).order_by(hour)
    with db.read() as connection:
        hours = [(int(row[0]), int(row[1])) for row in connection.execute(query)]
    return [(hour_ns, records) for hour_ns, records in hours if hour_ns > start_ns]
