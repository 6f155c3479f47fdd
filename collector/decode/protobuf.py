"""Decodes OTLP protobuf: cut into records by the framing, each parsed by the protobuf library on its own."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode.builder import RawColumnsBuilder
from collector.decode.decoder import Task
from collector.decode.raw_columns import RawColumns
from collector.decode.wire import frames
from telemetry.errors import PayloadError


def decode_protobuf(bodies: Sequence[bytes], task: Task) -> RawColumns:
    """The records of Export requests for traces or logs, see :class:`Decoder`."""
    builder = RawColumnsBuilder(task)
    for body in bodies:
        builder.begin_body()
        try:
            _add(builder, body)
        except PayloadError as error:
            builder.fail_body(error)
    return builder.build()


def _add(builder: RawColumnsBuilder, body: bytes) -> None:
    for frame in frames(body):
        resource = read_resource(frame.resource)
        if frame.records:
            builder.begin_resource(resource, frame.resource)
        for record in frame.records:
            try:
                if builder.task.signal == "span":
                    builder.add_span(Span.FromString(record), record)
                else:
                    builder.add_log(LogRecord.FromString(record), record)
            except DecodeError:
                builder.reject("malformed")


def read_resource(body: bytes) -> Resource:
    """The message in ``body``.

    Raises:
        PayloadError: it is broken, and with it the request (400).
    """
    try:
        return Resource.FromString(body)
    except DecodeError as error:
        raise PayloadError(
            f"a resource cannot be decoded: {error}", status=400, remedy="send an OTLP Export request"
        ) from None
