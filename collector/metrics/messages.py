"""Reads a body into the protobuf message of an Export request for metrics; it looks at no point.

Metrics are few beside spans, so the protobuf library is fast enough for them.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

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
from collector.decode.rejections import Rejections
from telemetry.errors import PayloadError

DATA_KINDS: Final = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponentialHistogram": "exponential_histogram",
    "summary": "summary",
}
"""The kinds of data, by their names in JSON."""


def read_protobuf(body: bytes) -> ExportMetricsServiceRequest:
    """The request in ``body``.

    Raises:
        PayloadError: there is none.
    """
    try:
        return ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise PayloadError(
            f"the body cannot be decoded: {error}", status=400, remedy="send an OTLP Export request for metrics"
        ) from None


def read_json(body: bytes, rejections: Rejections) -> ExportMetricsServiceRequest:
    """The request in ``body``; points that do not fit their shape are left out and counted in ``rejections``.

    Raises:
        PayloadError: there is none.
    """
    request = ExportMetricsServiceRequest()
    try:
        document = parse(body)
        check_place(document, "resourceMetrics")
        for place, frame in objects_at(document, "resourceMetrics", ""):
            resource = request.resource_metrics.add()
            _fill_at(resource.resource, frame.get("resource"), f"{place}.resource")
            for scope_place, scope_frame in objects_at(frame, "scopeMetrics", f"{place}."):
                scope = resource.scope_metrics.add()
                _fill_at(scope.scope, scope_frame.get("scope"), f"{scope_place}.scope")
                for metric in array_at(scope_frame.get("metrics"), f"{scope_place}.metrics"):
                    _add_metric(scope.metrics, metric, rejections)
    except ShapeError as error:
        raise bad_request(str(error)) from None
    return request


def _fill_at(message: Message, document: Any, place: str) -> None:
    fill(message, object_at(document or {}, place), place)


def _add_metric(metrics: Any, document: Any, rejections: Rejections) -> None:
    """Add one metric; what is wrong inside a point concerns the point alone."""
    try:
        found = object_at(document, "metric")
        key = next((key for key in DATA_KINDS if found.get(key) is not None), None)
        data = object_at(found[key], key) if key else {}
        points = array_at(data.get("dataPoints"), "dataPoints")
        shell = {**found, key: {**data, "dataPoints": []}} if key else found
        metric = Metric()
        fill(metric, shell, "metric")
    except ShapeError:
        rejections.add("malformed")
        return
    added = metrics.add()
    added.CopyFrom(metric)
    if key:
        _add_points(getattr(added, DATA_KINDS[key]).data_points, points, rejections)


def _add_points(slots: Any, points: list[Document], rejections: Rejections) -> None:
    for document in points:
        slot = slots.add()
        try:
            fill(slot, object_at(document, "dataPoint"), "dataPoint")
        except ShapeError:
            del slots[-1]
            rejections.add("malformed")
