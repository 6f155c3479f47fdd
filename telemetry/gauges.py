"""Readings of gauges for those who judge them: the whole state of a series in a bucket, never a difference."""

from __future__ import annotations

from typing import NamedTuple

from telemetry.points import GaugeState, MetricSeries


class GaugeReading(NamedTuple):
    """Everything that is known of a gauge in the bucket from ``bucket_ns`` on.

    A later reading of the same bucket replaces the earlier one, so that whoever reads may read again.
    """

    series: MetricSeries
    bucket_ns: int
    state: GaugeState
