"""The framing of a protobuf Export request: cut into resources and records, or written; never looked into a record.

ExportTraceServiceRequest and ExportLogsServiceRequest share their shape: resource_spans (1) { resource (1),
scope_spans (2) { spans (2) } }, the same with logs. Cutting instead of parsing the whole gives each record's own
bytes for nothing, keeps memory at one parsed record, and lets one bad record fail alone. Every length is
checked against the end of what encloses it.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from telemetry.errors import PayloadError

_VARINT, _FIXED64, _LENGTH, _GROUP_START, _GROUP_END, _FIXED32 = range(6)
_MAX_TAG: Final = 0xFFFF_FFFF
_MAX_LENGTH: Final = 0x7FFF_FFFF
_SHORT: Final = 5
"""Bytes that a tag or a length takes at most; any other number takes up to twice as many."""

_MAX_GROUPS: Final = 100
"""Nesting at which protobuf libraries give up, too."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One resource with its records, as serialised messages; several fields of one message are one by concatenation."""

    resource: bytes
    records: tuple[bytes, ...]


def field(number: int, value: bytes) -> bytes:
    """The field of a message that holds ``value``, a text, bytes or a message; ``number`` is below 16."""
    length = len(value)
    head = bytearray([number << 3 | _LENGTH])
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + value


def frames(body: bytes) -> Iterator[Frame]:
    """The frames of an Export request.

    Raises:
        PayloadError: the framing is broken (400).
    """
    for number, wire_type, start, stop in _fields(body, 0, len(body)):
        if number == 1 and wire_type == _LENGTH:
            yield _frame(body, start, stop)


def _frame(body: bytes, start: int, stop: int) -> Frame:
    resource: list[bytes] = []
    records: list[bytes] = []
    for number, wire_type, inner, inner_stop in _fields(body, start, stop):
        if wire_type != _LENGTH:
            continue
        if number == 1:
            resource.append(body[inner:inner_stop])
        elif number == 2:
            records.extend(
                body[at:end]
                for field, wire, at, end in _fields(body, inner, inner_stop)
                if field == 2 and wire == _LENGTH
            )
    return Frame(b"".join(resource), tuple(records))


def _fields(body: bytes, at: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, start and end of the value of each field within ``at`` and ``stop``."""
    while at < stop:
        number, wire_type, at = _tag(body, at, stop)
        if number == 0:  # passes only inside of an unknown group, where nobody looks at it
            raise broken(at)
        start, at = _value(body, at, stop, number, wire_type, depth=0)
        yield number, wire_type, start, at


def _tag(body: bytes, at: int, stop: int) -> tuple[int, int, int]:
    tag, at = _varint(body, at, stop, most=_SHORT)
    if tag > _MAX_TAG:
        raise broken(at)
    return tag >> 3, tag & 7, at


def _value(body: bytes, at: int, stop: int, number: int, wire_type: int, *, depth: int) -> tuple[int, int]:
    """Start and end of the value at ``at``."""
    start, end = at, at
    if wire_type == _LENGTH:
        length, start = _varint(body, at, stop, most=_SHORT)
        end = start + length
        if length > _MAX_LENGTH:
            raise broken(at)
    elif wire_type == _VARINT:
        _, end = _varint(body, at, stop)
    elif wire_type == _FIXED64:
        end = at + 8
    elif wire_type == _FIXED32:
        end = at + 4
    elif wire_type == _GROUP_START and depth < _MAX_GROUPS:
        end = _group_end(body, at, stop, number, depth=depth + 1)
    else:
        raise broken(at)
    if end > stop:
        raise broken(at)
    return start, end


def _group_end(body: bytes, at: int, stop: int, opened: int, *, depth: int) -> int:
    while at < stop:
        number, wire_type, at = _tag(body, at, stop)
        if wire_type == _GROUP_END:
            if number != opened:
                break
            return at
        _, at = _value(body, at, stop, number, wire_type, depth=depth)
    raise broken(at)


def _varint(body: bytes, at: int, stop: int, *, most: int = 2 * _SHORT) -> tuple[int, int]:
    """The number at ``at`` and the place after it."""
    value = 0
    for shift in range(0, 7 * most, 7):
        if at >= stop:
            break
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise broken(at)


def broken(at: int) -> PayloadError:
    """A body is no Export request, as is seen ``at`` bytes into it."""
    return PayloadError(
        f"the body is not protobuf: broken at byte {at}",
        status=400,
        remedy="send an OTLP Export request, complete, with the Content-Type it is written in",
    )
