"""Finds the records of requests by trace and span id, wherever in time they are; for labels that arrive later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.block_format import decode_table, fixed_bytes, join_tables
from storage.blocks import blocks_with_traces, read_columns
from storage.database import Database
from storage.records import names_to_read, to_columns
from telemetry.columns import Columns, Signal, empty_columns

RequestKey: TypeAlias = tuple[bytes, bytes]
"""Trace id and span id."""

_IDS = frozenset({"trace_id", "span_id"})


def find_requests(
    db: Database, signal: Signal, keys: Collection[RequestKey], fields: frozenset[str] | None = None
) -> tuple[Columns, Sequence[RequestKey]]:
    """The records of those of the requests that are stored, one a request, and which request each is.

    Of several records of a request the one that came in last is taken. Blocks are looked through from the newest on,
    until every request is found. ``fields`` names what is read beside ids and times (None: everything).

    Raises:
        StorageError: the database cannot be used.
    """
    missing = set(keys)
    tables: list[pa.Table] = []
    found: list[RequestKey] = []
    if missing:
        with db.read() as connection:
            for number in blocks_with_traces(connection, signal, [trace_id for trace_id, _ in keys]):
                body = read_columns(connection, number)
                here = _latest(decode_table(body, _IDS.__contains__), missing)
                if here:
                    missing -= here.keys()
                    table = decode_table(body, names_to_read(fields))
                    tables.append(table.take(pa.array(list(here.values()))))
                    found += here
                if not missing:
                    break
    columns = to_columns(signal, join_tables(tables)) if tables else empty_columns(signal)
    order = np.argsort(columns.time_ns, kind="stable")
    return columns.take(order), [found[place] for place in order.tolist()]


def _latest(table: pa.Table, wanted: Collection[RequestKey]) -> dict[RequestKey, int]:
    """The last row of each wanted request among the rows of ``table``."""
    trace_ids, span_ids = fixed_bytes(table, "trace_id", 16), fixed_bytes(table, "span_id", 8)
    rows = np.flatnonzero(np.isin(_as_values(trace_ids), _as_values(_stacked(wanted))))
    keys = ((trace_ids[row].tobytes(), span_ids[row].tobytes()) for row in rows.tolist())
    return {key: row for key, row in zip(keys, rows.tolist(), strict=True) if key in wanted}


def _stacked(keys: Collection[RequestKey]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(trace_id for trace_id, _ in keys), dtype=np.uint8).reshape(-1, 16)


def _as_values(trace_ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first half of each id: few others share it."""
    return np.ascontiguousarray(trace_ids[:, :8]).view(np.uint64).ravel()
