"""Spans and inference logs between column batches and table rows; it decides nothing about transactions or filters.

What has a column of its own in the table goes there; other strings and numbers (features, attributes that a
rule asked for) share one JSON object a row. Derived fields are not stored but computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storage.statements import storable
from storage.tables import STORED_NUMBERS, STORED_STRINGS, inference_logs, spans
from telemetry.columns import Columns, Signal, StringColumn
from telemetry.derived import derived_numbers
from telemetry.schema import FIELD_BY_NAME

RECORD_TABLES: Final = {"span": spans, "log": inference_logs}
"""Where the records of each signal are kept."""

_ALWAYS: Final[Mapping[Signal, tuple[str, ...]]] = {
    "span": ("time_ns", "start_ns", "trace_id", "span_id", "parent_span_id", "name", "is_inference"),
    "log": ("time_ns", "trace_id", "span_id", "name", "is_inference", "embedding"),
}


@dataclass(frozen=True, slots=True)
class PreparedRecords:
    """Values ready to be inserted, a list for each of the table's columns ``names``; ``resources`` are bodies by id."""

    signal: Signal
    names: tuple[str, ...]
    values: tuple[list[Any], ...]
    resources: Mapping[int, bytes]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, made one by one: half a million short-lived tuples at once would keep the collector busy."""
        return zip(*self.values, strict=True)


def prepare(columns: Columns) -> PreparedRecords:
    """The columns of a batch as values; a column without any value is left out."""
    values: dict[str, list[Any]] = {
        "time_ns": columns.time_ns.tolist(),
        "trace_id": _ids(columns.trace_id),
        "span_id": _ids(columns.span_id),
        "name": _texts(columns.name),
        "is_inference": columns.is_inference.tolist(),
    }
    if columns.signal == "span":
        values["start_ns"] = columns.start_ns.tolist()
        values["parent_span_id"] = _ids(columns.parent_span_id)
    elif columns.embeddings is not None:
        values["embedding"] = _embeddings(columns.embeddings)
    for name in STORED_STRINGS:
        if name in columns.strings and (columns.strings[name].codes >= 0).any():
            values[name] = _texts(columns.strings[name])
    for name in STORED_NUMBERS:
        if name in columns.numbers and not np.isnan(columns.numbers[name]).all():
            values[name] = _numbers(columns.numbers[name])
    values["extras"] = _extras(columns)
    if len(columns.raw):
        values["raw"] = columns.raw.tolist()
    resources: dict[int, bytes] = {}
    if columns.resources and len(columns.resource):
        ids = [resource_id(body) for body in columns.resources]
        values["resource_id"] = np.asarray(ids, dtype=np.int64)[columns.resource].tolist()
        resources = dict(zip(ids, columns.resources, strict=True))
    values = {name: column for name, column in values.items() if column}
    return PreparedRecords(columns.signal, tuple(values), tuple(values.values()), resources)


def resource_id(body: bytes) -> int:
    """The id of a resource: 64 bits of a hash, so that any writer finds the same one."""
    return int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "big", signed=True)


def read_extras(text: str | None) -> dict[str, str | float]:
    """Values without a column of their own, by name."""
    extras: dict[str, str | float] = json.loads(text) if text else {}
    return extras


def names_to_read(signal: Signal, fields: frozenset[str] | None) -> tuple[str, ...]:
    """The table columns that hold ``fields``; all of them for None. ``raw`` and the resource are not among them."""
    always = _ALWAYS[signal]
    if fields is None:
        return (*always, *STORED_STRINGS, *STORED_NUMBERS, "extras")
    wanted = fields | _sources_of_derived(fields)
    stored = tuple(name for name in (*STORED_STRINGS, *STORED_NUMBERS) if name in wanted)
    return (*always, *stored, *(("extras",) if wanted - set(FIELD_BY_NAME) else ()))


def to_columns(signal: Signal, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    """The batch that ``rows`` (values in the order of ``names``) were written from, in their order."""
    n = len(rows)
    read: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True)) if n else {}
    empty: Sequence[Any] = [None] * n
    strings = {name: StringColumn.of(read.get(name, empty)) for name in names if name in STORED_STRINGS}
    numbers = {name: _floats(read.get(name, empty)) for name in names if name in STORED_NUMBERS}
    if "extras" in names:
        _add_extras(read.get("extras", empty), strings, numbers)
    embeddings = _read_embeddings(read.get("embedding", ()))
    numbers.update(derived_numbers(numbers, embeddings))
    time_ns = np.asarray(read.get("time_ns", ()), dtype=np.int64)
    return Columns(
        signal=signal,
        time_ns=time_ns,
        start_ns=np.asarray(read["start_ns"], dtype=np.int64) if "start_ns" in read else time_ns,
        trace_id=_read_ids(read.get("trace_id", empty), 16),
        span_id=_read_ids(read.get("span_id", empty), 8),
        parent_span_id=_read_ids(read.get("parent_span_id", empty), 8),
        name=StringColumn.of(read.get("name", empty)),
        strings=strings,
        numbers=numbers,
        is_inference=np.asarray(read.get("is_inference", ()), dtype=np.bool_),
        embeddings=embeddings,
    )


def _sources_of_derived(fields: frozenset[str]) -> frozenset[str]:
    if fields & {"tokens_total", "cost_per_1k_tokens"}:
        return frozenset({"tokens_in", "tokens_out", "cost"})
    return frozenset()


def _texts(column: StringColumn) -> list[str | None]:
    return StringColumn(column.codes, tuple(storable(value) for value in column.values)).optional()


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    missing = np.isnan(values)
    boxed: NDArray[Any] = values
    if missing.any():
        boxed = values.astype(object)
        boxed[missing] = None
    numbers: list[float | None] = boxed.tolist()
    return numbers


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _ids(ids: NDArray[np.uint8]) -> list[bytes | None]:
    """The rows of (n, k) as byte strings; None for all zero."""
    found: list[bytes | None] = np.ascontiguousarray(ids).view(f"V{ids.shape[1]}").ravel().tolist()
    for row in np.flatnonzero(~ids.any(axis=1)).tolist():
        found[row] = None
    return found


def _read_ids(values: Sequence[bytes | None], size: int) -> NDArray[np.uint8]:
    none = bytes(size)
    return np.frombuffer(b"".join([value or none for value in values]), dtype=np.uint8).reshape(len(values), size)


def _embeddings(embeddings: NDArray[np.float32]) -> list[bytes | None]:
    missing = np.asarray(np.isnan(embeddings).all(axis=1), dtype=np.bool_).tolist()
    little = embeddings.astype("<f4")
    return [None if absent else row.tobytes() for row, absent in zip(little, missing, strict=True)]


def _read_embeddings(values: Sequence[bytes | None]) -> NDArray[np.float32] | None:
    """(n, d) of the most frequent length d, rows of another length being another model's; None without any."""
    sizes = Counter(len(value) for value in values if value)
    if not sizes:
        return None
    size = sizes.most_common(1)[0][0]
    none = np.full(size // 4, np.nan, dtype="<f4").tobytes()
    body = b"".join([value if value and len(value) == size else none for value in values])
    return np.frombuffer(body, dtype="<f4").astype(np.float32).reshape(len(values), size // 4)


def _extras(columns: Columns) -> list[str | None]:
    """One JSON object a row, of the values that have no column of their own; [] when no row has any."""
    n = len(columns)
    parts: list[list[str]] = []
    for name, column in columns.strings.items():
        if name not in FIELD_BY_NAME and (column.codes >= 0).any():
            table = [*(f"{json.dumps(name)}:{json.dumps(storable(value))}" for value in column.values), ""]
            parts.append([table[code] for code in column.codes.tolist()])
    for name, numbers in columns.numbers.items():
        if name not in FIELD_BY_NAME and not np.isnan(numbers).all():
            head = json.dumps(name)
            parts.append(["" if value != value else f"{head}:{json.dumps(value)}" for value in numbers.tolist()])  # noqa: PLR0124  # NaN
    if not parts or not n:
        return []
    objects = (",".join(filter(None, row)) for row in zip(*parts, strict=True))
    return [f"{{{text}}}" if text else None for text in objects]


def _add_extras(
    texts: Sequence[str | None], strings: dict[str, StringColumn], numbers: dict[str, NDArray[np.float64]]
) -> None:
    words: dict[str, list[str | None]] = {}
    n = len(texts)
    for row, text in enumerate(texts):
        for name, value in read_extras(text).items():
            if isinstance(value, str):
                words.setdefault(name, [None] * n)[row] = value
            else:
                numbers.setdefault(name, np.full(n, np.nan))[row] = value
    strings.update({name: StringColumn.of(values) for name, values in words.items()})
