"""Decodes OTLP/JSON by filling the protobuf messages, so that both encodings mean the same from there on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode.builder import RawColumnsBuilder
from collector.decode.decoder import Signal, Task
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
from telemetry.errors import PayloadError

_KEYS: Final[dict[Signal, tuple[str, str, str]]] = {
    "span": ("resourceSpans", "scopeSpans", "spans"),
    "log": ("resourceLogs", "scopeLogs", "logRecords"),
}


def decode_json(bodies: Sequence[bytes], task: Task) -> RawColumns:
    """The records of OTLP/JSON requests, see :class:`Decoder`."""
    builder = RawColumnsBuilder(task)
    for body in bodies:
        builder.begin_body()
        try:
            for resource, records in _frames(parse(body), task.signal):
                builder.begin_resource(resource, resource.SerializeToString())
                for document in records:
                    _add(builder, task.signal, document)
        except ShapeError as error:
            builder.fail_body(bad_request(str(error)))
        except PayloadError as error:
            builder.fail_body(error)
    return builder.build()


def _frames(document: Document, signal: Signal) -> Iterator[tuple[Resource, list[Any]]]:
    resources_key, scopes_key, records_key = _KEYS[signal]
    check_place(document, resources_key)
    for place, frame in objects_at(document, resources_key, ""):
        resource = Resource()
        fill(resource, object_at(frame.get("resource") or {}, f"{place}.resource"), f"{place}.resource")
        records: list[Any] = []
        for scope_place, scope in objects_at(frame, scopes_key, f"{place}."):
            records.extend(array_at(scope.get(records_key), f"{scope_place}.{records_key}"))
        yield resource, records


def _add(builder: RawColumnsBuilder, signal: Signal, document: Any) -> None:
    """Add one record; whatever is wrong inside it concerns it alone."""
    try:
        if signal == "span":
            span = Span()
            fill(span, object_at(document, "span"), "span")
            builder.add_span(span, span.SerializeToString())
        else:
            record = LogRecord()
            fill(record, object_at(document, "logRecord"), "logRecord")
            builder.add_log(record, record.SerializeToString())
    except ShapeError:
        builder.reject("malformed")
