"""Incidents: the list, one with its evidence and runbook, and what people do to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from tailwatch.api.context import Context, context
from telemetry.errors import NotFoundError

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])


class Act(BaseModel, extra="forbid"):
    """Who does something to an incident, and what they say about it."""

    author: str = Field(min_length=1, max_length=200)
    comment: str = Field("", max_length=10_000)


class Assignment(BaseModel, extra="forbid"):
    """Who puts whom in charge of an incident."""

    author: str = Field(min_length=1, max_length=200)
    assignee: str = Field(min_length=1, max_length=200)


@router.get("")
def list_incidents(
    ctx: Annotated[Context, Depends(context)], status: Literal["open", "acknowledged", "resolved"] | None = None
) -> dict[str, Any]:
    """Incidents, newest first."""
    return {"incidents": ctx.service.alerting.incidents(status)}


@router.get("/{incident_id}")
def get_incident(ctx: Annotated[Context, Depends(context)], incident_id: str) -> dict[str, Any]:
    """One incident with timeline, evidence and its rendered runbook (Markdown)."""
    incident = ctx.service.alerting.incident(incident_id)
    path = ctx.service.reports.path(incident["id"])
    if path.is_file():
        incident["evidence"]["report"] = path.name
    return incident


@router.get("/{incident_id}/report")
def get_report(ctx: Annotated[Context, Depends(context)], incident_id: str) -> FileResponse:
    """The drift report (HTML) of an incident."""
    path = ctx.service.reports.path(str(ctx.service.alerting.incident(incident_id)["id"]))
    if not path.is_file():
        raise NotFoundError(
            f"{incident_id} has no drift report", where="incidents",
            remedy="drift incidents get one within a minute, when tailwatch[drift] is installed and raw rows are kept",
        )  # fmt: skip
    return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": "sandbox allow-scripts"})


@router.post("/{incident_id}/acknowledge")
def acknowledge(ctx: Annotated[Context, Depends(context)], incident_id: str, act: Act) -> dict[str, Any]:
    """Say that somebody works on it."""
    return ctx.service.alerting.acknowledge(incident_id, act.author, act.comment, ctx.clock.now_ns())


@router.post("/{incident_id}/resolve")
def resolve(ctx: Annotated[Context, Depends(context)], incident_id: str, act: Act) -> dict[str, Any]:
    """Say that it is over."""
    return ctx.service.alerting.resolve(incident_id, act.author, act.comment, ctx.clock.now_ns())


@router.post("/{incident_id}/reopen")
def reopen(ctx: Annotated[Context, Depends(context)], incident_id: str, act: Act) -> dict[str, Any]:
    """Say that it is not over after all."""
    return ctx.service.alerting.reopen(incident_id, act.author, act.comment, ctx.clock.now_ns())


@router.post("/{incident_id}/assign")
def assign(ctx: Annotated[Context, Depends(context)], incident_id: str, act: Assignment) -> dict[str, Any]:
    """Put somebody in charge."""
    return ctx.service.alerting.assign(incident_id, act.author, act.assignee, ctx.clock.now_ns())


@router.post("/{incident_id}/comment")
def comment(ctx: Annotated[Context, Depends(context)], incident_id: str, act: Act) -> dict[str, Any]:
    """Write something into the timeline."""
    return ctx.service.alerting.comment(incident_id, act.author, act.comment, ctx.clock.now_ns())
