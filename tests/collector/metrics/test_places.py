"""Series are bounded, nothing beyond the bound is silent, and what cannot be added up is refused."""

from __future__ import annotations

from collections import Counter

from collector.metrics.decode import DecodedMetrics
from collector.metrics.places import SeriesPlaces
from telemetry.deltas import OVERFLOW_GROUP, group_key
from telemetry.points import MetricPoint, MetricSeries, Total, point
from tests.collector.messages import NOW_NS, SECOND


def gauge(name: str = "queue", service: str = "chat", tenant: str = "") -> MetricSeries:
    return MetricSeries(name, "1", "gauge", "", service, "a", group_key({"tenant": tenant}))


def total(tenant: str, temporality: str) -> MetricSeries:
    return MetricSeries("n", "1", "sum", temporality, "chat", "a", group_key({"tenant": tenant}))  # type: ignore[arg-type]


def admit(places: SeriesPlaces, *series: MetricSeries) -> tuple[list[MetricPoint], Counter[str]]:
    values = [point(one, NOW_NS, 1, 1.0 if one.kind == "gauge" else Total(1.0)) for one in series]
    decoded = DecodedMetrics([(value,) for value in values])
    admitted = places.admit(decoded, NOW_NS)
    return [one for points in admitted for one in points], decoded.report.rejections.reasons


def test_series_beyond_the_limit_share_the_overflow_series_of_their_service() -> None:
    places = SeriesPlaces(3)
    admitted, rejected = admit(places, *(gauge(tenant=str(index)) for index in range(10)), gauge(tenant="0"))
    found = Counter((one.series.service, one.series.instance) for one in admitted)
    assert found == {("chat", "a"): 4, ("chat", OVERFLOW_GROUP): 7}
    assert not rejected
    assert sum(places.overflowed().values()) == 7


def test_a_million_tenants_leave_a_bounded_number_of_series() -> None:
    places = SeriesPlaces(5)
    admitted, _ = admit(places, *(gauge(service=str(index % 50), tenant=str(index)) for index in range(2000)))
    assert len({one.series.id for one in admitted}) <= 5 * 5 + 5 + 1


def test_one_service_does_not_take_the_places_of_another() -> None:
    places = SeriesPlaces(3)
    admit(places, *(gauge(tenant=str(index)) for index in range(10)))
    admitted, _ = admit(places, gauge(service="embed"))
    assert admitted[0].series == gauge(service="embed")


def test_services_beyond_the_limit_share_one() -> None:
    places = SeriesPlaces(2)
    admitted, _ = admit(places, *(gauge(service=str(index)) for index in range(4)))
    assert [one.series.service for one in admitted] == ["0", "1", OVERFLOW_GROUP, OVERFLOW_GROUP]


def test_metrics_beyond_the_limit_are_refused() -> None:
    admitted, rejected = admit(SeriesPlaces(2), *(gauge(name=str(index)) for index in range(5)))
    assert len(admitted) == 2
    assert rejected == {"too_many_metrics": 3}


def test_cumulative_series_beyond_the_limit_are_refused_and_deltas_are_not() -> None:
    admitted, rejected = admit(SeriesPlaces(2), *(total(str(index), "cumulative") for index in range(5)))
    assert (len(admitted), rejected) == (2, {"too_many_series": 3})
    admitted, rejected = admit(SeriesPlaces(2), *(total(str(index), "delta") for index in range(5)))
    assert (len(admitted), rejected) == (5, {})


def test_series_known_from_before_keep_their_places_and_idle_ones_give_theirs_up() -> None:
    places = SeriesPlaces(2)
    places.seed([gauge(tenant="x"), gauge(tenant="y"), gauge(tenant="z")], NOW_NS)
    admitted, _ = admit(places, gauge(tenant="new"), gauge(tenant="x"))
    assert [one.series.instance for one in admitted] == [OVERFLOW_GROUP, "a"]
    assert places.place(gauge(tenant="new"), NOW_NS + 90_000 * SECOND) == gauge(tenant="new")
