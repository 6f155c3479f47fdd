"""The service's JSON documents about metrics and scraped targets as typed values, in the manner of ``documents``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dashboard.documents.document import Document, Labels

GaugeColumn = Literal["avg", "sum", "max", "last"]
"""What the values of a gauge's series are taken for within a step."""


class Metric(Document):
    """A metric of one service: what it is, and what its newest point said."""

    name: str
    service: str
    kind: Literal["gauge", "sum", "histogram", "exponential_histogram"]
    unit: str = ""
    title: str = ""
    role: str = "other"
    description: str = ""
    series: int = 1
    instances: list[str] = Field(default_factory=list)
    overflow: bool = False
    last_value: float | None = None
    last_time: float


class Metrics(Document):
    """Every metric that was sent or scraped lately."""

    metrics: list[Metric]


class MetricPoint(Document):
    """One step of a metric; which values there are depends on its kind."""

    t: float
    avg: float | None = None
    max: float | None = None
    last: float | None = None
    sum: float | None = None
    rate: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


class MetricSeries(Document):
    """The course of a metric for one combination of labels."""

    labels: Labels = Field(default_factory=dict)
    kind: str
    unit: str = ""
    points: list[MetricPoint]


class MetricCourse(Document):
    """A metric over time."""

    name: str
    step: float
    series: list[MetricSeries]


class Target(Document):
    """A scraped target; `up` is null before the first scrape."""

    job: str
    url: str
    service: str = ""
    up: bool | None = None
    problem: str = ""
    scraped_at: float | None = None
    samples: int = 0
    rejected: int = 0


class Targets(Document):
    """Every scraped target."""

    targets: list[Target]
