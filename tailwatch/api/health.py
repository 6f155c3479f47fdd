"""Health, readiness and metrics: what machines ask a service about itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs

router = APIRouter(tags=["service"])


@router.get("/healthz", dependencies=needs())
def healthz() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


@router.get("/readyz", dependencies=needs())
def readyz(ctx: Annotated[Context, Depends(context)]) -> JSONResponse:
    """It can take telemetry in and evaluates it; 503 with the reason when it cannot."""
    reason = ctx.service.not_ready()
    if reason:
        return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", response_class=Response, dependencies=needs("read"))
def metrics(ctx: Annotated[Context, Depends(context)]) -> Response:
    """Everything about the service and every SLO, for Prometheus."""
    return Response(generate_latest(ctx.service.registry), media_type=CONTENT_TYPE_LATEST)
