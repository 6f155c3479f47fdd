"""The bodies of OTLP answers, in the encoding of the request: Export responses and ``google.rpc.Status``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code  # type: ignore[import-untyped]  # no py.typed in it
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # no py.typed in it
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.decode import Encoding
from collector.request import Receipt, Signal

CONTENT_TYPES: Final[Mapping[Encoding, str]] = MappingProxyType(
    {"protobuf": "application/x-protobuf", "json": "application/json"}
)
RPC_CODES: Final[Mapping[int, int]] = MappingProxyType(
    {
        400: Code.INVALID_ARGUMENT,
        401: Code.UNAUTHENTICATED,
        403: Code.PERMISSION_DENIED,
        404: Code.NOT_FOUND,
        405: Code.UNIMPLEMENTED,
        408: Code.DEADLINE_EXCEEDED,
        413: Code.RESOURCE_EXHAUSTED,
        415: Code.INVALID_ARGUMENT,
        500: Code.INTERNAL,
        503: Code.UNAVAILABLE,
    }
)
"""The ``google.rpc.Code`` of each HTTP status in use."""


def export_response(signal: Signal, receipt: Receipt) -> Message:
    """The answer to an Export request that was committed; ``partial_success`` only when records were refused."""
    if signal == "span":
        traces = ExportTraceServiceResponse()
        if receipt.rejected:
            traces.partial_success.rejected_spans = receipt.rejected
            traces.partial_success.error_message = receipt.message
        return traces
    if signal == "metric":
        metrics = ExportMetricsServiceResponse()
        if receipt.rejected:
            metrics.partial_success.rejected_data_points = receipt.rejected
            metrics.partial_success.error_message = receipt.message
        return metrics
    logs = ExportLogsServiceResponse()
    if receipt.rejected:
        logs.partial_success.rejected_log_records = receipt.rejected
        logs.partial_success.error_message = receipt.message
    return logs


def status(http_status: int, message: str) -> Status:
    """The answer to a request that was refused."""
    return Status(code=RPC_CODES[http_status], message=message)


def serialise(message: Message, encoding: Encoding) -> bytes:
    """``message`` in ``encoding``."""
    return message.SerializeToString() if encoding == "protobuf" else MessageToJson(message, indent=None).encode()
