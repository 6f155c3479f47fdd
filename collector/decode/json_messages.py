"""Fills protobuf messages from OTLP/JSON documents, whose rules differ from protobuf's own JSON mapping.

Trace and span ids are hex digits instead of base64, and unknown keys are ignored. Lenient where senders differ:
enums also as names, 64-bit integers as strings or numbers. It knows no signal.
Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
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


def fill(message: Message, document: Document, place: str) -> None:
    """Set the fields of ``message``, which is at ``place``, that ``document`` names in lowerCamelCase.

    Raises:
        ShapeError: a value does not fit its field.
    """
    try:
        _fill(message, _fields(message.DESCRIPTOR), document, 0)
    except ShapeError as error:
        raise ShapeError(f"{place}{error}") from None


@dataclass(frozen=True, slots=True)
class _Field:
    """What a descriptor says of a field, read once: to ask it for every value would cost more than to set the value."""

    name: str
    is_repeated: bool
    message: Descriptor | None
    scalar: Callable[[Any], Any]


@cache
def _fields(message: Descriptor) -> Mapping[str, _Field]:
    """The fields of a message by their names in JSON."""
    return {
        name: _Field(field.name, field.is_repeated, field.message_type, _scalar(field))
        for name, field in message.fields_by_camelcase_name.items()
    }


def _fill(message: Message, fields: Mapping[str, _Field], document: Document, depth: int) -> None:
    """Fill ``message``; an error names the place within it, and begins with the punctuation that leads there."""
    if depth > _MAX_DEPTH:
        raise ShapeError(" is nested too deeply")
    for key, value in document.items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        try:
            if not field.is_repeated:
                _put(message, field, value, depth)
                continue
            for item in array_at(value, ""):
                _put(message, field, item, depth)
        except ShapeError as error:
            raise ShapeError(f".{key}{error}") from None


def _put(message: Message, field: _Field, value: Any, depth: int) -> None:
    """Set the field to ``value``, or append it to a repeated one."""
    if field.message is not None:
        slot = getattr(message, field.name)
        child = slot.add() if field.is_repeated else slot
        child.SetInParent()
        _fill(child, _fields(field.message), object_at(value, ""), depth + 1)
        return
    try:
        scalar = field.scalar(value)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise ShapeError(f" cannot be {json.dumps(value)[:80]}") from None
    try:
        if field.is_repeated:
            getattr(message, field.name).append(scalar)
        else:
            setattr(message, field.name, scalar)
    except (ValueError, TypeError) as error:  # out of the field's range, or a lone surrogate
        raise ShapeError(f": {error}") from None


def _scalar(field: Any) -> Callable[[Any], Any]:
    """What makes a Python value of ``field``, a descriptor of whichever protobuf implementation runs, from JSON's.

    It raises ValueError, TypeError, KeyError or OverflowError for what cannot be one.
    """
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type != FieldDescriptor.TYPE_BYTES:
            return _text
        return _hex if field.name in _HEX_FIELDS else _base64
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return _bool
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return partial(_enum, field.enum_type)
    return _float if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT) else _integer


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _hex(value: Any) -> bytes:
    return bytes.fromhex(_text(value))


def _base64(value: Any) -> bytes:
    text = _text(value)
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)


def _enum(names: Any, value: Any) -> int:
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        number: int = names.values_by_name[value].number
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
