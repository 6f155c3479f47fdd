"""OTLP metrics to send: small builders over the protobuf messages."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.collector.messages import NOW_NS, SECOND, attributes

DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
START_NS = NOW_NS - 60 * SECOND


def request(
    *metrics: Metric, service: str = "chat", instance: str = "a", scope: str = ""
) -> ExportMetricsServiceRequest:
    resource = Resource(attributes=attributes({"service.name": service, "service.instance.id": instance}))
    frame = ScopeMetrics(scope=InstrumentationScope(name=scope), metrics=metrics)
    return ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=[frame])])


def number(value: float | None = 1.0, labels: dict[str, Any] | None = None, **more: Any) -> NumberDataPoint:
    given = {"time_unix_nano": NOW_NS, "start_time_unix_nano": START_NS, **more}
    if value is not None:
        given["as_int" if isinstance(value, int) else "as_double"] = value
    return NumberDataPoint(attributes=attributes(labels or {}), **given)


def gauge(*points: NumberDataPoint, name: str = "queue", unit: str = "{request}") -> Metric:
    return Metric(name=name, unit=unit, description="how many wait", gauge=Gauge(data_points=points))


def counter(*points: NumberDataPoint, temporality: int = CUMULATIVE, monotonic: bool = True) -> Metric:
    data = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic)
    return Metric(name="requests", unit="1", sum=data)


def histogram(temporality: int = CUMULATIVE, **more: Any) -> Metric:
    given = {
        "time_unix_nano": NOW_NS,
        "start_time_unix_nano": START_NS,
        "count": 6,
        "sum": 4.5,
        "bucket_counts": [1, 2, 3],
        "explicit_bounds": [0.1, 1.0],
        **more,
    }
    point = HistogramDataPoint(**{key: value for key, value in given.items() if value is not None})
    data = Histogram(data_points=[point], aggregation_temporality=temporality)
    return Metric(name="latency", unit="s", histogram=data)


def exponential(**more: Any) -> Metric:
    buckets = ExponentialHistogramDataPoint.Buckets(offset=-2, bucket_counts=[0, 1, 2])
    given = {
        "time_unix_nano": NOW_NS,
        "start_time_unix_nano": START_NS,
        "count": 4,
        "sum": 4.5,
        "scale": 3,
        "zero_count": 1,
        "positive": buckets,
        **more,
    }
    data = ExponentialHistogram(data_points=[ExponentialHistogramDataPoint(**given)], aggregation_temporality=DELTA)
    return Metric(name="latency", unit="s", exponential_histogram=data)


def summary(quantiles: dict[float, float], **more: Any) -> Metric:
    values = [SummaryDataPoint.ValueAtQuantile(quantile=one, value=value) for one, value in quantiles.items()]
    given = {"time_unix_nano": NOW_NS, "start_time_unix_nano": START_NS, "count": 9, "sum": 4.5, **more}
    return Metric(name="gc", unit="s", summary=Summary(data_points=[SummaryDataPoint(quantile_values=values, **given)]))
