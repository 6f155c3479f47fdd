"""A decoded request before anything is understood: attributes under the sender's own names, one column each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from collector.decode.rejections import Rejections
from telemetry.columns import ByteColumn, Signal, StringColumn
from telemetry.errors import PayloadError


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """One attribute over ``n`` records; a record has it as text, as number, or not at all.

    Attributes:
        strings: text, and booleans as ``true`` and ``false``.
        numbers: (n,) float64, NaN where missing; never infinite.
    """

    strings: StringColumn
    numbers: NDArray[np.float64]

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> AttributeColumn:
        """The rows at ``index``."""
        return AttributeColumn(self.strings.take(index), self.numbers[index])


@dataclass(slots=True)
class BodyReport:
    """What is to be said about one body.

    Attributes:
        rejections: records left out.
        ignored_values: attribute values beyond a limit, which were not read.
        error: why the body as a whole cannot be used; none of its records are in the columns then.
    """

    rejections: Rejections = field(default_factory=Rejections)
    ignored_values: int = 0
    error: PayloadError | None = None


@dataclass(frozen=True, slots=True)
class RawColumns:
    """``n`` records of one signal, all of them valid, out of one or more bodies.

    Attributes:
        signal: ``span`` or ``log``.
        body: (n,) int32, which body each record came in; records are in the order of the bodies.
        reports: one a body.
        time_ns: (n,) int64, end of a span, time of a log record.
        start_ns: (n,) int64, start of a span; equals ``time_ns`` for logs.
        trace_id, span_id, parent_span_id: (n, 16), (n, 8), (n, 8) uint8, zero where there is none.
        name: span name, or event name of a log record.
        status_error: (n,) bool, span status ERROR.
        attributes: wanted attributes of the records by name, features by their attribute name among them.
        resource: (n,) int32 index into ``resources``.
        resource_attributes: wanted attributes of the resources, one row a resource.
        resources: serialised OTLP Resource messages, each once.
        raw: the records' own bytes, empty when they are not kept.
        embeddings: (n, d) float32 or None.
    """

    signal: Signal
    body: NDArray[np.int32]
    reports: tuple[BodyReport, ...]
    time_ns: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    trace_id: NDArray[np.uint8]
    span_id: NDArray[np.uint8]
    parent_span_id: NDArray[np.uint8]
    name: StringColumn
    status_error: NDArray[np.bool_]
    attributes: Mapping[str, AttributeColumn]
    resource: NDArray[np.int32]
    resource_attributes: Mapping[str, AttributeColumn]
    resources: tuple[bytes, ...]
    raw: ByteColumn = field(default_factory=ByteColumn)
    embeddings: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.time_ns)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> RawColumns:
        """The records at ``index`` (positions or a mask)."""
        return replace(
            self,
            body=self.body[index],
            time_ns=self.time_ns[index],
            start_ns=self.start_ns[index],
            trace_id=self.trace_id[index],
            span_id=self.span_id[index],
            parent_span_id=self.parent_span_id[index],
            name=self.name.take(index),
            status_error=self.status_error[index],
            attributes={name: column.take(index) for name, column in self.attributes.items()},
            resource=self.resource[index],
            raw=self.raw.take(index) if len(self.raw) else self.raw,
            embeddings=None if self.embeddings is None else self.embeddings[index],
        )
