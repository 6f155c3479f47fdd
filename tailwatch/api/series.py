"""Percentiles, heatmaps and the list of services: what the built-in series rule gathered, merged on read."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from detectors.slo.calendar import DEFAULT_ZONE, is_zone
from storage.series import MeasureSeries, heatmap, measure_series
from storage.services import services
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from tailwatch.spending import month_end_spend
from telemetry.errors import TailwatchError
from telemetry.matchers import Matcher, Matchers
from telemetry.rules import SERIES_MEASURES, SERIES_RULE
from telemetry.windows import BUCKET_NS, NANOS

router = APIRouter(prefix="/api/v1", tags=["series"])

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}

Start = Annotated[float | None, Query(description="seconds since the epoch; default: an hour ago")]
End = Annotated[float | None, Query(description="seconds since the epoch; default: now")]
Step = Annotated[float | None, Query(gt=0, description="seconds; default: about 120 points")]


def selection(
    service: str | None = None,
    operation: str | None = None,
    model: str | None = None,
    model_version: str | None = None,
    input_type: str | None = None,
    environment: str | None = None,
) -> Matchers:
    """Which series to read."""
    wanted = {
        "service": service, "operation": operation, "model": model, "model_version": model_version,
        "input_type": input_type, "environment": environment,
    }  # fmt: skip
    return Matchers(tuple(Matcher(name, "=", value) for name, value in wanted.items() if value is not None))


@router.get("/series", dependencies=needs("read"))
def get_series(
    ctx: Annotated[Context, Depends(context)],
    where: Annotated[Matchers, Depends(selection)],
    measure: str = "duration",
    start: Start = None,
    end: End = None,
    step: Step = None,
    by: Annotated[str, Query(description="labels to split by, with commas between them")] = "",
) -> dict[str, Any]:
    """Count, errors, sum and percentiles of a measure over time (s, USD or 1, as the measure is)."""
    _check_measure(measure)
    labels = tuple(label for label in by.split(",") if label)
    unknown = set(labels) - set(SERIES_RULE.per)
    if unknown:
        raise TailwatchError(
            f"series have no label {', '.join(sorted(unknown))}", where="by",
            remedy=f"the labels are {', '.join(SERIES_RULE.per)}",
        )  # fmt: skip
    start_ns, end_ns = ctx.range_ns(start, end, default_s=3600)
    step_ns = ctx.step_ns(step, start_ns, end_ns, least_ns=BUCKET_NS)
    found = measure_series(ctx.database, measure, start_ns, end_ns, step_ns, by=labels, where=where)
    return {
        "measure": measure,
        "step": step_ns / NANOS,
        "series": [{"labels": dict(one.labels), "points": _points(one)} for one in found],
    }


@router.get("/heatmap", dependencies=needs("read"))
def get_heatmap(
    ctx: Annotated[Context, Depends(context)],
    where: Annotated[Matchers, Depends(selection)],
    measure: str = "duration",
    start: Start = None,
    end: End = None,
    step: Step = None,
) -> dict[str, Any]:
    """How the values of a measure spread over time: counts per step between logarithmic edges."""
    _check_measure(measure)
    start_ns, end_ns = ctx.range_ns(start, end, default_s=3600)
    step_ns = ctx.step_ns(step, start_ns, end_ns, least_ns=BUCKET_NS)
    found = heatmap(ctx.database, measure, start_ns, end_ns, step_ns, where=where)
    return {
        "measure": measure,
        "step": step_ns / NANOS,
        "t": (found.time_ns / NANOS).tolist(),
        "edges": found.edges.tolist(),
        "counts": found.counts.tolist(),
    }


@router.get("/services", dependencies=needs("read"))
def get_services(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Services that sent inference calls within the last hour."""
    start_ns, end_ns = ctx.range_ns(None, None, default_s=3600)
    return {
        "services": [
            {
                "service": one.service,
                "operations": one.operations,
                "models": one.models,
                "environments": one.environments,
                "requests_1h": one.requests,
                "errors_1h": one.errors,
            }
            for one in services(ctx.database, start_ns, end_ns)
        ]
    }


@router.get("/services/calls", dependencies=needs("read"))
def get_calls(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Which service calls which, as declared and as traces have shown; their alerts may be one incident."""
    return {"calls": ctx.service.calls.document()}


@router.get("/services/{service}/spend", dependencies=needs("read"))
def get_spend(
    ctx: Annotated[Context, Depends(context)],
    service: str,
    timezone: Annotated[str, Query(description="IANA name of the zone whose month it is")] = DEFAULT_ZONE,
    limit: Annotated[float | None, Query(gt=0, allow_inf_nan=False, description="USD that shall not be passed")] = None,
) -> dict[str, Any]:
    """What a service's requests have cost this month, and will have cost at its end, with an 80 % interval."""
    if not is_zone(timezone):
        raise TailwatchError(f"there is no time zone {timezone}", where="timezone", remedy="write Europe/Berlin or UTC")
    return month_end_spend(ctx.database, service, timezone=timezone, limit=limit, now_ns=ctx.clock.now_ns())


def _check_measure(measure: str) -> None:
    if measure not in SERIES_MEASURES:
        raise TailwatchError(
            f"there is no measure {measure}", where="measure", remedy=f"the measures are {', '.join(SERIES_MEASURES)}"
        )


def _points(series: MeasureSeries) -> list[dict[str, Any]]:
    points = []
    for place, time_ns in enumerate(series.time_ns.tolist()):
        total = int(series.total[place])
        if not total:
            continue
        sketch = series.sketches[place]
        values = {"sum": sketch.total}
        values |= zip(_QUANTILES, sketch.quantiles(list(_QUANTILES.values())), strict=True)
        points.append({
            "t": time_ns / NANOS,
            "count": total,
            "errors": total - int(series.good[place]),
            "measured": sketch.count,
            **{name: value if math.isfinite(value) else None for name, value in values.items()},
        })  # fmt: skip
    return points
