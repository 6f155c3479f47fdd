"""Every kind of point comes out as what it means, in both encodings; a bad one is refused alone, with a reason."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint, Metric

from collector.decode.rejections import REASONS
from collector.limits import Limits
from collector.metrics.decode import DecodedMetrics, decode_metrics
from telemetry.histograms import Buckets, ExponentialHistogram, Histogram
from telemetry.points import GaugeState, Increment, MetricPoint, MetricSeries, Segment, Total
from tests.collector.messages import NOW_NS, SECOND
from tests.collector.metrics.messages import (
    CUMULATIVE,
    DELTA,
    START_NS,
    counter,
    exponential,
    gauge,
    histogram,
    number,
    request,
    summary,
)

LIMITS = Limits()
BEYOND_THE_DOUBLES = ExponentialHistogramDataPoint.Buckets(offset=2**31 - 1, bucket_counts=[3])


def decode(message: ExportMetricsServiceRequest) -> DecodedMetrics:
    decoded = decode_metrics(message.SerializeToString(), "protobuf", NOW_NS, LIMITS)
    document = MessageToDict(message, use_integers_for_enums=True)
    assert decode_metrics(json.dumps(document).encode(), "json", NOW_NS, LIMITS) == decoded or _has_nan(decoded)
    return decoded


def _has_nan(decoded: DecodedMetrics) -> bool:
    return "nan" in repr(decoded)


def only(*metrics: Metric) -> MetricPoint:
    ((point,),) = decode(request(*metrics)).points
    return point


def reasons(*metrics: Metric) -> dict[str, int]:
    decoded = decode(request(*metrics))
    assert decoded.points == []
    return dict(decoded.report.rejections.reasons)


def test_a_gauge() -> None:
    point = only(gauge(number(5, {"model": "m", "tp": 2, "ok": True, "list": [1, "a"]})))
    labels = '{"list":"[1,\\"a\\"]","model":"m","ok":"true","tp":"2"}'
    assert point.series == MetricSeries(
        "queue", "{request}", "gauge", "", "chat", "a", labels, description="how many wait"
    )
    assert point.state == GaugeState.of(NOW_NS, 5.0)
    assert point.bucket_ns == NOW_NS - NOW_NS % (10 * SECOND)


def test_a_cumulative_sum() -> None:
    point = only(counter(number(7)))
    assert (point.series.kind, point.series.temporality, point.start_ns) == ("sum", "cumulative", START_NS)
    assert point.state == Segment.of(NOW_NS, Total(7.0))


def test_a_delta_sum() -> None:
    point = only(counter(number(-7.5), temporality=DELTA, monotonic=False))
    assert (point.series.kind, point.series.temporality, point.start_ns) == ("sum", "delta", 0)
    assert point.state == Increment(START_NS, NOW_NS, Total(-7.5))


def test_a_cumulative_sum_that_may_fall_is_a_gauge() -> None:
    point = only(counter(number(7), monotonic=False))
    assert (point.series.kind, point.series.temporality) == ("gauge", "")


@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
def test_a_histogram(temporality: int) -> None:
    point = only(histogram(temporality))
    expected = Histogram((0.1, 1.0), (1, 2, 3), 4.5)
    assert point.series.bounds == (0.1, 1.0)
    if temporality == DELTA:
        assert point.state == Increment(START_NS, NOW_NS, expected)
    else:
        assert point.state == Segment.of(NOW_NS, expected)


def test_a_histogram_without_buckets_or_sum() -> None:
    point = only(histogram(DELTA, bucket_counts=[], explicit_bounds=[], sum=None))
    assert isinstance(point.state, Increment)
    found = point.state.quantity
    assert isinstance(found, Histogram)
    assert (found.bounds, found.counts) == ((), (6,))
    assert math.isnan(found.total)


def test_an_exponential_histogram() -> None:
    point = only(exponential())
    expected = ExponentialHistogram(3, 1, 0.0, Buckets(-1, (1, 2)), Buckets(), 4.5)
    assert point.state == Increment(START_NS, NOW_NS, expected)


def test_a_summary_is_what_prometheus_shows_of_it() -> None:
    ((*quantiles, count, total),) = decode(request(summary({0.5: 1.0, 0.99: 2.0, 1.0: math.nan}))).points
    assert [(one.series.all_labels["quantile"], one.state) for one in quantiles] == [
        ("0.5", GaugeState.of(NOW_NS, 1.0)),
        ("0.99", GaugeState.of(NOW_NS, 2.0)),
    ]
    assert (count.series.name, count.state) == ("gc_count", Segment.of(NOW_NS, Total(9.0)))
    assert (total.series.name, total.series.unit, total.state) == ("gc_sum", "s", Segment.of(NOW_NS, Total(4.5)))


def test_libraries_are_told_apart() -> None:
    found = [decode(request(gauge(number()), scope=scope)).points[0][0].series for scope in ("a", "b")]
    assert found[0].id != found[1].id


def test_a_point_without_recorded_value_is_passed_over() -> None:
    decoded = decode(request(gauge(number(None, flags=1), number(3.0))))
    assert (len(decoded.points), decoded.passed_over, decoded.report.rejections.total) == (1, 1, 0)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (gauge(number(time_unix_nano=0)), "no_time"),
        (gauge(number(time_unix_nano=NOW_NS + LIMITS.future_ns + 1)), "in_future"),
        (gauge(number(time_unix_nano=2**64 - 1)), "in_future"),
        (counter(number(start_time_unix_nano=NOW_NS + 1)), "end_before_start"),
        (gauge(number(math.nan)), "not_finite"),
        (counter(number(math.inf)), "not_finite"),
        (gauge(number(None)), "no_data"),
        (Metric(name="new"), "no_data"),
        (gauge(number(), name=""), "no_name"),
        (gauge(number(), name="x" * 256), "no_name"),
        (counter(number(), temporality=0), "no_temporality"),
        (histogram(0), "no_temporality"),
        (gauge(number(1.0, {str(index): "x" for index in range(65)})), "too_many_attributes"),
        (gauge(number(1.0, {str(index): "x" * 500 for index in range(20)})), "too_many_attributes"),
        (histogram(bucket_counts=[1, 5]), "bad_buckets"),
        (histogram(bucket_counts=[]), "bad_buckets"),
        (histogram(count=7), "bad_buckets"),
        (histogram(explicit_bounds=[1.0, 1.0]), "bad_buckets"),
        (histogram(explicit_bounds=[1.0, math.nan]), "bad_buckets"),
        (histogram(explicit_bounds=[1.0, math.inf]), "bad_buckets"),
        (histogram(bucket_counts=[2**63, 0, 0], count=2**63), "bad_buckets"),
        (histogram(bucket_counts=[6, *[0] * 1100], explicit_bounds=list(range(1100))), "bad_buckets"),
        (histogram(sum=math.nan), "not_finite"),
        (exponential(count=5), "bad_buckets"),
        (exponential(scale=21), "bad_buckets"),
        (exponential(scale=-11), "bad_buckets"),
        (exponential(zero_threshold=math.inf), "bad_buckets"),
        (exponential(positive=BEYOND_THE_DOUBLES), "bad_buckets"),
        (summary({1.5: 1.0}), "bad_buckets"),
        (summary({0.5: math.inf}), "bad_buckets"),
        (summary({index / 100: 1.0 for index in range(65)}), "bad_buckets"),
        (summary({0.5: 1.0}, sum=math.nan), "not_finite"),
    ],
)  # fmt: skip
def test_a_bad_point_is_refused_with_a_reason(metric: Metric, reason: str) -> None:
    assert reasons(metric) == {reason: 1}
    assert reason in REASONS


def test_a_bad_point_leaves_the_others_of_its_metric() -> None:
    decoded = decode(request(gauge(number(1.0), number(math.nan), number(2.0, {"x": "y"}))))
    assert len(decoded.points) == 2
    assert decoded.report.rejections.message() == "1 refused: the value is NaN or infinite"


def test_long_texts_are_cut() -> None:
    series = only(gauge(number(1.0, {"prompt": "x" * 600}))).series
    assert len(series.all_labels["prompt"]) == LIMITS.text_length


def test_too_many_points_are_too_large() -> None:
    body = request(gauge(*[number()] * 6)).SerializeToString()
    decoded = decode_metrics(body, "protobuf", NOW_NS, Limits(records=5))
    assert decoded.report.error is not None
    assert decoded.report.error.status == 413
    assert decoded.points == []


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a\x05abc"])
def test_what_is_no_request_is_refused_as_a_whole(body: bytes) -> None:
    error = decode_metrics(body, "protobuf", NOW_NS, LIMITS).report.error
    assert error is not None
    assert error.status == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ('{"resourceSpans": []}', "/v1/traces"),
        ('{"resourceMetrics": {}}', "not an array"),
        ('{"resourceMetrics": [{"resource": 1}]}', "resource is not an object"),
        ('{"resourceMetrics": [{"scopeMetrics": [{"metrics": 1}]}]}', "not an array"),
    ],
)
def test_what_is_no_json_request_is_refused_as_a_whole(body: str, words: str) -> None:
    error = decode_metrics(body.encode(), "json", NOW_NS, LIMITS).report.error
    assert error is not None
    assert error.status == 400
    assert words in str(error)


def json_points(*points: Any) -> DecodedMetrics:
    metric = {"name": "queue", "gauge": {"dataPoints": list(points)}}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    return decode_metrics(json.dumps(body).encode(), "json", NOW_NS, LIMITS)


def test_json_points_that_do_not_fit_are_refused_alone() -> None:
    good = {"timeUnixNano": str(NOW_NS), "asInt": "3", "unknown": {"a": 1}}
    decoded = json_points(good, {**good, "asInt": "x"}, 7, {**good, "attributes": 1})
    assert len(decoded.points) == 1
    assert decoded.report.rejections.reasons == {"malformed": 3}


def test_a_json_metric_that_does_not_fit_is_refused_alone() -> None:
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": 5}, {"name": "a", "gauge": 3}, 9]}]}]}
    decoded = decode_metrics(json.dumps(body).encode(), "json", NOW_NS, LIMITS)
    assert decoded.report.rejections.reasons == {"malformed": 3}


@given(st.binary(max_size=200))
def test_random_bytes_never_break_it(body: bytes) -> None:
    for encoding in ("protobuf", "json"):
        decoded = decode_metrics(body, encoding, NOW_NS, LIMITS)
        assert decoded.report.error is None or decoded.report.error.status in (400, 413)


VALID = request(gauge(number(1.0, {"a": "b"})), counter(number(3)), histogram(), exponential(), summary({0.5: 1.0}))


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_never_break_it(changes: list[tuple[int, int]]) -> None:
    body = bytearray(VALID.SerializeToString())
    for place, value in changes:
        body[place % len(body)] = value
    decoded = decode_metrics(bytes(body), "protobuf", NOW_NS, LIMITS)
    assert decoded.report.error is None or decoded.report.error.status == 400
