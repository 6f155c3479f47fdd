"""Saturation: which metrics of a service say how full it is, in a fixed order, and what its targets say; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Literal

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row
from dashboard.components.place import Place
from dashboard.documents.metrics import Metric, MetricSeries, Target

ROLES = {
    "queue_depth": "Queue",
    "running": "Running",
    "queue_time": "Time in queue",
    "batch_size": "Batch size",
    "kv_cache_usage": "KV cache",
    "preemptions": "Preemptions",
    "gpu_utilisation": "GPU",
    "gpu_memory": "GPU memory",
    "gpu_power": "GPU power",
    "gpu_temperature": "GPU temperature",
    "cpu_utilisation": "CPU",
    "memory": "Memory",
    "latency": "Latency",
    "throughput": "Throughput",
}
"""What is shown first, in this order."""

_ADDING = frozenset({"queue_depth", "running"})

SILENT_S = 180.0
"""A metric that is silent for longer is marked: three export intervals of OpenTelemetry's SDKs."""

CHARTS = 12
EMPTY = (
    "No service has sent metrics within the last hour. Point an OpenTelemetry metrics exporter at the collector, "
    "or name vLLM, Triton or the DCGM exporter in scrape_file."
)
NO_SATURATION = "None of this service's metrics is known to say how full it is; all of them are listed below."


def services(metrics: Sequence[Metric]) -> list[str]:
    """Services with metrics, those first that say how full they are."""
    telling = {one.service for one in metrics if one.role in ROLES}
    return sorted({one.service for one in metrics}, key=lambda name: (name not in telling, name))


def shown(metrics: Sequence[Metric], service: str, asked: str | None) -> list[Metric]:
    """The metrics of ``service`` to draw: the one that was asked for, then those that say how full it is."""
    order = list(ROLES)
    own = [one for one in metrics if one.service == service]
    telling = sorted((one for one in own if one.role in ROLES), key=lambda one: (order.index(one.role), one.name))
    chosen = [one for one in own if one.name == asked]
    return [*chosen, *(one for one in telling if one.name != asked)][:CHARTS]


def grid(metrics: Sequence[Metric], service: str, now: float, asked: str | None) -> Grid:
    """Every metric of the service with its newest value."""
    order = list(ROLES)
    own = sorted(
        (one for one in metrics if one.service == service),
        key=lambda one: (order.index(one.role) if one.role in ROLES else len(order), one.name),
    )
    rows = [
        Row(
            f"{one.name} {one.kind} {one.unit}",
            [
                Cell(title(one), sub=one.name if title(one) != one.name else one.description),
                Cell(ROLES.get(one.role, formats.ABSENT)),
                Cell(formats.words(one.kind)),
                Cell(formats.quantity(one.last_value, one.unit, one.role), sort=one.last_value),
                Cell(_series(one), sort=one.series),
                Cell(
                    formats.ago(one.last_time, now),
                    sort=one.last_time,
                    tone="silent" if now - one.last_time > SILENT_S else None,
                ),
            ],
            Place("saturation", {"service": service, "metric": one.name}),
            tone="accent" if one.name == asked else None,
        )
        for one in own
    ]
    columns = (
        Column("Metric", wrap=True),
        Column("Says"),
        Column("Kind"),
        Column("Newest value", "right"),
        Column("Series", "right"),
        Column("Last point", "right"),
    )
    return Grid("metrics", columns, rows, EMPTY)


def target_grid(targets: Sequence[Target], now: float, zone: tzinfo) -> Grid:
    """Every scraped target, those that are down first."""
    rows = [
        Row(
            one.url,
            [
                Cell(one.job, sub=one.service if one.service != one.job else ""),
                Cell(one.url, kind="mono"),
                _state(one),
                Cell(one.problem or formats.ABSENT),
                Cell(
                    formats.count(one.samples), sort=one.samples, sub=f"{one.rejected} rejected" if one.rejected else ""
                ),
                Cell(formats.clock(one.scraped_at, zone, now), sort=one.scraped_at),
            ],
        )
        for one in sorted(targets, key=lambda target: (target.up is not False, target.job, target.url))
    ]
    columns = (
        Column("Job"),
        Column("Address", wrap=True),
        Column("State"),
        Column("Problem", wrap=True),
        Column("Samples", "right"),
        Column("Last scrape", "right"),
    )
    return Grid("targets", columns, rows, "No target is scraped.")


def title(metric: Metric) -> str:
    """What a metric is called."""
    return metric.title or metric.name


def split(metric: Metric) -> str:
    """The label that a chart has a line for; a histogram's lines are its percentiles, over all instances."""
    return "instance" if len(metric.instances) > 1 and metric.kind in ("gauge", "sum") else "service"


def gauge_column(metric: Metric) -> Literal["avg", "sum"]:
    """Whether the values of a gauge's series add up, as requests of several models do."""
    return "sum" if metric.role in _ADDING else "avg"


def chart_note(metric: Metric) -> str:
    """How the values of a chart are to be read."""
    gauge = "sum" if gauge_column(metric) == "sum" else "mean"
    how = {"gauge": gauge, "sum": "per second"}.get(metric.kind, "percentiles")
    return f"{metric.name}, {how}" + (", by instance" if split(metric) == "instance" else "")


def series_name(series: MetricSeries) -> str:
    """What a series is called in a chart's legend."""
    return formats.labels({key: value for key, value in series.labels.items() if value}).partition("=")[2]


def _series(metric: Metric) -> str:
    return f"{metric.series} with __overflow__" if metric.overflow else str(metric.series)


def _state(target: Target) -> Cell:
    if target.up is None:
        return Cell("Not yet scraped", kind="pill", tone="silent")
    return Cell("Up", kind="pill", tone="ok") if target.up else Cell("Down", kind="pill", tone="exhausted")
