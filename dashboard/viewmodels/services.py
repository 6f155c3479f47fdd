"""Services: the list with their traffic and errors of the last hour; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row
from dashboard.components.place import Place
from dashboard.documents.collector import Source
from dashboard.documents.traffic import OneSeries, Service
from dashboard.viewmodels.collector import worst_clock

MANY = 6
OVERFLOW = "__overflow__"


def grid(services: Sequence[Service], chosen: str | None, sources: Sequence[Source] = ()) -> Grid:
    """The services, the busiest first; the chosen one is marked. ``sources`` tell of their clocks."""
    senders: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        senders[source.service].append(source)
    busiest = max((one.requests_1h for one in services), default=0.0) or 1.0
    rows = []
    for one in sorted(services, key=lambda service: (-service.requests_1h, service.service)):
        share = one.errors_1h / one.requests_1h if one.requests_1h else None
        rows.append(
            Row(
                one.service,
                [
                    Cell(_called(one.service), sub=_some(one.operations, "operation")),
                    Cell(_some(one.models, "model") or formats.ABSENT),
                    Cell(
                        formats.count(one.requests_1h),
                        sort=one.requests_1h,
                        kind="bar",
                        fill=one.requests_1h / busiest,
                        tone="accent",
                    ),
                    Cell(formats.count(one.errors_1h), sort=one.errors_1h),
                    Cell(formats.percent(share, 2), sort=share),
                    worst_clock(senders[one.service]),
                ],
                Place("services", {"service": one.service}),
                tone="accent" if one.service == chosen else None,
            )
        )
    columns = (
        Column("Service", wrap=True),
        Column("Models", wrap=True),
        Column("Requests, 1 h"),
        Column("Errors, 1 h", "right"),
        Column("Error share", "right"),
        Column("Clock"),
    )
    empty = "No service has sent telemetry yet; point an OpenTelemetry exporter at the collector."
    return Grid("services", columns, rows, empty)


def _called(service: str) -> str:
    return f"{OVERFLOW} (services beyond the limit)" if service == OVERFLOW else service


def series_name(series: OneSeries, by: str) -> str:
    """What a series is called in a chart's legend."""
    return series.labels.get(by) or formats.labels(series.labels) or "unnamed"


def busiest_series(series: Sequence[OneSeries], most: int = 8) -> list[OneSeries]:
    """The series with the most requests; a chart with more lines than colours says nothing."""
    return sorted(series, key=lambda one: -sum(point.count for point in one.points))[:most]


def _some(names: Sequence[str], noun: str) -> str:
    if len(names) <= MANY:
        return ", ".join(names)
    return ", ".join(names[:MANY]) + f" and {len(names) - MANY} more {noun}s"
