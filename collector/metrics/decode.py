"""Decodes OTLP metrics: from a body to points of series, each data point checked on its own; it keeps no state.

Summaries become what Prometheus shows of them: a gauge a quantile (label ``quantile``), and the sums ``NAME_count``
and ``NAME_sum``. A cumulative sum that may fall (an UpDownCounter) is a gauge. Exemplars are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.decode import BodyReport, Encoding
from collector.decode.values import plain
from collector.limits import Limits
from collector.metrics.messages import DATA_KINDS, read_json, read_protobuf
from collector.metrics.values import FaultError, exponential, finite, histogram, is_recorded, number, quantiles, times
from telemetry.deltas import group_key, group_labels
from telemetry.errors import PayloadError
from telemetry.points import MetricPoint, MetricSeries, Quantity, Temporality, Total, point

_MAX_NAME: Final = 255
_MAX_UNIT: Final = 63
"""Lengths of names and units by OpenTelemetry's specification of instruments."""
_MAX_ATTRIBUTES: Final = 64
_MAX_LABELS_LENGTH: Final = 8192
_TEMPORALITIES: Final[dict[int, Temporality]] = {
    AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA: "delta",
    AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE: "cumulative",
}


@dataclass(slots=True)
class DecodedMetrics:
    """What one body holds.

    Attributes:
        points: the points of each data point that was taken in: one, or several of a summary.
        passed_over: data points that say that there is no value; they are accepted, and nothing is kept of them.
        report: what is to be said about the body.
    """

    points: list[tuple[MetricPoint, ...]] = field(default_factory=list)
    passed_over: int = 0
    report: BodyReport = field(default_factory=BodyReport)


def decode_metrics(body: bytes, encoding: Encoding, now_ns: int, limits: Limits) -> DecodedMetrics:
    """The points in ``body``; a body that is no request (400), or holds too many points (413), has its error."""
    decoded = DecodedMetrics()
    try:
        request = read_protobuf(body) if encoding == "protobuf" else read_json(body, decoded.report.rejections)
        for resource in request.resource_metrics:
            service, instance = _source(resource.resource, limits)
            for scope in resource.scope_metrics:
                base = MetricSeries(
                    "", "", "gauge", "", service, instance, scope=scope.scope.name[: limits.text_length]
                )
                for metric in scope.metrics:
                    _add(decoded, metric, base, now_ns, limits)
    except PayloadError as error:
        return DecodedMetrics(report=BodyReport(error=error))
    return decoded


def _source(resource: Resource, limits: Limits) -> tuple[str, str]:
    """Service and instance."""
    found = {one.key: one.value.string_value[: limits.text_length] for one in resource.attributes}
    return found.get("service.name", ""), found.get("service.instance.id", "")


def _add(decoded: DecodedMetrics, metric: Metric, base: MetricSeries, now_ns: int, limits: Limits) -> None:
    kind = metric.WhichOneof("data")
    if kind is None or kind not in DATA_KINDS.values():
        decoded.report.rejections.add("no_data")
        return
    series = replace(base, unit=metric.unit[:_MAX_UNIT], description=metric.description[: limits.text_length])
    data = getattr(metric, kind)
    for one in data.data_points:
        if len(decoded.points) + decoded.passed_over + decoded.report.rejections.total >= limits.records:
            raise PayloadError(
                f"the request holds more than {limits.records} points", status=413, remedy="send smaller batches"
            )
        try:
            if not is_recorded(one):
                decoded.passed_over += 1
                continue
            labelled = replace(series, name=_name(metric), labels=_labels(one.attributes, limits))
            decoded.points.append(tuple(_points(kind, data, one, labelled, now_ns + limits.future_ns)))
        except FaultError as fault:
            decoded.report.rejections.add(str(fault))


def _points(kind: str, data: Any, one: Any, series: MetricSeries, latest_ns: int) -> Iterator[MetricPoint]:
    """The points of one data point."""
    time_ns, start_ns = times(one, latest_ns)
    if kind == "summary":
        yield from _summary(one, series, time_ns, start_ns)
        return
    if kind == "gauge":
        yield point(series, time_ns, 0, number(one))
        return
    temporality = _TEMPORALITIES.get(data.aggregation_temporality)
    if temporality is None:
        raise FaultError("no_temporality")
    if kind == "sum" and temporality == "cumulative" and not data.is_monotonic:
        yield point(series, time_ns, 0, number(one))
        return
    quantity: Quantity
    if kind == "sum":
        quantity, series = Total(number(one)), replace(series, kind="sum", temporality=temporality)
    elif kind == "histogram":
        quantity = histogram(one)
        series = replace(series, kind="histogram", temporality=temporality, bounds=quantity.bounds)
    else:
        quantity, series = exponential(one), replace(series, kind="exponential_histogram", temporality=temporality)
    yield point(series, time_ns, start_ns, quantity)


def _summary(one: Any, series: MetricSeries, time_ns: int, start_ns: int) -> Iterator[MetricPoint]:
    for quantile, value in quantiles(one).items():
        labels = group_key({**group_labels(series.labels), "quantile": f"{quantile:g}"})
        yield point(replace(series, labels=labels), time_ns, 0, value)
    counter = replace(series, kind="sum", temporality="cumulative")
    total = Total(finite(one.sum))
    yield point(replace(counter, name=f"{series.name}_count", unit="1"), time_ns, start_ns, Total(float(one.count)))
    yield point(replace(counter, name=f"{series.name}_sum"), time_ns, start_ns, total)


def _name(metric: Metric) -> str:
    """The metric's name.

    Raises:
        FaultError: it cannot be used.
    """
    if not 0 < len(metric.name) <= _MAX_NAME:
        raise FaultError("no_name")
    return metric.name


def _labels(attributes: Iterable[KeyValue], limits: Limits) -> str:
    """The attributes as the text of a group.

    Raises:
        FaultError: there are too many.
    """
    labels = {one.key[: limits.text_length]: _text(one.value)[: limits.text_length] for one in attributes}
    text = group_key(labels)
    if len(labels) > _MAX_ATTRIBUTES or len(text) > _MAX_LABELS_LENGTH:
        raise FaultError("too_many_attributes")
    return text


def _text(value: AnyValue) -> str:
    found = plain(value)
    if found is None or isinstance(found, str):
        return found or ""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
