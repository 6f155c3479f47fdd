"""The OTLP messages as one table, made from the installed descriptors; it says what each field must look like.

A record is accepted when every field that its message knows is well formed, which includes fields that nobody
reads: the protobuf library refuses a span for a broken string in one of its events, and so does the kernel.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.decode.kernel.arrays import constants

SPAN, LOG, RESOURCE, KEY_VALUE, ANY_VALUE, STATUS = constants(6)
_ROOTS: Final[tuple[Any, ...]] = (Span, LogRecord, Resource, KeyValue, AnyValue, Status)

FIELDS: Final = 32
"""Field numbers below this one are looked up; OTLP's end at 16."""

UNKNOWN: Final = -1
STRING, MESSAGE = 1 << 3, 2 << 3
"""Kinds of a field that are looked into; everything else is only measured."""

KIND: Final = 3 << 3
SHIFT: Final = 8
"""A rule is the wire type, the kind, and for a message its number from this bit on."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_STRING: _LENGTH | STRING,
    FieldDescriptor.TYPE_BYTES: _LENGTH,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH | MESSAGE,
}


def rules() -> NDArray[np.int32]:
    """(messages, ``FIELDS``): the rule of each field of each message that a record or a resource can hold."""
    numbers = {message.DESCRIPTOR.full_name: number for number, message in enumerate(_ROOTS)}
    waiting: list[Any] = [message.DESCRIPTOR for message in _ROOTS]
    table: list[list[int]] = []
    while len(table) < len(waiting):
        row = [UNKNOWN] * FIELDS
        for field in waiting[len(table)].fields:
            row[field.number] = _FIXED.get(field.type, _VARINT)
            if field.message_type is not None:
                if field.message_type.full_name not in numbers:
                    numbers[field.message_type.full_name] = len(waiting)
                    waiting.append(field.message_type)
                row[field.number] |= numbers[field.message_type.full_name] << SHIFT
        table.append(row)
    return np.asarray(table, dtype=np.int32)
