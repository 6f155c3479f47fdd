"""Runbooks: which there are, and one filled with an incident's evidence and with what the counters say now."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs

router = APIRouter(prefix="/api/v1", tags=["runbooks"])


@router.get("/runbooks", dependencies=needs("read"))
def list_runbooks(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Every runbook, shipped or your own."""
    return {"runbooks": ctx.service.alerting.runbooks()}


@router.get("/incidents/{incident_id}/runbooks/{name}", dependencies=needs("read"))
def get_runbook(ctx: Annotated[Context, Depends(context)], incident_id: str, name: str) -> dict[str, Any]:
    """A runbook for an incident, as Markdown, its live steps answered now."""
    return ctx.service.alerting.runbook(incident_id, name, ctx.clock.now_ns())
