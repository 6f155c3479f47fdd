"""Which metric series have a place: names are bounded, then services, then the series of each service.

A gauge or delta beyond the limit is counted in the service's overflow series of the same metric, and that of a
service beyond the limit in the one of ``__overflow__``. Refused are metrics beyond the limit, since values of
different metrics have no common meaning, and cumulative series, since only what each of them grew by could be added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from collector.cardinality import CardinalityGuard
from collector.metrics.decode import DecodedMetrics
from collector.metrics.values import FaultError
from telemetry.deltas import OVERFLOW_GROUP
from telemetry.points import MetricPoint, MetricSeries

METRICS_SCOPE: Final = "metrics"
"""What the scopes of metrics begin with, among those of rules."""

_NAMES: Final = f"{METRICS_SCOPE}/names"
_SERVICES: Final = f"{METRICS_SCOPE}/services"
_ALL: Final = f"{METRICS_SCOPE}/series"
_ALL_FACTOR: Final = 20
"""Series of all services together, as a multiple of those of one: what bounds the memory of all these places."""


class SeriesPlaces:
    """The places of metric series, ``limit`` a service; safe to share between threads."""

    def __init__(self, limit: int) -> None:
        self._guard = CardinalityGuard(limit)
        self._all = CardinalityGuard(limit * _ALL_FACTOR)

    def seed(self, series: Iterable[MetricSeries], now_ns: int) -> None:
        """Give places to series known from before a restart, so that newcomers do not take them."""
        for one in series:
            with suppress(FaultError):  # those that the limit has no room for any more
                if one.instance != OVERFLOW_GROUP:
                    self.place(one, now_ns)

    def admit(self, decoded: DecodedMetrics, now_ns: int) -> list[tuple[MetricPoint, ...]]:
        """The points of ``decoded`` in their series' places; those without one are counted in its report."""
        admitted: list[tuple[MetricPoint, ...]] = []
        for points in decoded.points:
            try:
                admitted.append(tuple(replace(one, series=self.place(one.series, now_ns)) for one in points))
            except FaultError as fault:
                decoded.report.rejections.add(str(fault))
        return admitted

    def place(self, series: MetricSeries, now_ns: int) -> MetricSeries:
        """``series``, or the overflow series that takes its points.

        Raises:
            FaultError: neither has a place.
        """
        # What overflow series there can be is what has to be bounded, so their identity counts.
        if not self._has_place(self._guard, _NAMES, _overflow(series, ""), now_ns):
            raise FaultError("too_many_metrics")
        is_known_service = self._guard.admit(_SERVICES, [series.service], now_ns)[0]
        if (
            is_known_service
            and self._has_place(self._guard, f"{_ALL} of {series.service}", series, now_ns)
            and self._has_place(self._all, _ALL, series, now_ns)
        ):
            return series
        if series.temporality == "cumulative":
            raise FaultError("too_many_series")
        return _overflow(series, series.service if is_known_service else OVERFLOW_GROUP)

    def overflowed(self) -> Mapping[str, int]:
        """Points that found no place of their own so far, by scope."""
        return {**self._guard.overflowed(), **self._all.overflowed()}

    @staticmethod
    def _has_place(guard: CardinalityGuard, scope: str, series: MetricSeries, now_ns: int) -> bool:
        return guard.admit(scope, [f"{series.id:016x}"], now_ns)[0]


def _overflow(series: MetricSeries, service: str) -> MetricSeries:
    """The overflow series that ``series`` shares with others of its metric; bounds stay, or counts could not add."""
    return replace(series, service=service, instance=OVERFLOW_GROUP, labels="{}", scope="", description="")
