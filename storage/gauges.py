"""Reads the values of named gauges bucket by bucket, for those who judge them; it judges none."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, select

from storage.database import Database, Moment
from storage.metric_bodies import decode
from storage.metric_tables import metric_points, metric_series
from storage.metrics import SEEN_MARGIN_NS, series_of
from storage.statements import chunks
from telemetry.gauges import GaugeReading
from telemetry.points import GaugeState, MetricSeries
from telemetry.windows import BUCKET_NS


def gauge_readings(
    db: Database | Moment, names: Collection[str], services: Collection[str], start_ns: int, end_ns: int
) -> list[GaugeReading]:
    """What is stored of the gauges called ``names`` of ``services`` in buckets of [start, end).

    What was folded to wider buckets is left out.

    Raises:
        StorageError: the database cannot be used.
    """
    fine = metric_points.c.width_ns == BUCKET_NS
    return [one for one, _ in _stored(db, names, services, start_ns, end_ns, fine)]


def gauge_history(
    db: Database | Moment, names: Collection[str], services: Collection[str], start_ns: int, end_ns: int
) -> list[tuple[GaugeReading, int]]:
    """The same, folded or not, each with the width of its bucket (ns).

    Raises:
        StorageError: the database cannot be used.
    """
    return _stored(db, names, services, start_ns, end_ns)


def _stored(
    db: Database | Moment,
    names: Collection[str],
    services: Collection[str],
    start_ns: int,
    end_ns: int,
    *conditions: ColumnElement[bool],
) -> list[tuple[GaugeReading, int]]:
    of_series, of_points = metric_series.c, metric_points.c
    states: dict[tuple[MetricSeries, int, int], GaugeState] = {}
    with db.read() as connection:
        found = connection.execute(
            select(metric_series).where(
                of_series.name.in_(sorted(names)),
                of_series.service.in_(sorted(services)),
                of_series.kind == "gauge",
                of_series.seen_ns >= start_ns - SEEN_MARGIN_NS,
            )
        )
        series = {one.id: one for one in map(series_of, found)}
        for chunk in chunks(sorted(series)):
            rows = connection.execute(
                select(of_points.series_id, of_points.bucket_ns, of_points.width_ns, of_points.body).where(
                    of_points.series_id.in_(chunk),
                    of_points.bucket_ns >= start_ns,
                    of_points.bucket_ns < end_ns,
                    *conditions,
                )
            )
            for number, bucket_ns, width_ns, body in rows:
                state = decode(bytes(body), ())
                assert isinstance(state, GaugeState)
                key = series[number], bucket_ns, width_ns
                before = states.get(key)
                states[key] = state if before is None else before.merged(state)
    return [(GaugeReading(one, bucket_ns, state), width_ns) for (one, bucket_ns, width_ns), state in states.items()]
