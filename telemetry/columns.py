"""A batch of records as columns: one array a field, strings interned to codes. It never holds a record object.

Whatever decodes (protobuf today, a compiled scanner tomorrow) produces these, and everything after it
(normalise, roll up, write, diagnose) reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from telemetry.errors import TailwatchError

Signal = Literal["span", "log"]


@dataclass(frozen=True, slots=True)
class StringColumn:
    """Interned strings: ``codes`` (n,) int32 index into ``values``, distinct; -1 is a missing value, read as ``""``."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]

    @classmethod
    def of(cls, items: Iterable[str | None]) -> StringColumn:
        """Intern ``items``; ``None`` and ``""`` are missing."""
        index: dict[str, int] = {}
        codes = [index.setdefault(item, len(index)) if item else -1 for item in items]
        return cls(np.asarray(codes, dtype=np.int32), tuple(index))

    @classmethod
    def of_numbers(cls, numbers: NDArray[np.float64]) -> StringColumn:
        """Numbers as people write them and as labels read: ``8``, ``0.25``; NaN is missing."""
        values, place = np.unique(numbers, return_inverse=True)
        return cls.of(None if np.isnan(value) else number_text(value) for value in values.tolist()).take(place)

    @classmethod
    def missing(cls, n: int) -> StringColumn:
        """A column of ``n`` missing values."""
        return cls(np.full(n, -1, dtype=np.int32), ())

    def __len__(self) -> int:
        return len(self.codes)

    def tolist(self) -> list[str]:
        """The strings, ``""`` where missing."""
        table = (*self.values, "")
        return [table[code] for code in self.codes]

    def optional(self) -> list[str | None]:
        """The strings, ``None`` where missing."""
        table: tuple[str | None, ...] = (*self.values, None)
        return [table[code] for code in self.codes]

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> StringColumn:
        """The rows at ``index`` (positions or a mask)."""
        return StringColumn(self.codes[index], self.values)

    def map(self, change: Callable[[str], str | None]) -> StringColumn:
        """Every value changed, each distinct one once; ``None`` and ``""`` become missing, equal results one value."""
        changed = tuple(map(change, self.values))
        if changed == self.values and "" not in changed:
            return self
        table = StringColumn.of(changed)
        return StringColumn(np.append(table.codes, np.int32(-1))[self.codes], table.values)

    def is_complete(self) -> bool:
        """Whether no value is missing."""
        return not len(self.codes) or int(self.codes.min()) >= 0

    def mask(self, accepted: Sequence[bool], missing: bool) -> NDArray[np.bool_]:
        """Rows whose value is accepted, given one verdict per entry of ``values`` and one for missing."""
        return np.asarray((*accepted, missing), dtype=np.bool_)[self.codes]


def first_present(columns: Sequence[StringColumn]) -> StringColumn:
    """Row by row the value of the first of ``columns`` (at least one, all of one length) that has one."""
    result = columns[0]
    for column in columns[1:]:
        if not column.values:
            continue
        lacking = (result.codes < 0).nonzero()[0]
        if not len(lacking):
            break
        index = {value: code for code, value in enumerate(result.values)}
        table = np.asarray([*(index.setdefault(value, len(index)) for value in column.values), -1], dtype=np.int32)
        codes = result.codes.copy()
        codes[lacking] = table[column.codes[lacking]]
        result = StringColumn(codes, tuple(index))
    return result


@dataclass(frozen=True, slots=True)
class ByteColumn:
    """Byte strings in one buffer: row ``i`` is ``data[starts[i]:ends[i]]``, so a slice of a payload costs nothing.

    Attributes:
        data: the buffer, of single bytes; it may hold some that belong to no row.
        starts, ends: (n,) int64.
    """

    data: bytes | memoryview = b""
    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    ends: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, items: Sequence[bytes]) -> ByteColumn:
        """The column of ``items``."""
        ends = np.cumsum([len(item) for item in items], dtype=np.int64)
        starts = ends - np.asarray([len(item) for item in items], dtype=np.int64)
        return cls(b"".join(items), starts, ends)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> bytes:
        return bytes(self.data[self.starts[row] : self.ends[row]])

    def tolist(self) -> list[bytes]:
        """The byte strings."""
        places = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return [bytes(self.data[start:end]) for start, end in places]

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> ByteColumn:
        """The rows at ``index`` (positions or a mask), in the same buffer."""
        return ByteColumn(self.data, self.starts[index], self.ends[index])


