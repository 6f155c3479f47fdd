"""Reading records of a time range into column batches; shared by spans and inference logs, it writes nothing.

Equality matchers on stored fields become SQL; every other matcher runs on the columns that come back, so a
filter means here exactly what it means at intake.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, select, tuple_

from storage.database import Database
from storage.records import RECORD_TABLES, names_to_read, to_columns
from storage.tables import STORED_STRINGS
from telemetry.columns import Columns, Signal
from telemetry.matchers import Matchers

EVERYTHING: Final = Matchers()
CHUNK_ROWS: Final = 50_000
"""Rows in memory at a time when a long range is read; about 40 MB."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: ``signal``, event time within [``start_ns``, ``end_ns``), and filters.

    Attributes:
        fields: what to read beside ids and times; None for all.
        inference_only: leave out records that describe no inference call.
    """

    signal: Signal
    start_ns: int
    end_ns: int
    service: str | None = None
    where: Matchers = EVERYTHING
    fields: frozenset[str] | None = None
    inference_only: bool = True

    @property
    def table(self) -> Table:
        """Where the records are."""
        return RECORD_TABLES[self.signal]

    @property
    def names(self) -> tuple[str, ...]:
        """The table columns to read."""
        fields = None if self.fields is None else self.fields | self.where.names
        return names_to_read(self.signal, fields)

    def conditions(self) -> list[ColumnElement[bool]]:
        """What SQL can decide."""
        table = self.table
        conditions: list[ColumnElement[bool]] = [table.c.time_ns >= self.start_ns, table.c.time_ns < self.end_ns]
        if self.inference_only:
            conditions.append(table.c.is_inference.is_(True))
        if self.service is not None:
            conditions.append(table.c.service == self.service)
        conditions += [
            table.c[matcher.name] == matcher.value
            for matcher in self.where.items
            if matcher.op == "=" and matcher.value and matcher.name in STORED_STRINGS
        ]
        return conditions

    def columns(self, rows: Sequence[Sequence[Any]]) -> Columns:
        """The batch of ``rows``, less what only the columns can tell apart."""
        columns = to_columns(self.signal, self.names, rows)
        return columns.take(self.where.mask(columns)) if self.where.items else columns


def load_newest(db: Database, selection: Selection, limit: int) -> Columns:
    """The newest ``limit`` records that SQL selects, oldest first, in one batch.

    Raises:
        StorageError: the database cannot be used.
    """
    table = selection.table
    query = (
        select(*(table.c[name] for name in selection.names))
        .where(*selection.conditions())
        .order_by(table.c.time_ns.desc(), table.c.id.desc())
        .limit(limit)
    )
    with db.read() as connection:
        rows = connection.execute(query).all()
    return selection.columns(rows[::-1])


def iterate(db: Database, selection: Selection, chunk_rows: int = CHUNK_ROWS) -> Iterator[Columns]:
    """All records, oldest first, in batches of at most ``chunk_rows``, each read in a transaction of its own.

    A record that is committed behind the place that the reading has reached is not seen.

    Raises:
        StorageError: the database cannot be used.
    """
    table, names = selection.table, selection.names
    query = (
        select(*(table.c[name] for name in names), table.c.id)
        .where(*selection.conditions())
        .order_by(table.c.time_ns, table.c.id)
        .limit(chunk_rows)
    )
    place = names.index("time_ns")
    after: tuple[int, int] | None = None
    while True:
        page = query if after is None else query.where(tuple_(table.c.time_ns, table.c.id) > after)
        with db.read() as connection:
            rows = connection.execute(page).all()
        if not rows:
            return
        after = rows[-1][place], rows[-1][-1]
        yield selection.columns([row[:-1] for row in rows])
        if len(rows) < chunk_rows:
            return
