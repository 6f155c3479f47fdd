"""Metrics that were sent or scraped: what there is, its course over time, and how the scraped targets fare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from storage.metric_groups import GaugePoint, GrowthPoint, MetricGroup, metric_groups
from storage.metrics import SeriesStatus, statuses
from storage.statements import storable
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from telemetry.deltas import OVERFLOW_GROUP
from telemetry.errors import NotFoundError
from telemetry.matchers import Matcher, Matchers
from telemetry.metric_names import KNOWN_METRICS
from telemetry.points import Total
from telemetry.windows import BUCKET_NS, NANOS

router = APIRouter(prefix="/api/v1", tags=["metrics"])

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_FRESH_S = 3600.0
_MOST_GROUPS = 100
"""Groups in one answer; a chart with more says nothing."""
_LEAST_STEP_S = 60.0
"""The default step is at least as long as the interval at which OpenTelemetry's exporters send by default."""


@router.get("/metrics", dependencies=needs("read"))
def list_metrics(
    ctx: Annotated[Context, Depends(context)],
    service: str | None = None,
    within: Annotated[
        float, Query(gt=0, le=3.2e7, description="seconds; metrics without points for so long are left out")
    ] = _FRESH_S,
) -> dict[str, Any]:
    """Every metric of every service: unit, kind, labels, and what its newest point said.

    ``last_value`` of a gauge is its value, of a cumulative sum what it counts since its start, of a delta what was
    added; histograms have none.
    """  # fmt: skip
    since_ns = ctx.clock.now_ns() - round(within * NANOS)
    found = statuses(ctx.database, since_ns, service=None if service is None else storable(service))

    def identity(one: SeriesStatus) -> tuple[str, str, str, str]:
        return one.series.name, one.series.service, one.series.kind, one.series.unit

    return {"metrics": [_metric(list(same)) for _, same in groupby(sorted(found, key=identity), key=identity)]}


@router.get("/metrics/{name:path}", dependencies=needs("read"))
def get_metric(
    ctx: Annotated[Context, Depends(context)],
    name: str,
    start: Annotated[float | None, Query(description="seconds since the epoch; default: an hour ago")] = None,
    end: Annotated[float | None, Query(description="seconds since the epoch; default: now")] = None,
    step: Annotated[float | None, Query(gt=0, description="seconds; default: 60 or more, about 120 points")] = None,
    service: str | None = None,
    by: Annotated[str, Query(description="labels to split by, with commas between them")] = "service",
) -> dict[str, Any]:
    """A metric over time, one series for each combination of the labels ``by``; labels are also service and instance.

    Gauges: mean, least, greatest and last value, and the sum over series of each one's mean. Sums: what was added,
    and the rate per second over the time that was observed. Histograms: count, rate, mean and percentiles.
    """
    start_ns, end_ns = ctx.range_ns(start, end, default_s=3600)
    step_ns = ctx.step_ns(step, start_ns, end_ns, least_ns=BUCKET_NS)
    if step is None:
        step_ns = max(step_ns, round(_LEAST_STEP_S * NANOS))
    where = Matchers(() if service is None else (Matcher("service", "=", storable(service)),))
    labels = tuple(filter(None, (one.strip() for one in by.split(","))))
    now_ns = ctx.clock.now_ns()
    groups = metric_groups(
        ctx.database, storable(name), start_ns, end_ns, step_ns, now_ns=now_ns, by=labels, where=where
    )
    if not groups and not statuses(ctx.database, 0, name=storable(name)):
        raise NotFoundError(
            f"there is no metric {name}", where="metrics", remedy="GET /api/v1/metrics lists those of the last hour"
        )
    known = KNOWN_METRICS.get(name)
    return {
        "name": name,
        "title": known.title if known else name,
        "step": step_ns / NANOS,
        "series": [_group(group, step_ns) for group in groups[:_MOST_GROUPS]],
        "left_out": max(0, len(groups) - _MOST_GROUPS),
    }


@router.get("/scrape", dependencies=needs("read"))
def list_targets(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Every scraped target, and how its last scrape went; ``up`` is null before the first."""
    return {
        "targets": [
            {
                "job": one.target.job,
                "url": one.target.url,
                "service": one.target.service,
                "interval": one.target.interval_ns / NANOS,
                "up": None if one.problem is None else not one.problem,
                "problem": one.problem or "",
                "scraped_at": None if one.scraped_ns is None else one.scraped_ns / NANOS,
                "duration": one.duration_s,
                "samples": one.samples,
                "rejected": one.rejected,
            }
            for one in ctx.service.scraping.statuses()
        ]
    }


def _metric(same: Sequence[SeriesStatus]) -> dict[str, Any]:
    """The series of one metric and service as one entry."""
    newest = max(same, key=lambda one: one.last_ns)
    series = newest.series
    known = KNOWN_METRICS.get(series.name)
    return {
        "name": series.name,
        "service": series.service,
        "kind": series.kind,
        "unit": series.unit,
        "title": known.title if known else series.name,
        "role": known.role if known else "other",
        "description": series.description,
        "temporality": series.temporality,
        "series": len(same),
        "labels": sorted({name for one in same for name in one.series.all_labels}),
        "instances": sorted({one.series.instance for one in same if one.series.instance not in ("", OVERFLOW_GROUP)}),
        "overflow": any(OVERFLOW_GROUP in (one.series.instance, one.series.service) for one in same),
        "last_value": _value(newest),
        "last_time": newest.last_ns / NANOS,
    }


def _value(one: SeriesStatus) -> float | None:
    if isinstance(one.last, Total):
        return one.last.value
    return one.last if isinstance(one.last, float) else None


def _group(group: MetricGroup, step_ns: int) -> dict[str, Any]:
    return {
        "labels": dict(group.labels),
        "kind": group.kind,
        "unit": group.unit,
        "series": group.series,
        "points": [
            _gauge(point) if isinstance(point, GaugePoint) else _growth(point, step_ns / NANOS)
            for point in group.points
        ],
    }


def _gauge(point: GaugePoint) -> dict[str, Any]:
    return {
        "t": point.time_ns / NANOS,
        "avg": point.mean,
        "min": point.low,
        "max": point.high,
        "last": point.last,
        "sum": point.total,
    }


def _growth(point: GrowthPoint, step_s: float) -> dict[str, Any]:
    added = point.added
    over_s = point.observed_s or step_s
    if isinstance(added, Total):
        return {"t": point.time_ns / NANOS, "increase": added.value, "rate": added.value / over_s}
    count = added.count
    return {
        "t": point.time_ns / NANOS,
        "count": count,
        "rate": count / over_s,
        "mean": _finite(added.total / count) if count else None,
        **{name: _finite(added.quantile(q)) for name, q in _QUANTILES.items()},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
