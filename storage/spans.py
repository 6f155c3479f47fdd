"""Stored spans: whole ranges as columns, one trace by its id, and the newest that match a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from storage.block_format import decode_raw, decode_table, fixed_bytes
from storage.blocks import blocks_with_trace, read_columns, read_raw
from storage.database import Database
from storage.reader import RecordReader
from storage.records import SpanRow, to_columns, to_rows
from storage.selection import Selection, load_newest
from telemetry.matchers import Matcher, Matchers
from telemetry.schema import FIELD_BY_NAME
from telemetry.windows import NANOS

__all__ = ["SpanRow", "iterate_columns", "load_columns", "search", "trace"]


_SPANS = RecordReader("span")
load_columns = _SPANS.load_columns
iterate_columns = _SPANS.iterate_columns


def trace(db: Database, trace_id: str) -> list[SpanRow]:
    """The spans of a trace (32 hex digits, any case), by start; none when it is unknown or no trace id.

    Raises:
        StorageError: the database cannot be used.
    """
    try:
        wanted = bytes.fromhex(trace_id)
    except ValueError:
        return []
    if len(wanted) != 16 or not any(wanted):
        return []
    found: list[SpanRow] = []
    with db.read() as connection:
        for number in blocks_with_trace(connection, "span", wanted):
            body = read_columns(connection, number)
            ids = fixed_bytes(decode_table(body, frozenset({"trace_id"}).__contains__), "trace_id", 16)
            places = np.flatnonzero((ids == np.frombuffer(wanted, dtype=np.uint8)).all(axis=1))
            if len(places):
                found += _whole(decode_table(body), read_raw(connection, number), places.tolist())
    return sorted(found, key=lambda span: span.start_ns)


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

    ``error`` is True for failed spans, False for good ones; ``where`` gives values of other string fields, such as
    ``{"model_version": "v3"}``.

    Raises:
        KeyError: ``where`` names no string field.
        StorageError: the database cannot be used.
    """
    named = {"service": service, "operation": operation, **(where or {})}
    values = {name: value for name, value in named.items() if value is not None}
    for name in values:
        if FIELD_BY_NAME[name].kind != "string":
            raise KeyError(name)
    selection = Selection(
        "span", start_ns, end_ns,
        service=values.pop("service", None),
        where=Matchers(tuple(Matcher(name, "=", value) for name, value in values.items())),
        inference_only=inference_only,
        failed=error,
        min_duration_ns=None if min_duration_s is None else round(min_duration_s * NANOS),
    )  # fmt: skip
    return list(to_rows(load_newest(db, selection, limit)))[::-1]


def _whole(table: pa.Table, raw_body: bytes | None, places: list[int]) -> list[SpanRow]:
    """The spans at ``places`` of a block, with their raw bytes and resources."""
    raw = decode_raw(raw_body, table)
    rows: Any = table.take(pa.array(places))
    resources: list[bytes | None] = (
        rows.column("resource").to_pylist() if "resource" in rows.column_names else [None] * len(places)
    )
    return [
        replace(span, raw=raw[place] if len(raw) else b"", resource=resource or b"")
        for span, place, resource in zip(to_rows(to_columns("span", rows)), places, resources, strict=True)
    ]
