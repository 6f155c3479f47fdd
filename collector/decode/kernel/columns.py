"""Turns the arrays of a scanned batch into raw columns; only distinct texts become Python strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.decode.decoder import CrowdedError, Task
from collector.decode.kernel.arrays import (
    ACCEPTED,
    BODY_START,
    ENTRY_END,
    ENTRY_LABEL,
    ENTRY_START,
    FAULT,
    FAULT_END,
    FAULT_START,
    FEATURES,
    IGNORED,
    KEY_END,
    KEY_START,
    NAME,
    NAME_CODE,
    NUMBER_PLACE,
    PARENT_SPAN_ID,
    RAW_END,
    RAW_START,
    REASONS_FROM,
    RESOURCE,
    ROW_BODY,
    ROW_RESOURCE,
    SPAN_ID,
    START,
    STATUS_ERROR,
    STRINGS,
    TEXT_PLACE,
    TIME,
    TRACE_ID,
    TRACE_ID_REST,
    VECTOR_LENGTH,
    VECTORS,
)
from collector.decode.kernel.frames import BAD_RESOURCE, BROKEN, FINE
from collector.decode.kernel.interning import FORM_BITS, OF_ARRAY, PLAIN
from collector.decode.kernel.jit import Ints
from collector.decode.kernel.keys import Keys
from collector.decode.kernel.resources import ResourceReader
from collector.decode.kernel.scan import Scan
from collector.decode.protobuf import read_resource
from collector.decode.raw_columns import AttributeColumn, BodyReport, RawColumns
from collector.decode.rejections import Rejections, too_many_records
from collector.decode.values import cell
from collector.decode.wire import broken
from telemetry.columns import ByteColumn, StringColumn
from telemetry.errors import PayloadError

_REASONS: Final = (
    "bad_trace_id",
    "bad_span_id",
    "bad_parent_span_id",
    "no_time",
    "end_before_start",
    "in_future",
    "empty",
    "malformed",
)
"""In the order of ``BAD_TRACE_ID`` and the names beside it."""


def columns_of(scan: Scan, keys: Keys, read_resources: ResourceReader, task: Task) -> RawColumns:
    """The columns.

    Raises:
        CrowdedError: see :class:`collector.decode.decoder.Decoder`.
    """
    n = int(scan.state[ACCEPTED])
    rows = scan.rows[:, :n]
    texts = _Texts(scan)
    resources = tuple(scan.buffer[start:end] for start, end in texts.places(RESOURCE))
    reports = tuple(_report(scan, row, task) for row in scan.bodies.tolist())
    return RawColumns(
        signal=task.signal,
        body=rows[ROW_BODY].astype(np.int32),
        reports=reports,
        time_ns=rows[TIME],
        start_ns=rows[START],
        trace_id=_ids(rows[[TRACE_ID, TRACE_ID_REST]]),
        span_id=_ids(rows[[SPAN_ID]]),
        parent_span_id=_ids(rows[[PARENT_SPAN_ID]]),
        name=StringColumn(rows[NAME_CODE].astype(np.int32), texts.values(NAME)),
        status_error=rows[STATUS_ERROR].astype(np.bool_),
        attributes=_attributes(scan, keys, texts, n),
        resource=rows[ROW_RESOURCE].astype(np.int32),
        resource_attributes=read_resources(resources),
        resources=resources,
        raw=ByteColumn(scan.buffer, rows[RAW_START], rows[RAW_END]) if task.keep_raw else ByteColumn(),
        embeddings=_embeddings(scan, n, reports, task.limits.cells),
    )


class _Texts:
    """The distinct strings of each column, in the order of their codes."""

    def __init__(self, scan: Scan) -> None:
        entries = scan.entries[: scan.state[STRINGS]]
        column = entries[:, ENTRY_LABEL] >> FORM_BITS
        order = np.argsort(column, kind="stable")
        self._buffer = scan.buffer
        self._bounds = np.searchsorted(column[order], np.arange(len(scan.columns) + 1)).tolist()
        self._forms: list[int] = (entries[order, ENTRY_LABEL] & (1 << FORM_BITS) - 1).tolist()
        self._starts: list[int] = entries[order, ENTRY_START].tolist()
        self._ends: list[int] = entries[order, ENTRY_END].tolist()

    def places(self, column: int) -> list[tuple[int, int]]:
        """Where the strings of ``column`` lie."""
        chosen = slice(self._bounds[column], self._bounds[column + 1])
        return list(zip(self._starts[chosen], self._ends[chosen], strict=True))

    def values(self, column: int) -> tuple[str, ...]:
        """The strings of ``column``; those that are the JSON text of a structure may be equal to others."""
        places = self.places(column)
        if not self._has_structures(column):
            return tuple([self._buffer[start:end].decode() for start, end in places])
        forms = self._forms[self._bounds[column] : self._bounds[column + 1]]
        return tuple(_text(self._buffer[start:end], form) for (start, end), form in zip(places, forms, strict=True))

    def column(self, column: int, codes: NDArray[np.int32]) -> StringColumn:
        """The column of ``codes``, every value once."""
        values = self.values(column)
        if not self._has_structures(column):
            return StringColumn(codes, values)
        return StringColumn(codes, tuple(map(str, range(len(values))))).map(lambda code: values[int(code)])

    def _has_structures(self, column: int) -> bool:
        return any(self._forms[self._bounds[column] : self._bounds[column + 1]])


def _text(value: bytes, form: int) -> str:
    """The text of an interned value: itself, or the cell of the array or list that it is."""
    if form == PLAIN:
        return value.decode()
    message = AnyValue()
    structure = message.array_value if form == OF_ARRAY else message.kvlist_value
    structure.SetInParent()
    structure.MergeFromString(value)
    return str(cell(message))


def _report(scan: Scan, body: list[int], task: Task) -> BodyReport:
    """What is to be said about a body, given its row of ``bodies``."""
    refused = zip(_REASONS, body[REASONS_FROM:], strict=True)
    rejections = Rejections(Counter({reason: count for reason, count in refused if count}))
    return BodyReport(rejections, body[IGNORED], None if body[FAULT] == FINE else _error(scan, body, task))


def _error(scan: Scan, body: list[int], task: Task) -> PayloadError:
    if body[FAULT] == BROKEN:
        return broken(body[FAULT_START] - body[BODY_START])
    if body[FAULT] == BAD_RESOURCE:
        try:
            read_resource(scan.buffer[body[FAULT_START] : body[FAULT_END]])
        except PayloadError as error:
            return error
    return too_many_records(task.limits.records)


def _ids(words: Ints) -> NDArray[np.uint8]:
    """(n, 8 m) bytes of m (n,) words."""
    return np.ascontiguousarray(words.T).view(np.uint8)


def _attributes(scan: Scan, keys: Keys, texts: _Texts, n: int) -> Mapping[str, AttributeColumn]:
    """The columns that hold anything; those without a text, and those without a number, share one empty column."""
    no_text, no_number = StringColumn.missing(n), np.full(n, np.nan)
    result: dict[str, AttributeColumn] = {}
    used = len(keys.names) + int(scan.state[FEATURES])
    for column in np.flatnonzero((scan.columns[:used, [TEXT_PLACE, NUMBER_PLACE]] >= 0).any(axis=1)).tolist():
        text, number = scan.columns[column, [TEXT_PLACE, NUMBER_PLACE]].tolist()
        result[_name(scan, keys, column)] = AttributeColumn(
            no_text if text < 0 else texts.column(column, scan.texts[text, :n]),
            no_number if number < 0 else scan.numbers[number, :n],
        )
    return result


def _name(scan: Scan, keys: Keys, column: int) -> str:
    if column < len(keys.names):
        return keys.names[column]
    return scan.buffer[scan.columns[column, KEY_START] : scan.columns[column, KEY_END]].decode()


def _embeddings(scan: Scan, n: int, reports: Sequence[BodyReport], most_cells: int) -> NDArray[np.float32] | None:
    """(n, d): the first vector's length sets d, vectors of another length are ignored."""
    if scan.state[VECTORS] == 0:
        return None
    lengths = scan.rows[VECTOR_LENGTH, :n]
    dimensions = int(lengths[lengths > 0][0])
    fits = n * dimensions <= most_cells
    ignored = np.count_nonzero((lengths > 0) & (lengths != dimensions) if fits else lengths > 0)
    if ignored and len(reports) > 1:
        raise CrowdedError
    reports[0].ignored_values += int(ignored)
    return scan.read_vectors(n, dimensions) if fits else None
