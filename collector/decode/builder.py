"""Gathers parsed records into raw columns, row by row; it validates each one and understands none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.decode.cells import Cells
from collector.decode.decoder import CrowdedError, Task
from collector.decode.raw_columns import BodyReport, RawColumns
from collector.decode.rejections import too_many_records
from collector.decode.validity import NO_SPAN_ID, NO_TRACE_ID, log_fault, span_fault
from collector.decode.values import EVENT_NAME_ATTRIBUTE, cell, vector
from telemetry.columns import ByteColumn, StringColumn
from telemetry.errors import PayloadError
from telemetry.schema import EMBEDDING_ATTRIBUTE, FEATURE_ATTRIBUTE_PREFIX


@dataclass(slots=True)
class RawColumnsBuilder:
    """Columns under construction: ``begin_body``, ``begin_resource``, its records, the next resource ...; ``build``."""

    task: Task
    _time_ns: list[int] = field(default_factory=list)
    _start_ns: list[int] = field(default_factory=list)
    _trace_ids: list[bytes] = field(default_factory=list)
    _span_ids: list[bytes] = field(default_factory=list)
    _parent_span_ids: list[bytes] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _errors: list[bool] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)
    _bodies: list[int] = field(default_factory=list)
    _reports: list[BodyReport] = field(default_factory=list)
    _row_resources: list[int] = field(default_factory=list)
    _resource_index: dict[bytes, int] = field(default_factory=dict)
    _resource: int = 0
    _cells: dict[str, Cells] = field(default_factory=dict)
    _resource_cells: dict[str, Cells] = field(default_factory=dict)
    _vectors: dict[int, list[float]] = field(default_factory=dict)
    _features: int = 0
    _first_row: int = 0

    def begin_body(self) -> None:
        """The records that follow came in one more body."""
        self._reports.append(BodyReport())
        self._first_row = len(self._time_ns)

    def fail_body(self, error: PayloadError) -> None:
        """Leave the present body out as a whole."""
        self._report.error = error

    def begin_resource(self, resource: Resource, serialised: bytes) -> None:
        """Attribute the records that follow to ``resource``."""
        known = self._resource_index.get(serialised)
        if known is not None:
            self._resource = known
            return
        self._resource = self._resource_index[serialised] = len(self._resource_index)
        for pair in resource.attributes:
            if pair.key in self.task.wanted:
                self._resource_cells.setdefault(pair.key, Cells()).put(self._resource, cell(pair.value))

    def add_span(self, span: Span, raw: bytes) -> None:
        """Take ``span`` in, or count why not."""
        fault = span_fault(span, self.task.now_ns + self.task.limits.future_ns)
        if fault is not None:
            self.reject(fault)
            return
        row = self._add_row(raw, span.start_time_unix_nano, span.end_time_unix_nano)
        self._trace_ids.append(span.trace_id)
        self._span_ids.append(span.span_id)
        self._parent_span_ids.append(span.parent_span_id or NO_SPAN_ID)
        self._names.append(span.name)
        self._errors.append(span.status.code == Status.STATUS_CODE_ERROR)
        self._add_attributes(row, span.attributes)

    def add_log(self, record: LogRecord, raw: bytes) -> None:
        """Take ``record`` in, or count why not."""
        fault = log_fault(record, self.task.now_ns + self.task.limits.future_ns)
        if fault is not None:
            self.reject(fault)
            return
        time_ns = record.time_unix_nano or record.observed_time_unix_nano or self.task.now_ns
        row = self._add_row(raw, time_ns, time_ns)
        self._trace_ids.append(record.trace_id or NO_TRACE_ID)
        self._span_ids.append(record.span_id or NO_SPAN_ID)
        self._parent_span_ids.append(NO_SPAN_ID)
        self._names.append(record.event_name or _event_name(record.attributes))
        self._errors.append(False)
        self._add_attributes(row, record.attributes)

    def reject(self, reason: str) -> None:
        """Count a record that is left out."""
        self._guard_size()
        self._report.rejections.add(reason)

    @property
    def _report(self) -> BodyReport:
        return self._reports[-1]

    @property
    def _is_alone(self) -> bool:
        return len(self._reports) == 1

    def build(self) -> RawColumns:
        """Everything gathered, as columns.

        Raises:
            CrowdedError: see :class:`Decoder`.
        """
        n, resources = len(self._time_ns), len(self._resource_index)
        columns = RawColumns(
            signal=self.task.signal,
            body=np.asarray(self._bodies, dtype=np.int32),
            reports=tuple(self._reports),
            time_ns=np.asarray(self._time_ns, dtype=np.int64),
            start_ns=np.asarray(self._start_ns, dtype=np.int64),
            trace_id=_ids(self._trace_ids, 16),
            span_id=_ids(self._span_ids, 8),
            parent_span_id=_ids(self._parent_span_ids, 8),
            name=StringColumn.of(self._names),
            status_error=np.asarray(self._errors, dtype=np.bool_),
            attributes={name: cells.column(n) for name, cells in self._columns_within_limits(n)},
            resource=np.asarray(self._row_resources, dtype=np.int32),
            resource_attributes={name: cells.column(resources) for name, cells in self._resource_cells.items()},
            resources=tuple(self._resource_index),
            raw=ByteColumn.of(self._raw),
            embeddings=self._embeddings(n),
        )
        failed = np.asarray([report.error is not None for report in self._reports], dtype=np.bool_)
        return columns.take(~failed[columns.body]) if failed.any() else columns

    def _add_row(self, raw: bytes, start_ns: int, time_ns: int) -> int:
        self._guard_size()
        row = len(self._time_ns)
        self._time_ns.append(time_ns)
        self._start_ns.append(start_ns)
        self._row_resources.append(self._resource)
        self._bodies.append(len(self._reports) - 1)
        if self.task.keep_raw:
            self._raw.append(raw)
        return row

    def _guard_size(self) -> None:
        if len(self._time_ns) - self._first_row + self._report.rejections.total >= self.task.limits.records:
            raise too_many_records(self.task.limits.records)

    def _add_attributes(self, row: int, attributes: Iterable[KeyValue]) -> None:
        for pair in attributes:
            key = pair.key
            cells = self._cells.get(key)
            if cells is None:
                if key == EMBEDDING_ATTRIBUTE:
                    self._add_vector(row, vector(pair.value))
                    continue
                if key.startswith(FEATURE_ATTRIBUTE_PREFIX):
                    if self._features >= self.task.limits.features:
                        self._ignore(1)
                        continue
                    self._features += 1
                elif key not in self.task.wanted:
                    continue
                cells = self._cells[key] = Cells()
            cells.put(row, cell(pair.value))

    def _add_vector(self, row: int, numbers: list[float] | None) -> None:
        if numbers is None:
            self._report.ignored_values += 1
        else:
            self._vectors[row] = numbers

    def _ignore(self, values: int) -> None:
        """Leave ``values`` of the only body out for a limit of one body.

        Raises:
            CrowdedError: there are more bodies, and it may be another that fills the limit.
        """
        if not self._is_alone:
            raise CrowdedError
        self._report.ignored_values += values

    def _columns_within_limits(self, n: int) -> list[tuple[str, Cells]]:
        """All attributes, less the features that would fill more cells than a request may."""
        room = self.task.limits.cells // max(n, 1)
        kept: list[tuple[str, Cells]] = []
        for name, cells in self._cells.items():
            if name.startswith(FEATURE_ATTRIBUTE_PREFIX):
                room -= 1
                if room < 0:
                    self._ignore(len(cells.rows))
                    continue
            kept.append((name, cells))
        return kept

    def _embeddings(self, n: int) -> NDArray[np.float32] | None:
        """(n, d): the first vector's length sets d, vectors of another length are ignored."""
        if not self._vectors:
            return None
        dimensions = len(next(iter(self._vectors.values())))
        if n * dimensions > self.task.limits.cells:
            self._ignore(len(self._vectors))
            return None
        result = np.full((n, dimensions), np.nan, dtype=np.float32)
        for row, numbers in self._vectors.items():
            if len(numbers) == dimensions:
                result[row] = numbers
            else:
                self._ignore(1)
        return result


def _event_name(attributes: Iterable[KeyValue]) -> str:
    return next((pair.value.string_value for pair in attributes if pair.key == EVENT_NAME_ATTRIBUTE), "")


def _ids(ids: list[bytes], width: int) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(ids), dtype=np.uint8).reshape(len(ids), width)
