"""Metrics of the application on their way to the collector: the stock reader and exporter, no instrument of its own.

It is imported when somebody asks for a meter: an application without metrics has no reader, no thread, no request.
"""

from __future__ import annotations

import os
from typing import Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from tailwatch_sdk.delivery import Delivery

_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_EVERY_MS: Final = 10_000
"""Unless the environment says otherwise: OpenTelemetry's minute is too coarse to see a queue fill and empty."""


class DeliveringMetricExporter(MetricExporter):
    """The metric exporter that the reader sees."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        self._delivery = delivery

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002  # the stock exporter has its own
        **_kwargs: object,
    ) -> MetricExportResult:
        """Send what was read."""
        scopes = [scope for resource in metrics_data.resource_metrics for scope in resource.scope_metrics]
        points = sum(len(metric.data.data_points) for scope in scopes for metric in scope.metrics)
        delivered = self._delivery.send_whole(metrics_data, points)
        return MetricExportResult.SUCCESS if delivered else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: object) -> None:  # noqa: ARG002  # the interface's
        """Refuse further exports."""
        self._delivery.close()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  # the interface's
        """True: nothing is held back here."""
        return True


def meter_provider(resource: Resource, delivery: Delivery) -> MeterProvider:
    """A provider whose instruments are read and sent every 10 s, or as OTEL_METRIC_EXPORT_INTERVAL says."""
    every_ms = None if os.environ.get(_INTERVAL) else _EVERY_MS
    reader = PeriodicExportingMetricReader(DeliveringMetricExporter(delivery), export_interval_millis=every_ms)
    return MeterProvider([reader], resource=resource, shutdown_on_exit=False)
