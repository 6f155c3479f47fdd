"""The value of an OTLP data point, or the reason why it has none that can be used; it knows no series.

Source: https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    DataPointFlags,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
    SummaryDataPoint,
)

from telemetry.histograms import Buckets, ExponentialHistogram, Histogram, edge

_NO_RECORDED_VALUE: Final = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_MAX_COUNT: Final = 2**63
_MAX_BOUNDS: Final = 1024
_SCALES: Final = range(-10, 21)
_MAX_QUANTILES: Final = 64


class FaultError(ValueError):
    """The point cannot be used; its text is a key of ``collector.decode.rejections.REASONS``."""


def is_recorded(point: Any) -> bool:
    """Whether the point says a value, and not that there is none."""
    return not point.flags & _NO_RECORDED_VALUE


def times(point: Any, latest_ns: int) -> tuple[int, int]:
    """Time and start (0: not given) of a point of any kind, in ns; ``latest_ns`` is the end of time.

    Raises:
        FaultError: they cannot be used.
    """
    time_ns, start_ns = point.time_unix_nano, point.start_time_unix_nano
    if not time_ns:
        raise FaultError("no_time")
    if time_ns > latest_ns:
        raise FaultError("in_future")
    if start_ns > time_ns:
        raise FaultError("end_before_start")
    return time_ns, start_ns


def number(point: NumberDataPoint) -> float:
    """The number of a gauge or a sum; integers beyond 2^53 are rounded.

    Raises:
        FaultError: there is none.
    """
    if point.WhichOneof("value") is None:
        raise FaultError("no_data")
    return finite(float(point.as_int) if point.HasField("as_int") else point.as_double)


def histogram(point: HistogramDataPoint) -> Histogram:
    """The histogram; one without buckets has a single one. Its sum is NaN where the sender keeps none.

    Raises:
        FaultError: its buckets make no sense.
    """
    bounds, counts = tuple(point.explicit_bounds), tuple(point.bucket_counts)
    if not bounds and not counts:
        counts = (point.count,)
    ascending = all(low < high for low, high in pairwise(bounds)) and len(bounds) <= _MAX_BOUNDS
    if len(counts) != len(bounds) + 1 or not ascending or not all(map(math.isfinite, bounds)):
        raise FaultError("bad_buckets")
    _check_count(sum(counts), point.count)
    return Histogram(bounds, counts, _sum(point))


def exponential(point: ExponentialHistogramDataPoint) -> ExponentialHistogram:
    """The exponential histogram, of a bounded number of buckets.

    Raises:
        FaultError: its buckets make no sense.
    """
    positive = Buckets.of(point.positive.offset, point.positive.bucket_counts)
    negative = Buckets.of(point.negative.offset, point.negative.bucket_counts)
    if point.scale not in _SCALES or not math.isfinite(point.zero_threshold):
        raise FaultError("bad_buckets")
    if any(edge(point.scale, side.end - 1) == math.inf for side in (positive, negative) if side.counts):
        raise FaultError("bad_buckets")
    sides = *point.positive.bucket_counts, *point.negative.bucket_counts
    _check_count(sum(sides) + point.zero_count, point.count)
    return ExponentialHistogram(
        point.scale, point.zero_count, point.zero_threshold, positive, negative, _sum(point)
    ).bounded()


def quantiles(point: SummaryDataPoint) -> dict[float, float]:
    """The values of a summary by quantile; those that are NaN, since nothing was observed, are left out.

    Raises:
        FaultError: there are too many, or some are no quantiles.
    """
    found = {one.quantile: one.value for one in point.quantile_values if not math.isnan(one.value)}
    sensible = all(0 <= quantile <= 1 for quantile in found) and all(map(math.isfinite, found.values()))
    if len(point.quantile_values) > _MAX_QUANTILES or not sensible:
        raise FaultError("bad_buckets")
    return found


def finite(value: float) -> float:
    """``value``.

    Raises:
        FaultError: it is NaN or infinite.
    """
    if not math.isfinite(value):
        raise FaultError("not_finite")
    return value


def _check_count(counted: int, stated: int) -> None:
    if counted != stated or stated >= _MAX_COUNT:
        raise FaultError("bad_buckets")


def _sum(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> float:
    return finite(point.sum) if point.HasField("sum") else math.nan
