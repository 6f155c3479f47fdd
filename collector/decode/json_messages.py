"""Fills protobuf messages from OTLP/JSON documents, whose rules differ from protobuf's own JSON mapping.

Trace and span ids are hex digits instead of base64, and unknown keys are ignored. Lenient where senders differ:
enums also as names, 64-bit integers as strings or numbers. It knows no signal.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from telemetry.errors import PayloadError

_HEX_FIELDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_MAX_DEPTH: Final = 100
"""As deep as protobuf itself goes."""

_MAX_CONTAINERS: Final = 4_000_000
"""Objects and arrays in one body: 64 MiB of honest OTLP/JSON stay below it, 64 MiB of ``{},{}`` would need 2 GB."""

PATHS: Final = {"resourceSpans": "/v1/traces", "resourceLogs": "/v1/logs", "resourceMetrics": "/v1/metrics"}
"""Where a request belongs that holds these."""

Document = dict[str, Any]


class ShapeError(ValueError):
    """A JSON value is not of the kind that its place asks for."""


def parse(body: bytes) -> Document:
    """The JSON object in ``body``.

    Raises:
        PayloadError: it holds none, or too many (413).
        ShapeError: it holds something else.
    """
    if body.count(b"{") + body.count(b"[") > _MAX_CONTAINERS:
        raise PayloadError("the JSON body holds too many objects", status=413, remedy="send smaller batches")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    return object_at(document, "the body")


def check_place(document: Document, key: str) -> None:
    """Raise for a request of another signal, whose records would be ignored as unknown keys.

    Raises:
        PayloadError: naming where it belongs.
    """
    for other in PATHS:
        if other in document and other != key:
            raise bad_request(f"{other} belong to {PATHS[other]}, this is {PATHS[key]}")


def fill(message: Message, document: Document, place: str, depth: int = 0) -> None:
    """Set the fields of ``message`` that ``document`` names in lowerCamelCase.

    Raises:
        ShapeError: a value does not fit its field.
    """
    if depth > _MAX_DEPTH:
        raise ShapeError(f"{place} is nested too deeply")
    fields = message.DESCRIPTOR.fields_by_camelcase_name
    for key, value in document.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        inner = f"{place}.{key}"
        for item in array_at(value, inner) if field.is_repeated else (value,):
            if field.message_type is None:
                _set(message, field, item, inner)
                continue
            slot = getattr(message, field.name)
            child = slot.add() if field.is_repeated else slot
            child.SetInParent()
            fill(child, object_at(item, inner), inner, depth + 1)


def _set(message: Message, field: Any, value: Any, place: str) -> None:
    """Set a scalar field, or append to a repeated one."""
    scalar = _scalar(field, value, place)
    try:
        if field.is_repeated:
            getattr(message, field.name).append(scalar)
        else:
            setattr(message, field.name, scalar)
    except (ValueError, TypeError) as error:  # out of the field's range, or a lone surrogate
        raise ShapeError(f"{place}: {error}") from None


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
        raise ShapeError(f"{place} cannot be {json.dumps(value)[:80]}") from None


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


def object_at(value: Any, place: str) -> Document:
    """``value``, which is at ``place``, as an object.

    Raises:
        ShapeError: it is none.
    """
    if not isinstance(value, dict):
        raise ShapeError(f"{place} is not an object")
    return value


def array_at(value: Any, place: str) -> list[Any]:
    """``value``, which is at ``place``, as an array; null is an empty one.

    Raises:
        ShapeError: it is none.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise ShapeError(f"{place} is not an array")
    return value


def objects_at(document: Document, key: str, prefix: str) -> Iterator[tuple[str, Document]]:
    """Each object of the array at ``key``, with its place for messages."""
    for index, item in enumerate(array_at(document.get(key), f"{prefix}{key}")):
        place = f"{prefix}{key}[{index}]"
        yield place, object_at(item, place)


def bad_request(what: str) -> PayloadError:
    """The error of a body that is no request."""
    return PayloadError(what, status=400, remedy="send an OTLP/JSON Export request")
