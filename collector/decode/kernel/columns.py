"""Turns the arrays of a scanned batch into raw columns; only distinct texts become Python strings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.decode.decoder import CrowdedError, Task
from collector.decode.kernel.arrays import (
    ACCEPTED,
    BAD_RESOURCE,
    BODY_START,
    BROKEN,
    ENTRY_END,
    ENTRY_LABEL,
    ENTRY_START,
    FAULT,
    FAULT_END,
    FAULT_START,
    FEATURES,
    FINE,
    FORM_BITS,
    HAS_STRUCTURES,
    IGNORED,
    KEY_END,
    KEY_START,
    NAME,
    NAME_CODE,
    NUMBER_PLACE,
    OF_ARRAY,
    PARENT_SPAN_ID,
    PLAIN,
    RAW_END,
    RAW_START,
    REASONS_FROM,
    RESOURCE,
    ROW_BODY,
    ROW_RESOURCE,
    SEPARATOR,
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
    Ints,
)
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
    resources = texts.opaque(RESOURCE)
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
        name=texts.column(NAME, rows[NAME_CODE].astype(np.int32)),
        status_error=rows[STATUS_ERROR].astype(np.bool_),
        attributes=_attributes(scan, keys, texts, n),
        resource=rows[ROW_RESOURCE].astype(np.int32),
        resource_attributes=read_resources(resources),
        resources=resources,
        raw=ByteColumn(scan.data.data, rows[RAW_START], rows[RAW_END]) if task.keep_raw else ByteColumn(),
        embeddings=_embeddings(scan, n, reports, task.limits.cells),
    )


class _Texts:
    """The distinct strings of each column, in the order of their codes."""

    def __init__(self, scan: Scan) -> None:
        used = int(scan.state[STRINGS])
        order, bounds = np.empty(used, dtype=np.int64), np.empty(len(scan.columns) + 1, dtype=np.int64)
        length = scan.program.sort_strings(scan.state, scan.entries, scan.columns, order, bounds)
        joined = np.empty(length, dtype=np.uint8)
        scan.program.join_strings(scan.data, scan.entries, order, joined)
        self._scan = scan
        self._order = order
        self._bounds: list[int] = bounds.tolist()
        self._texts = joined.tobytes().decode().split(SEPARATOR)[:-1]
        if len(self._texts) != used:
            self._texts = [value.decode() if form == PLAIN else "" for form, value in self._strings(slice(None))]

    def opaque(self, column: int) -> tuple[bytes, ...]:
        """The byte strings of a ``column`` that holds no texts."""
        return tuple([value for _, value in self._strings(self._of(column))])

    def column(self, column: int, codes: NDArray[np.int32], *, has_structures: bool = False) -> StringColumn:
        """The column of ``codes``, every value once."""
        values = tuple(self._texts[self._of(column)])
        if not has_structures:
            return StringColumn(codes, values)
        table = StringColumn.of(
            text if form == PLAIN else _structure(value, form)
            for text, (form, value) in zip(values, self._strings(self._of(column)), strict=True)
        )
        return StringColumn(np.append(table.codes, np.int32(-1))[codes], table.values)

    def _of(self, column: int) -> slice:
        return slice(self._bounds[column], self._bounds[column + 1])

    def _strings(self, chosen: slice) -> Iterator[tuple[int, bytes]]:
        """Form and bytes of the strings that are ``chosen`` by their place in the order."""
        entries = self._scan.entries[self._order[chosen]]
        for label, start, end in entries[:, [ENTRY_LABEL, ENTRY_START, ENTRY_END]].tolist():
            yield label & ((1 << FORM_BITS) - 1), self._scan.data[start:end].tobytes()


def _structure(value: bytes, form: int) -> str:
    """The cell of an interned array or list."""
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
            read_resource(scan.data[body[FAULT_START] : body[FAULT_END]].tobytes())
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
    places = scan.columns[: len(keys.names) + int(scan.state[FEATURES])][:, [TEXT_PLACE, NUMBER_PLACE]]
    for column in np.flatnonzero((places >= 0).any(axis=1)).tolist():
        text, number = places[column].tolist()
        has_structures = scan.columns[column, HAS_STRUCTURES] != 0
        result[_name(scan, keys, column)] = AttributeColumn(
            no_text if text < 0 else texts.column(column, scan.texts[text, :n], has_structures=has_structures),
            no_number if number < 0 else scan.numbers[number, :n],
        )
    return result


def _name(scan: Scan, keys: Keys, column: int) -> str:
    if column < len(keys.names):
        return keys.names[column]
    return scan.data[scan.columns[column, KEY_START] : scan.columns[column, KEY_END]].tobytes().decode()


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
