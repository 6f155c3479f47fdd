"""Writes metric points and the series they belong to, within the transaction of a commit; it reads none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from storage.metric_bodies import encode
from storage.metric_tables import metric_points, metric_series
from storage.statements import insert_into, insert_rows, storable
from telemetry.points import MetricPoint, MetricSeries, merge_points
from telemetry.windows import BUCKET_NS, NANOS

_SEEN_EVERY_NS: Final = 3600 * NANOS
"""A series' ``seen_ns`` is brought up to date this often: retention needs no better, and a write costs."""
_SERIES_AT_ONCE: Final = 50
"""Rows in one VALUES clause: twelve columns each."""


def insert_points(connection: Connection, points: Iterable[MetricPoint], now_ns: int) -> None:
    """Insert ``points``, those of one series, bucket and start merged first."""
    merged = merge_points(replace(point, series=_storable(point.series)) for point in points)
    _note_series(connection, {point.series.id: point.series for point in merged}, now_ns)
    insert_rows(
        connection,
        metric_points,
        ("series_id", "bucket_ns", "width_ns", "start_ns", "body"),
        [(point.series.id, point.bucket_ns, BUCKET_NS, point.start_ns, encode(point.state)) for point in merged],
    )


def _storable(series: MetricSeries) -> MetricSeries:
    """``series`` as both engines can keep it, before its id is taken, so that the id is of what is stored."""
    texts = (series.name, series.unit, series.service, series.instance, series.labels, series.scope)
    if all(text.isascii() and "\0" not in text for text in (*texts, series.description)):
        return series
    name, unit, service, instance, labels, scope = (storable(text) for text in texts)
    return replace(
        series, name=name, unit=unit, service=service, instance=instance, labels=labels, scope=scope,
        description=storable(series.description),
    )  # fmt: skip


def _note_series(connection: Connection, series: dict[int, MetricSeries], now_ns: int) -> None:
    """In the order of their ids, lest two collectors wait for each other."""
    numbers = sorted(series)
    for start in range(0, len(numbers), _SERIES_AT_ONCE):
        some = numbers[start : start + _SERIES_AT_ONCE]
        _upsert(connection, [_row(number, series[number], now_ns) for number in some])


def _upsert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    statement = insert_into(connection, metric_series).values(rows)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={"seen_ns": statement.excluded.seen_ns},
            where=metric_series.c.seen_ns < statement.excluded.seen_ns - _SEEN_EVERY_NS,
        )
    )


def _row(number: int, series: MetricSeries, now_ns: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": series.name,
        "unit": series.unit,
        "kind": series.kind,
        "temporality": series.temporality,
        "service": series.service,
        "instance": series.instance,
        "labels": series.labels,
        "scope": series.scope,
        "bounds": json.dumps(series.bounds),
        "description": series.description,
        "seen_ns": now_ns,
    }
