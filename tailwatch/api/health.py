"""Health, readiness, metrics, and what the service says about itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import tailwatch
from collector.counters import Counters
from tailwatch.api.context import Context, context
from telemetry.windows import NANOS

router = APIRouter(tags=["service"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(ctx: Annotated[Context, Depends(context)]) -> JSONResponse:
    """It can take telemetry in and evaluates it; 503 with the reason when it cannot."""
    reason = ctx.service.not_ready()
    if reason:
        return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", response_class=Response)
def metrics(ctx: Annotated[Context, Depends(context)]) -> Response:
    """Everything about the service and every SLO, for Prometheus."""
    return Response(generate_latest(ctx.service.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/v1/status")
def status(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Version, database, counters since the start, receivers, warnings about the configuration, last evaluation."""
    service = ctx.service
    last = service.evaluator.last
    return {
        "version": tailwatch.__version__,
        "started_at": service.started_ns / NANOS,
        "now": ctx.clock.now_ns() / NANOS,
        "database": ctx.database.name,
        "counters": _counters(service.intake.counters()),
        "overflowed": dict(service.overflowed()),
        "receivers": [
            {
                "receiver": one.receiver,
                "pending": one.pending,
                "failing_since": None if one.waiting_since_ns is None else one.waiting_since_ns / NANOS,
                "last_error": one.last_error,
            }
            for one in service.alerting.health()
        ],
        "config_problems": [str(problem) for problem in service.warnings()],
        "last_evaluation": None if last is None else {"at": last.at_ns / NANOS, "duration_s": last.duration_s},
    }


def _counters(counters: Counters) -> dict[str, Any]:
    """By name; tables by text, since JSON has no other keys (and ``asdict`` would count the pairs of a Counter)."""
    values = {one.name: getattr(counters, one.name) for one in fields(counters)}
    return {
        name: {str(key): count for key, count in value.items()} if isinstance(value, Counter) else value
        for name, value in values.items()
    }
