"""Decodes OTLP/JSON by filling the protobuf messages, so that both encodings mean the same from there on.

Its rules differ from protobuf's own JSON mapping, whose parser therefore cannot serve: trace and span ids are
hex digits instead of base64, and unknown keys are ignored. Lenient where senders differ: enums also as names,
64-bit integers as strings or numbers.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode.builder import RawColumnsBuilder
from collector.decode.decoder import Signal, Task
from collector.decode.raw_columns import RawColumns
from telemetry.errors import PayloadError

_HEX_FIELDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_MAX_DEPTH: Final = 100
"""As deep as protobuf itself goes."""

_MAX_CONTAINERS: Final = 4_000_000
"""Objects and arrays in one body: 64 MiB of honest OTLP/JSON stay below it, 64 MiB of ``{},{}`` would need 2 GB."""

_KEYS: Final[dict[Signal, tuple[str, str, str]]] = {
    "span": ("resourceSpans", "scopeSpans", "spans"),
    "log": ("resourceLogs", "scopeLogs", "logRecords"),
}
_PATHS: Final = {"resourceSpans": "/v1/traces", "resourceLogs": "/v1/logs", "resourceMetrics": "/v1/metrics"}

Document = dict[str, Any]


class _ShapeError(ValueError):
    """A JSON value is not of the kind that its place asks for."""


def decode_json(bodies: Sequence[bytes], task: Task) -> RawColumns:
    """The records of OTLP/JSON requests, see :class:`Decoder`."""
    builder = RawColumnsBuilder(task)
    for body in bodies:
        builder.begin_body()
        try:
            for resource, records in _frames(_parse(body), task.signal):
                builder.begin_resource(resource, resource.SerializeToString())
                for document in records:
                    _add(builder, task.signal, document)
        except _ShapeError as error:
            builder.fail_body(_bad(str(error)))
        except PayloadError as error:
            builder.fail_body(error)
    return builder.build()


def _parse(body: bytes) -> Document:
    if body.count(b"{") + body.count(b"[") > _MAX_CONTAINERS:
        raise PayloadError("the JSON body holds too many objects", status=413, remedy="send smaller batches")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad(f"the body is not JSON: {error}") from None
    return _object(document, "the body")


def _frames(document: Document, signal: Signal) -> Iterator[tuple[Resource, list[Any]]]:
    resources_key, scopes_key, records_key = _KEYS[signal]
    for key in _PATHS:
        if key in document and key != resources_key:
            raise _bad(f"{key} belong to {_PATHS[key]}, this is {_PATHS[resources_key]}")
    for place, frame in _objects(document, resources_key, ""):
        resource = Resource()
        _fill(resource, _object(frame.get("resource") or {}, f"{place}.resource"), f"{place}.resource")
        records: list[Any] = []
        for scope_place, scope in _objects(frame, scopes_key, f"{place}."):
            records.extend(_array(scope.get(records_key), f"{scope_place}.{records_key}"))
        yield resource, records


def _add(builder: RawColumnsBuilder, signal: Signal, document: Any) -> None:
    """Add one record; whatever is wrong inside it concerns it alone."""
    try:
        if signal == "span":
            span = Span()
            _fill(span, _object(document, "span"), "span")
            builder.add_span(span, span.SerializeToString())
        else:
            record = LogRecord()
            _fill(record, _object(document, "logRecord"), "logRecord")
            builder.add_log(record, record.SerializeToString())
    except _ShapeError:
        builder.reject("malformed")


def _fill(message: Message, document: Document, place: str, depth: int = 0) -> None:
    """Set the fields of ``message`` that ``document`` names in lowerCamelCase.

    Raises:
        _ShapeError: a value does not fit its field.
    """
    if depth > _MAX_DEPTH:
        raise _ShapeError(f"{place} is nested too deeply")
    fields = message.DESCRIPTOR.fields_by_camelcase_name
    for key, value in document.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        inner = f"{place}.{key}"
        for item in _array(value, inner) if field.is_repeated else (value,):
            if field.message_type is None:
                _set(message, field, item, inner)
                continue
            slot = getattr(message, field.name)
            child = slot.add() if field.is_repeated else slot
            child.SetInParent()
            _fill(child, _object(item, inner), inner, depth + 1)


def _set(message: Message, field: Any, value: Any, place: str) -> None:
    """Set a scalar field, or append to a repeated one."""
    scalar = _scalar(field, value, place)
    try:
        if field.is_repeated:
            getattr(message, field.name).append(scalar)
        else:
            setattr(message, field.name, scalar)
    except (ValueError, TypeError) as error:  # out of the field's range, or a lone surrogate
        raise _ShapeError(f"{place}: {error}") from None


def _scalar(field: Any, value: Any, place: str) -> Any:
    """``value`` as the Python value of ``field``, a descriptor of whichever protobuf implementation runs."""
    kind = field.cpp_type
    try:
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return _bytes(field.name, value) if field.type == FieldDescriptor.TYPE_BYTES else _text(value)
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return _bool(value)
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            return _enum(field, value)
        if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            return _float(value)
        return _integer(value)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise _ShapeError(f"{place} cannot be {json.dumps(value)[:80]}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _bytes(name: str, value: Any) -> bytes:
    text = _text(value)
    if name in _HEX_FIELDS:
        return bytes.fromhex(text)
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)


def _enum(field: Any, value: Any) -> int:
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        number: int = field.enum_type.values_by_name[value].number
        return number
    return _integer(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    if isinstance(value, str):
        return int(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return float(value)


def _object(value: Any, place: str) -> Document:
    if not isinstance(value, dict):
        raise _ShapeError(f"{place} is not an object")
    return value


def _array(value: Any, place: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _ShapeError(f"{place} is not an array")
    return value


def _objects(document: Document, key: str, prefix: str) -> Iterator[tuple[str, Document]]:
    """Each object of the array at ``key``, with its place for messages."""
    for index, item in enumerate(_array(document.get(key), f"{prefix}{key}")):
        place = f"{prefix}{key}[{index}]"
        yield place, _object(item, place)


def _bad(what: str) -> PayloadError:
    return PayloadError(what, status=400, remedy="send an OTLP/JSON Export request")
