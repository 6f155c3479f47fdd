"""Requests in figures: courses and distributions of a measure, and the services that were asked."""

from __future__ import annotations

from pydantic import Field

from dashboard.documents.document import Document, Labels


class SeriesPoint(Document):
    """Counts and percentiles of one step; percentiles are null where nothing was measured."""

    t: float
    count: float = 0
    errors: float = 0
    sum: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


class OneSeries(Document):
    """The course of one measure for one combination of labels."""

    labels: Labels = Field(default_factory=dict)
    points: list[SeriesPoint]


class Series(Document):
    """The courses of one measure."""

    series: list[OneSeries]


class Heatmap(Document):
    """Counts per time step and bin: `counts[i][j]` lies in `edges[j]..edges[j + 1]` at `t[i]`."""

    t: list[float]
    edges: list[float]
    counts: list[list[float]]


class Service(Document):
    """A service that sends telemetry."""

    service: str
    operations: list[str] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    requests_1h: float = 0
    errors_1h: float = 0


class Services(Document):
    """Every service that sent telemetry lately."""

    services: list[Service]
