"""Makes the stock OTLP exporters for a destination and puts a Delivery around each; adds no wire code of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, cast

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tailwatch_sdk.configuration import Destination
from tailwatch_sdk.delivery import Delivery, Exporter
from tailwatch_sdk.errors import ConfigurationError


class DeliveringSpanExporter(SpanExporter):
    """The span exporter that the batch processor sees."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch of spans."""
        return SpanExportResult.SUCCESS if self._delivery.send(spans) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Refuse further batches."""
        self._delivery.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the interface's
        """True: nothing is held back here."""
        return True


class DeliveringLogExporter(LogRecordExporter):
    """The log exporter that the batch processor sees."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send a batch of log records."""
        return LogRecordExportResult.SUCCESS if self._delivery.send(batch) else LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        """Refuse further batches."""
        self._delivery.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the interface's
        """True: nothing is held back here."""
        return True


def span_delivery(destination: Destination, headers: dict[str, str]) -> Delivery:
    """The way of spans.

    Raises:
        ConfigurationError: gRPC is asked for and its extra is not installed.
    """
    exporter: Callable[..., Any] = HttpSpanExporter
    if destination.protocol == "grpc":
        exporter = _grpc("trace_exporter", "OTLPSpanExporter")
    return Delivery("Spans", destination.shown, _build(exporter, destination, headers))


def log_delivery(destination: Destination, headers: dict[str, str]) -> Delivery:
    """The way of inference logs and feedback.

    Raises:
        ConfigurationError: gRPC is asked for and its extra is not installed.
    """
    exporter: Callable[..., Any] = HttpLogExporter
    if destination.protocol == "grpc":
        exporter = _grpc("_log_exporter", "OTLPLogExporter")
    return Delivery("Inference logs", destination.shown, _build(exporter, destination, headers))


def metric_delivery(destination: Destination, headers: dict[str, str]) -> Delivery:
    """The way of metrics.

    Raises:
        ConfigurationError: gRPC is asked for and its extra is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as http  # noqa: PLC0415  # few have metrics

    exporter: Callable[..., Any] = http.OTLPMetricExporter
    if destination.protocol == "grpc":
        exporter = _grpc("metric_exporter", "OTLPMetricExporter")
    return Delivery("Metrics", destination.shown, _build(exporter, destination, headers))


def _build(exporter: Callable[..., Any], destination: Destination, headers: dict[str, str]) -> Callable[[], Exporter]:
    # None, not {}: the gRPC exporter reads OTEL_EXPORTER_OTLP_HEADERS only when it is given none.
    return lambda: cast("Exporter", exporter(endpoint=destination.url, headers=headers or None))


def _grpc(module: str, name: str) -> Callable[..., Any]:
    try:
        loaded = import_module(f"opentelemetry.exporter.otlp.proto.grpc.{module}")
    except ImportError:
        raise ConfigurationError(
            "The protocol 'grpc' needs an extra: pip install 'tailwatch-sdk[grpc]', or use 'http/protobuf'."
        ) from None
    return cast("Callable[..., Any]", getattr(loaded, name))
