"""OTLP requests to send: small builders over the protobuf messages, and the hypothesis strategies of batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

NOW_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list | tuple):
        result = AnyValue()
        result.array_value.SetInParent()
        result.array_value.values.extend(any_value(item) for item in value)
        return result
    if isinstance(value, dict):
        result = AnyValue()
        result.kvlist_value.SetInParent()
        result.kvlist_value.values.extend(attributes(value))
        return result
    return AnyValue(string_value=value)


def attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def span(
    number: int = 1,
    *,
    end_ns: int = NOW_NS,
    duration_s: float = 1.0,
    error: bool = False,
    name: str = "chat m",
    **values: Any,
) -> Span:
    """A chat span; ``values`` are attributes with ``__`` for a dot, or pass ``values={...}``."""
    given = values.pop("values", {})
    named = {key.replace("__", "."): value for key, value in values.items()}
    return Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        name=name,
        start_time_unix_nano=end_ns - round(duration_s * SECOND),
        end_time_unix_nano=end_ns,
        status=Status(code=Status.STATUS_CODE_ERROR if error else Status.STATUS_CODE_UNSET),
        attributes=attributes({"gen_ai.operation.name": "chat", **named, **given}),
    )


def log(number: int = 1, *, event: str = "tailwatch.inference", time_ns: int = NOW_NS, **values: Any) -> LogRecord:
    given = values.pop("values", {})
    named = {key.replace("__", "."): value for key, value in values.items()}
    return LogRecord(
        time_unix_nano=time_ns,
        event_name=event,
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        attributes=attributes({**named, **given}),
    )


def traces(spans: Sequence[Span], **resource: Any) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    frame = request.resource_spans.add()
    frame.resource.attributes.extend(
        attributes({key.replace("__", "."): value for key, value in {"service__name": "svc", **resource}.items()})
    )
    frame.scope_spans.add().spans.extend(spans)
    return request


def logs(records: Sequence[LogRecord], **resource: Any) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    frame = request.resource_logs.add()
    frame.resource.attributes.extend(
        attributes({key.replace("__", "."): value for key, value in {"service__name": "svc", **resource}.items()})
    )
    frame.scope_logs.add().log_records.extend(records)
    return request
