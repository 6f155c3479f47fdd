"""SLOs: their status as last evaluated, their budget over time, and the exact counts behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from detectors.slo.calendar import is_zone
from detectors.slo.compile import rule_id, slices_rule_id
from detectors.slo.spec import Slo
from storage.rollups import sli_totals
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from tailwatch.forecasts import document_of, forecast_group, zone_of
from tailwatch.overflow import is_overflow
from telemetry.deltas import group_key
from telemetry.errors import NotFoundError, TailwatchError
from telemetry.windows import BUCKET_NS, NANOS

router = APIRouter(prefix="/api/v1", tags=["SLOs"])

Start = Annotated[
    float | None, Query(description="seconds since the epoch; default: the SLO's window ago, or its period's start")
]
End = Annotated[float | None, Query(description="seconds since the epoch; default: now")]


@router.get("/slos", dependencies=needs("read"))
def list_slos(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Every SLO with state, budget, burn rates and alerts of each group; ``overflow`` when not all have a group."""
    return {"slos": [_slo(ctx, document) for document in ctx.service.evaluator.statuses().values()]}


@router.get("/slos/{name}", dependencies=needs("read"))
def get_slo(ctx: Annotated[Context, Depends(context)], name: str) -> dict[str, Any]:
    """One SLO."""
    statuses = ctx.service.evaluator.statuses()
    if name not in statuses:
        raise _unknown(name)
    return _slo(ctx, statuses[name])


@router.get("/slos/{name}/history", dependencies=needs("read"))
def get_history(
    ctx: Annotated[Context, Depends(context)],
    name: str,
    start: Start = None,
    end: End = None,
    step: Annotated[float | None, Query(gt=0, description="seconds; default: about 120 points")] = None,
    group: Annotated[str, Query(description='labels of the group as JSON, such as {"input_type":"code"}')] = "{}",
) -> dict[str, Any]:
    """Counts, SLI, burn and remaining budget of one group, a point per step; the calendar periods in the range."""
    slo = ctx.service.slo(name)
    if slo is None:
        raise _unknown(name)
    start_ns, end_ns = _range(ctx, slo, start, end)
    step_ns = ctx.step_ns(step, start_ns, end_ns, least_ns=BUCKET_NS)
    if start is None:
        # Whole steps back from the end: the newest counts are what is looked for.
        start_ns = end_ns - (end_ns - start_ns) // step_ns * step_ns
    points = ctx.service.evaluator.budget_curve(name, _labels(group), start_ns=start_ns, end_ns=end_ns, step_ns=step_ns)
    return {
        "points": [
            {
                "t": point.time_ns / NANOS,
                "good": _whole(point.good, slo.unit),
                "total": _whole(point.total, slo.unit),
                "sli": point.good / point.total if point.total and slo.allowance is None else None,
                "burn": point.burn,
                "budget_remaining": point.remaining,
            }
            for point in points
        ],
        "periods": [
            {"start": period.start_ns / NANOS, "end": period.end_ns / NANOS}
            for period in (slo.calendar.periods(start_ns, end_ns) if slo.calendar else ())
        ],
    }


@router.get("/slos/{name}/forecast", dependencies=needs("read"))
def get_forecast(
    ctx: Annotated[Context, Depends(context)],
    name: str,
    group: Annotated[str, Query(description='labels of the group as JSON, such as {"input_type":"code"}')] = "{}",
    timezone: Annotated[str | None, Query(description="IANA name of the zone of the sentence's times")] = None,
) -> dict[str, Any]:
    """When the budget of one group will be exhausted and what will be left of it, with 80 % intervals.

    ``enough_data`` is false, with the reason, where there is too little history to say anything.
    """
    slo = ctx.service.slo(name)
    if slo is None:
        raise _unknown(name)
    if timezone is not None and not is_zone(timezone):
        raise TailwatchError(f"there is no time zone {timezone}", where="timezone", remedy="write Europe/Berlin or UTC")
    found = forecast_group(ctx.database, slo, group_key(_labels(group)), ctx.clock.now_ns())
    return {"slo": name, "group": _labels(group), **document_of(found, timezone or zone_of(slo))}


@router.get("/slis/{name}", dependencies=needs("read"))
def get_sli(
    ctx: Annotated[Context, Depends(context)], name: str, start: Start = None, end: End = None
) -> dict[str, Any]:
    """Exact good and total events per group over [start, end), from the counters.

    For quantile and drift SLOs, and budgets for timeslices, these are time slices; for spend, total is the dollars
    that were spent. Older counts are folded to 5 min
    and 1 h, and count where their bucket starts.
    """
    slo = ctx.service.slo(name)
    if slo is None:
        raise _unknown(name)
    start_ns, end_ns = _range(ctx, slo, start, end)
    rule = rule_id(slo) if slo.slice_ns is None else slices_rule_id(slo)
    totals = sli_totals(ctx.database, rule, start_ns, end_ns)
    return {
        "slo": name,
        "start": start_ns / NANOS,
        "end": end_ns / NANOS,
        "groups": [
            {"group": dict(one.labels), "good": _whole(one.good, slo.unit), "total": _whole(one.total, slo.unit)}
            for one in totals
        ],
    }


def _range(ctx: Context, slo: Slo, start: float | None, end: float | None) -> tuple[int, int]:
    """The range asked for, in ns; it begins with the window or period that its end lies in where no start is given."""
    if start is not None or slo.calendar is None:
        return ctx.range_ns(start, end, default_s=slo.window_s)
    _, end_ns = ctx.range_ns(None, end, default_s=slo.window_s)
    return ctx.range_ns(slo.window_start_ns(end_ns - 1) / NANOS, end, default_s=slo.window_s)


def _whole(count: int, unit: int) -> float:
    """Counts in parts as events or slices."""
    return count if unit == 1 else count / unit


def _slo(ctx: Context, document: Mapping[str, Any]) -> dict[str, Any]:
    """The status with how many of the window's events are counted in no group of their own."""
    events = sum(group["total"] for group in document["groups"] if is_overflow(group["group"]))
    limit = ctx.service.settings.max_groups
    overflow = {"events": events, "limit": limit} if events else None
    document = ctx.service.estimates.shown_in(dict(document))
    return {**ctx.service.forecasts.beside(document), "overflow": overflow}


def _labels(text: str) -> dict[str, str]:
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError):
        labels = None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise TailwatchError(
            f"{text!r} is not a JSON object of texts", where="group", remedy='write {"label": "value"}, URL-encoded'
        )
    return labels


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"there is no SLO {name}", where="slos", remedy="GET /api/v1/slos lists them")
