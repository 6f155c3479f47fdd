"""A decoded request before anything is understood: attributes under the sender's own names, one column each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collector.decode.rejections import Rejections
from telemetry.columns import Signal, StringColumn


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """One attribute over ``n`` records; a record has it as text, as number, or not at all.

    Attributes:
        strings: text, and booleans as ``true`` and ``false``.
        numbers: (n,) float64, NaN where missing; never infinite.
    """

    strings: StringColumn
    numbers: NDArray[np.float64]

    def take(self, index: NDArray[np.intp]) -> AttributeColumn:
        """The rows at ``index``."""
        return AttributeColumn(self.strings.take(index), self.numbers[index])


@dataclass(frozen=True, slots=True)
class RawColumns:
    """``n`` records of one signal, all of them valid, and a count of those that were not.

    Attributes:
        signal: ``span`` or ``log``.
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
        ignored_values: attribute values beyond a limit, which were not read.
        rejections: records left out.
    """

    signal: Signal
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
    raw: tuple[bytes, ...] = ()
    embeddings: NDArray[np.float32] | None = None
    ignored_values: int = 0
    rejections: Rejections = field(default_factory=Rejections)

    def __len__(self) -> int:
        return len(self.time_ns)
