"""Spans and inference logs out of blocks: columns of a batch, or one record; it reads no database.

Derived fields are not stored but computed again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.block_format import NUMBER_PREFIX, TEXT_PREFIX, fixed_bytes, string_column
from telemetry.columns import Columns, Signal, StringColumn
from telemetry.derived import derived_numbers
from telemetry.schema import FIELD_BY_NAME
from telemetry.windows import NANOS

_ALWAYS: Final = frozenset(
    {"time_ns", "start_ns", "trace_id", "span_id", "parent_span_id", "name", "is_inference", "embedding"}
)
_APART: Final = frozenset({"raw_gap", "raw_length", "resource"})
_TOKEN_SUMS: Final = frozenset({"tokens_total", "cost_per_1k_tokens"})


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


def names_to_read(fields: frozenset[str] | None) -> Callable[[str], bool]:
    """Whether a column of a block holds one of ``fields`` or what they derive from, or is always read.

    None is for every field; raw bytes and resources are none.
    """
    if fields is None:
        return lambda name: name not in _APART
    wanted = fields | ({"tokens_in", "tokens_out", "cost"} if fields & _TOKEN_SUMS else frozenset())
    kept = _ALWAYS.union(wanted, *((TEXT_PREFIX + name, NUMBER_PREFIX + name) for name in wanted))
    return lambda name: name in kept


def to_columns(signal: Signal, table: pa.Table) -> Columns:
    """The batch that the columns of a block, or some of them, were written from."""
    strings: dict[str, StringColumn] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    for name in table.column_names:
        field = FIELD_BY_NAME.get(name)
        if name.startswith(TEXT_PREFIX):
            strings[name.removeprefix(TEXT_PREFIX)] = string_column(table.column(name))
        elif name.startswith(NUMBER_PREFIX):
            numbers[name.removeprefix(NUMBER_PREFIX)] = _numbers(table, name)
        elif field is not None and field.kind == "string":
            strings[name] = string_column(table.column(name))
        elif field is not None:
            numbers[name] = _numbers(table, name)
    embeddings = _embeddings(table)
    numbers.update(derived_numbers(numbers, embeddings))
    n = table.num_rows
    time_ns = np.asarray(table.column("time_ns").to_numpy(), dtype=np.int64)
    has = frozenset(table.column_names)
    return Columns(
        signal=signal,
        time_ns=time_ns,
        start_ns=np.asarray(table.column("start_ns").to_numpy(), dtype=np.int64) if "start_ns" in has else time_ns,
        trace_id=fixed_bytes(table, "trace_id", 16),
        span_id=fixed_bytes(table, "span_id", 8),
        parent_span_id=fixed_bytes(table, "parent_span_id", 8),
        name=string_column(table.column("name")) if "name" in has else StringColumn.missing(n),
        strings=strings,
        numbers=numbers,
        is_inference=np.asarray(table.column("is_inference"), dtype=np.bool_),
        embeddings=embeddings,
    )


def to_rows(columns: Columns) -> Iterator[SpanRow]:
    """The records of ``columns`` one by one, without raw bytes and resources."""
    derived = {name for name, field in FIELD_BY_NAME.items() if not field.stored}
    strings = {name: column.optional() for name, column in columns.strings.items()}
    numbers = {name: values.tolist() for name, values in columns.numbers.items() if name not in derived}
    names = columns.name.tolist()
    for row in range(len(columns)):
        parent = columns.parent_span_id[row].tobytes()
        yield SpanRow(
            trace_id=_hex(columns.trace_id[row].tobytes()),
            span_id=_hex(columns.span_id[row].tobytes()),
            parent_span_id=_hex(parent),
            name=names[row],
            start_ns=int(columns.start_ns[row]),
            end_ns=int(columns.time_ns[row]),
            is_inference=bool(columns.is_inference[row]),
            strings={name: value for name, values in strings.items() if (value := values[row])},
            numbers={name: value for name, values in numbers.items() if not math.isnan(value := values[row])},
        )


def _hex(number: bytes) -> str:
    return number.hex() if any(number) else ""


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """(n,) with NaN where null: where a block that was joined in had no such column."""
    return np.array(table.column(name).to_numpy(), dtype=np.float64)


def _embeddings(table: pa.Table) -> NDArray[np.float32] | None:
    """(n, d) of the most frequent length d, rows of another length being another model's; None without any."""
    if "embedding" not in table.column_names or not table.num_rows:
        return None
    column = table.column("embedding").combine_chunks()
    lists = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    offsets = lists.offsets.to_numpy()
    sizes = np.diff(offsets)
    frequent = Counter(sizes[sizes > 0].tolist()).most_common(1)
    if not frequent:
        return None
    size = frequent[0][0]
    values = lists.values.to_numpy()
    embeddings = np.full((len(lists), size), np.nan, dtype=np.float32)
    rows = np.flatnonzero(sizes == size)
    embeddings[rows] = values[offsets[rows][:, None] + np.arange(size)]
    return embeddings
