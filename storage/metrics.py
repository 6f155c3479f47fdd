"""Reads what metric series there are, and the last value of each; their course is in ``storage.metric_groups``."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, and_, func, select

from storage.database import Database
from storage.metric_bodies import decode
from storage.metric_tables import metric_points, metric_series
from storage.statements import chunks
from telemetry.points import GaugeState, Increment, MetricSeries, Quantity, Segment, State
from telemetry.windows import NANOS

SEEN_MARGIN_NS: Final = 2 * 3600 * NANOS
"""A series may have points so much later than its ``seen_ns``, which is brought up to date now and then."""


@dataclass(frozen=True, slots=True)
class SeriesStatus:
    """A series, the time of its last point and what it said; ``last`` of a gauge is its last value."""

    series: MetricSeries
    last_ns: int
    last: float | Quantity


def statuses(db: Database, since_ns: int, *, name: str | None = None, service: str | None = None) -> list[SeriesStatus]:
    """Every series that has points in buckets from ``since_ns`` on, by name, service and labels.

    Raises:
        StorageError: the database cannot be used.
    """
    columns, points = metric_series.c, metric_points.c
    conditions = [columns.seen_ns >= since_ns - SEEN_MARGIN_NS]
    conditions += [columns.name == name] if name is not None else []
    conditions += [columns.service == service] if service is not None else []
    newest = (
        select(func.max(points.bucket_ns))
        .where(points.series_id == columns.id, points.bucket_ns >= since_ns)
        .correlate(metric_series)
        .scalar_subquery()
    )
    query = (
        select(metric_series, points.body)
        .join(metric_points, and_(points.series_id == columns.id, points.bucket_ns == newest))
        .where(*conditions)
        .order_by(columns.id)
    )
    found: list[SeriesStatus] = []
    with db.read() as connection:
        for _, rows in groupby(connection.execute(query), key=lambda row: row.id):
            same = list(rows)
            series = series_of(same[0])
            last = max((_last(decode(bytes(row.body), series.bounds)) for row in same), key=lambda pair: pair[0])
            found.append(SeriesStatus(series, *last))
    return sorted(found, key=lambda one: (one.series.name, one.series.service, one.series.instance, one.series.labels))


def known_series(db: Database, since_ns: int) -> list[MetricSeries]:
    """Every series that was seen from ``since_ns`` on, the latest first.

    Raises:
        StorageError: the database cannot be used.
    """
    columns = metric_series.c
    query = select(metric_series).where(columns.seen_ns >= since_ns).order_by(columns.seen_ns.desc(), columns.id)
    with db.read() as connection:
        return [series_of(row) for row in connection.execute(query)]


def bounds_of(connection: Connection, series: Collection[int]) -> dict[int, tuple[float, ...]]:
    """The bounds of ``series`` by id; those of series without any are left out."""
    columns = metric_series.c
    found: dict[int, tuple[float, ...]] = {}
    for chunk in chunks(sorted(series)):
        rows = connection.execute(
            select(columns.id, columns.bounds).where(columns.id.in_(chunk), columns.kind == "histogram")
        )
        found.update((row.id, tuple(json.loads(row.bounds))) for row in rows)
    return found


def series_of(row: Any) -> MetricSeries:
    """The series of a row of the table."""
    return MetricSeries(
        row.name, row.unit, row.kind, row.temporality, row.service, row.instance, row.labels, row.scope,
        tuple(json.loads(row.bounds)), row.description,
    )  # fmt: skip


def _last(state: State) -> tuple[int, float | Quantity]:
    match state:
        case GaugeState(last_ns=last_ns, last=value):
            return last_ns, value
        case Increment(until_ns=until_ns, quantity=quantity):
            return until_ns, quantity
        case Segment(last_ns=last_ns, last=last):
            return last_ns, last
