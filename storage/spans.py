"""Stored spans: whole ranges as columns, one trace by its id, and the newest that match a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, select

from storage.database import Database
from storage.records import names_to_read, read_extras
from storage.selection import CHUNK_ROWS, EVERYTHING, Selection, iterate, load_newest
from storage.tables import STORED_NUMBERS, STORED_STRINGS, resources, spans
from telemetry.columns import Columns
from telemetry.matchers import Matchers
from telemetry.windows import NANOS

_NAMES: Final = names_to_read("span", None)


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One stored span.

    Attributes:
        trace_id, span_id, parent_span_id: hex; the last is empty for a root.
        start_ns, end_ns: event times.
        strings, numbers: canonical fields, features and other kept attributes that it has; durations in seconds.
        raw, resource: its own OTLP bytes and its serialised resource; empty in search results.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    start_ns: int
    end_ns: int
    is_inference: bool
    strings: Mapping[str, str]
    numbers: Mapping[str, float]
    raw: bytes = b""
    resource: bytes = b""

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return (self.end_ns - self.start_ns) / NANOS


def load_columns(
    db: Database,
    start_ns: int,
    end_ns: int,
    *,
    service: str | None = None,
    where: Matchers = EVERYTHING,
    fields: frozenset[str] | None = None,
    inference_only: bool = True,
    limit: int = 200_000,
) -> Columns:
    """The newest ``limit`` spans that ended within [start, end), oldest first.

    ``fields`` names what is read beside ids and times (None: everything); fewer is faster.

    Raises:
        StorageError: the database cannot be used.
    """
    return load_newest(db, Selection("span", start_ns, end_ns, service, where, fields, inference_only), limit)


def iterate_columns(
    db: Database,
    start_ns: int,
    end_ns: int,
    *,
    service: str | None = None,
    where: Matchers = EVERYTHING,
    fields: frozenset[str] | None = None,
    inference_only: bool = True,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[Columns]:
    """All spans that ended within [start, end), oldest first, in batches of at most ``chunk_rows``.

    Raises:
        StorageError: the database cannot be used.
    """
    selection = Selection("span", start_ns, end_ns, service, where, fields, inference_only)
    return iterate(db, selection, chunk_rows)


def trace(db: Database, trace_id: str) -> list[SpanRow]:
    """The spans of a trace (32 hex digits, any case), by start; none when it is unknown or no trace id.

    Raises:
        StorageError: the database cannot be used.
    """
    try:
        wanted = bytes.fromhex(trace_id)
    except ValueError:
        return []
    query = (
        select(*(spans.c[name] for name in _NAMES), spans.c.raw, resources.c.body)
        .outerjoin_from(spans, resources, resources.c.id == spans.c.resource_id)
        .where(spans.c.trace_id == wanted)
        .order_by(spans.c.start_ns, spans.c.id)
    )
    with db.read() as connection:
        return [_span(row, raw=row[-2] or b"", resource=row[-1] or b"") for row in connection.execute(query)]


def search(
    db: Database,
    start_ns: int,
    end_ns: int,
    *,
    service: str | None = None,
    operation: str | None = None,
    error: bool | None = None,
    min_duration_s: float | None = None,
    where: Mapping[str, str] | None = None,
    inference_only: bool = True,
    limit: int = 100,
) -> list[SpanRow]:
    """Spans that ended within [start, end), newest first.

    ``error`` is True for failed spans, False for good ones; ``where`` gives values of other stored string
    fields, such as ``{"model_version": "v3"}``.

    Raises:
        KeyError: ``where`` names a field that is not stored.
        StorageError: the database cannot be used.
    """
    conditions: list[ColumnElement[bool]] = [spans.c.time_ns >= start_ns, spans.c.time_ns < end_ns]
    if inference_only:
        conditions.append(spans.c.is_inference.is_(True))
    for name, value in {"service": service, "operation": operation, **(where or {})}.items():
        if value is not None:
            conditions.append(spans.c[name] == value)
    if error is not None:
        conditions.append(spans.c.error_type.is_not(None) if error else spans.c.error_type.is_(None))
    if min_duration_s is not None:
        conditions.append(spans.c.time_ns - spans.c.start_ns >= round(min_duration_s * NANOS))
    query = (
        select(*(spans.c[name] for name in _NAMES))
        .where(*conditions)
        .order_by(spans.c.time_ns.desc(), spans.c.id.desc())
        .limit(limit)
    )
    with db.read() as connection:
        return [_span(row) for row in connection.execute(query)]


def _span(row: Sequence[Any], raw: bytes = b"", resource: bytes = b"") -> SpanRow:
    values = dict(zip(_NAMES, row, strict=False))
    extras = read_extras(values["extras"])
    strings = {name: values[name] for name in STORED_STRINGS if values[name] is not None}
    numbers = {name: values[name] for name in STORED_NUMBERS if values[name] is not None}
    return SpanRow(
        trace_id=(values["trace_id"] or b"").hex(),
        span_id=(values["span_id"] or b"").hex(),
        parent_span_id=(values["parent_span_id"] or b"").hex(),
        name=values["name"] or "",
        start_ns=values["start_ns"],
        end_ns=values["time_ns"],
        is_inference=values["is_inference"],
        strings=strings | {name: value for name, value in extras.items() if isinstance(value, str)},
        numbers=numbers | {name: value for name, value in extras.items() if not isinstance(value, str)},
        raw=raw,
        resource=resource,
    )
