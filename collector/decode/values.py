"""What an OTLP AnyValue is as a cell: a text, a finite number, or nothing."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

Cell = str | float | None

EVENT_NAME_ATTRIBUTE: Final = "event.name"
"""Where log records carried their event name before LogRecord.event_name (OTLP 1.5)."""

_STRUCTURES: Final = frozenset({"array_value", "kvlist_value"})
_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)


def cell(value: AnyValue) -> Cell:
    """The value of a column's cell.

    Booleans are ``true`` and ``false``, as matchers write them. Of an array of scalars the first counts
    (``finish_reasons`` has one entry a choice); other structures are their JSON text. Non-finite numbers and
    bytes are missing.
    """
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return float(value.int_value)
    if kind == "double_value":
        return value.double_value if math.isfinite(value.double_value) else None
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    return _structure(value) if kind in _STRUCTURES else None


def _structure(value: AnyValue) -> Cell:
    if value.array_value.values and value.array_value.values[0].WhichOneof("value") not in _STRUCTURES:
        return cell(value.array_value.values[0])
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def plain(value: AnyValue) -> Any:
    """The value as a JSON document; bytes as hex digits."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)


def vector(value: AnyValue) -> list[float] | None:
    """The numbers of an array; None when it is anything but a non-empty array of numbers that fit float32."""
    numbers = [
        item.double_value if item.HasField("double_value") else float(item.int_value)
        for item in value.array_value.values
        if item.HasField("double_value") or item.HasField("int_value")
    ]
    whole = len(numbers) == len(value.array_value.values)
    return numbers if numbers and whole and all(abs(number) <= _FLOAT32_MAX for number in numbers) else None
