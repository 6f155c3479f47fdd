"""Imported requests as OTLP trace requests, the same bytes for the same rows, so that a repeat is not counted."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tailwatch.importing.mapping import ImportedRequest
from telemetry.schema import FEATURE_ATTRIBUTE_PREFIX
from telemetry.windows import NANOS

SPANS_PER_PAYLOAD = 512


def payloads(
    requests: Iterable[tuple[int, ImportedRequest]], *, source: bytes, operation: str, shift_ns: int
) -> Iterator[tuple[int, bytes]]:
    """(number of spans, OTLP bytes) per payload.

    Args:
        requests: row number and request, in file order.
        source: digest of the file; with the row number it makes the trace id.
        operation: ``gen_ai.operation.name`` of every request.
        shift_ns: added to every time.
    """
    rows = iter(requests)
    while chunk := list(itertools.islice(rows, SPANS_PER_PAYLOAD)):
        by_service: dict[str, list[Span]] = {}
        for number, request in chunk:
            span = _span(request, number, source, operation, shift_ns)
            by_service.setdefault(request.service, []).append(span)
        body = ExportTraceServiceRequest(
            resource_spans=[_resource_spans(service, spans) for service, spans in by_service.items()]
        )
        yield len(chunk), body.SerializeToString(deterministic=True)


def _resource_spans(service: str, spans: list[Span]) -> ResourceSpans:
    grouped = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    grouped.resource.attributes.append(_attribute("service.name", service))
    grouped.scope_spans[0].scope.name = "tailwatch.import"
    return grouped


def _span(request: ImportedRequest, number: int, source: bytes, operation: str, shift_ns: int) -> Span:
    identity = hashlib.blake2b(number.to_bytes(8, "big"), key=source[:64], digest_size=24).digest()
    start_ns = request.start_ns + shift_ns
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": request.model,
        "gen_ai.usage.input_tokens": _whole(request.tokens_in),
        "gen_ai.usage.output_tokens": _whole(request.tokens_out),
        "error.type": request.error,
    } | {f"{FEATURE_ATTRIBUTE_PREFIX}{name}": value for name, value in request.features.items()}
    return Span(
        trace_id=identity[:16],
        span_id=identity[16:],
        name=f"{operation} {request.model}".strip(),
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + round(request.latency_s * NANOS),
        attributes=[_attribute(name, value) for name, value in attributes.items() if value not in ("", None)],
        status=Status(code=Status.STATUS_CODE_ERROR if request.error else Status.STATUS_CODE_UNSET),
    )


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _attribute(name: str, value: str | float | None) -> KeyValue:
    match value:
        case int():
            return KeyValue(key=name, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=name, value=AnyValue(double_value=value))
        case _:
            return KeyValue(key=name, value=AnyValue(string_value=str(value)))