@dataclass(frozen=True, slots=True)
class Columns:
    """``n`` records of one signal.

    Attributes:
        signal: ``span`` or ``log``.
        time_ns: (n,) int64, event time: a span's end, a log record's time.
        start_ns: (n,) int64, a span's start; equals ``time_ns`` for logs.
        trace_id: (n, 16) uint8; all zero is none.
        span_id: (n, 8) uint8. For a log: the span it belongs to.
        parent_span_id: (n, 8) uint8; all zero for a root and for logs.
        name: span name or event name.
        strings: canonical string fields, string features and wanted attributes, by name.
        numbers: canonical numeric fields, numeric features and wanted attributes, (n,) float64, NaN is missing.
        is_inference: (n,) bool, whether the record describes an inference call; SLIs count only these.
        raw: the records' own OTLP bytes, for drill-down; empty when rows are not kept.
        resource: (n,) int32 index into ``resources``.
        resources: serialised OTLP Resource messages.
        embeddings: (n, d) float32 or None; rows of NaN where a record has none.
        received_ns: when the batch came in; None where that is not known (records that were stored).
    """

    signal: Signal
    time_ns: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    trace_id: NDArray[np.uint8]
    span_id: NDArray[np.uint8]
    parent_span_id: NDArray[np.uint8]
    name: StringColumn
    strings: Mapping[str, StringColumn]
    numbers: Mapping[str, NDArray[np.float64]]
    is_inference: NDArray[np.bool_]
    raw: ByteColumn = field(default_factory=ByteColumn)
    resource: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    resources: tuple[bytes, ...] = ()
    embeddings: NDArray[np.float32] | None = None
    received_ns: int | None = None

    def __len__(self) -> int:
        return len(self.time_ns)

    def string(self, name: str) -> StringColumn:
        """The string column ``name``; all missing when no record has it."""
        found = self.strings.get(name)
        return StringColumn.missing(len(self)) if found is None else found

    def number(self, name: str) -> NDArray[np.float64]:
        """The numeric column ``name``; all NaN when no record has it."""
        found = self.numbers.get(name)
        return np.full(len(self), np.nan) if found is None else found

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Columns:
        """The rows at ``index`` (positions or a mask)."""
        rows = np.arange(len(self))[index]
        return Columns(
            signal=self.signal,
            time_ns=self.time_ns[rows],
            start_ns=self.start_ns[rows],
            trace_id=self.trace_id[rows],
            span_id=self.span_id[rows],
            parent_span_id=self.parent_span_id[rows],
            name=self.name.take(rows),
            strings={key: column.take(rows) for key, column in self.strings.items()},
            numbers={key: column[rows] for key, column in self.numbers.items()},
            is_inference=self.is_inference[rows],
            raw=self.raw.take(rows) if len(self.raw) else self.raw,
            resource=self.resource[rows] if len(self.resource) else self.resource,
            resources=self.resources,
            embeddings=None if self.embeddings is None else self.embeddings[rows],
            received_ns=self.received_ns,
        )


def empty_columns(signal: Signal = "span") -> Columns:
    """A batch of no records."""
    return columns_of(signal, np.zeros(0, dtype=np.int64))


def columns_of(
    signal: Signal,
    time_ns: NDArray[np.int64],
    *,
    start_ns: NDArray[np.int64] | None = None,
    strings: Mapping[str, Sequence[str | None]] | None = None,
    numbers: Mapping[str, Sequence[float]] | None = None,
) -> Columns:
    """Columns made of plain sequences, every record an inference; for importers, simulations and tests.

    Raises:
        TailwatchError: a sequence does not have one entry per record.
    """
    n = len(time_ns)
    for name, values in [*(strings or {}).items(), *(numbers or {}).items()]:
        if len(values) != n:
            raise TailwatchError(f"column {name} has {len(values)} values", remedy=f"give {n}, one a record")
    return Columns(
        signal=signal,
        time_ns=time_ns,
        start_ns=time_ns if start_ns is None else start_ns,
        trace_id=np.zeros((n, 16), dtype=np.uint8),
        span_id=np.zeros((n, 8), dtype=np.uint8),
        parent_span_id=np.zeros((n, 8), dtype=np.uint8),
        name=StringColumn.missing(n),
        strings={name: StringColumn.of(values) for name, values in (strings or {}).items()},
        numbers={name: np.asarray(values, dtype=np.float64) for name, values in (numbers or {}).items()},
        is_inference=np.ones(n, dtype=np.bool_),
    )


def number_text(value: float) -> str:
    """A number as people write it and as labels read."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
