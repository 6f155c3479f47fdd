"""Decodes OTLP/JSON by writing it as protobuf: one decoder reads both encodings, and they mean the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode.decoder import Decoder, Signal, Task
from collector.decode.json_messages import (
    Document,
    ShapeError,
    array_at,
    bad_request,
    check_place,
    fill,
    object_at,
    objects_at,
    parse,
)
from collector.decode.raw_columns import RawColumns
from collector.decode.wire import field
from telemetry.errors import PayloadError

_KEYS: Final[dict[Signal, tuple[str, str, str]]] = {
    "span": ("resourceSpans", "scopeSpans", "spans"),
    "log": ("resourceLogs", "scopeLogs", "logRecords"),
}
_RECORDS: Final[dict[Signal, tuple[str, Callable[[], Span | LogRecord]]]] = {
    "span": ("span", Span),
    "log": ("logRecord", LogRecord),
}
_MALFORMED: Final = b"\0"
"""No protobuf message: it stands for a record that is none, and is refused and counted as such."""


def decode_json(decode_protobuf: Decoder, bodies: Sequence[bytes], task: Task) -> RawColumns:
    """The records of OTLP/JSON requests, see :class:`Decoder`, by way of a decoder of protobuf."""
    requests: list[bytes] = []
    errors: dict[int, PayloadError] = {}
    for number, body in enumerate(bodies):
        try:
            requests.append(_request(parse(body), task.signal))
        except (ShapeError, PayloadError) as error:
            requests.append(b"")
            errors[number] = error if isinstance(error, PayloadError) else bad_request(str(error))
    raw = decode_protobuf(requests, task)
    for number, fault in errors.items():
        raw.reports[number].error = fault
    return raw


def _request(document: Document, signal: Signal) -> bytes:
    """``document`` as an Export request; whatever is wrong inside a record concerns it alone."""
    resources_key, scopes_key, records_key = _KEYS[signal]
    check_place(document, resources_key)
    request = bytearray()
    for place, frame in objects_at(document, resources_key, ""):
        resource = Resource()
        fill(resource, object_at(frame.get("resource") or {}, f"{place}.resource"), f"{place}.resource")
        scopes = bytearray()
        for scope_place, scope in objects_at(frame, scopes_key, f"{place}."):
            records = array_at(scope.get(records_key), f"{scope_place}.{records_key}")
            scopes += field(2, b"".join(field(2, _record(one, signal)) for one in records))
        request += field(1, field(1, resource.SerializeToString()) + scopes)
    return bytes(request)


def _record(document: Any, signal: Signal) -> bytes:
    name, message = _RECORDS[signal]
    try:
        record = message()
        fill(record, object_at(document, name), name)
    except ShapeError:
        return _MALFORMED
    return record.SerializeToString()
