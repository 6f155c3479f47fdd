"""Incidents: the list, one with its evidence and runbook, and what people do to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel, Field

from alerting.postmortem_charts import BUDGET_LEFT, Curve, Graphs
from storage.audit import Actor
from tailwatch.api.actor import actor_of
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from telemetry.errors import NotFoundError
from telemetry.findings import Severity
from telemetry.windows import BUCKET_NS, NANOS, format_duration

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])

Ctx = Annotated[Context, Depends(context)]
By = Annotated[Actor, Depends(actor_of)]


class Act(BaseModel, extra="forbid"):
    """Who does something to an incident, and what they say about it."""

    author: str = Field(min_length=1, max_length=200)
    comment: str = Field("", max_length=10_000)


class Snooze(Act):
    """Until when somebody does not want to hear of an incident."""

    until: float = Field(gt=0, lt=4e9, description="seconds since the epoch")


class Merge(Act):
    """Into which incident another shall go."""

    into: str = Field(min_length=1, max_length=50, description="id of an incident that is not resolved")


class Reclassification(Act):
    """How grave somebody says that an incident is."""

    severity: Severity


class Assignment(BaseModel, extra="forbid"):
    """Who puts whom in charge of an incident; null relieves whoever was."""

    author: str = Field(min_length=1, max_length=200)
    assignee: str | None = Field(min_length=1, max_length=200)


@router.get("", dependencies=needs("read"))
def list_incidents(ctx: Ctx, status: Literal["open", "acknowledged", "resolved"] | None = None) -> dict[str, Any]:
    """Incidents, newest first; ``suppressed`` says how many alerts are silenced, inhibited or muted, and by what."""
    return {"incidents": ctx.service.alerting.incidents(status, now_ns=ctx.clock.now_ns())}


@router.get("/{incident_id}", dependencies=needs("read"))
def get_incident(ctx: Ctx, incident_id: str) -> dict[str, Any]:
    """One incident with timeline, evidence and its rendered runbook (Markdown)."""
    incident = ctx.service.alerting.incident(incident_id, ctx.clock.now_ns())
    path = ctx.service.reports.path(incident["id"])
    if path.is_file():
        incident["evidence"]["report"] = path.name
    return incident


@router.get("/{incident_id}/report", dependencies=needs("read"))
def get_report(ctx: Ctx, incident_id: str) -> FileResponse:
    """The drift report (HTML) of an incident."""
    path = ctx.service.reports.path(str(ctx.service.alerting.incident(incident_id)["id"]))
    if not path.is_file():
        raise NotFoundError(
            f"{incident_id} has no drift report", where="incidents",
            remedy="drift incidents get one within a minute, when tailwatch[drift] is installed and raw rows are kept",
        )  # fmt: skip
    return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": "sandbox allow-scripts"})


@router.get("/{incident_id}/postmortem", response_class=PlainTextResponse, dependencies=needs("read"))
def get_postmortem(ctx: Ctx, incident_id: str, graphs: Graphs = "mermaid") -> PlainTextResponse:
    """A post-mortem drafted from the incident, as Markdown; its graphs are Mermaid or, within the text, SVG."""
    now_ns = ctx.clock.now_ns()
    text = ctx.service.alerting.postmortem(incident_id, _curves(ctx, incident_id, now_ns), now_ns, graphs)
    return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")


@router.post("/{incident_id}/acknowledge", dependencies=needs("respond"))
def acknowledge(ctx: Ctx, actor: By, incident_id: str, act: Act) -> dict[str, Any]:
    """Say that somebody works on it."""
    return ctx.service.alerting.acknowledge(incident_id, act.author, act.comment, ctx.clock.now_ns(), actor=actor)


@router.post("/{incident_id}/snooze", dependencies=needs("respond"))
def snooze(ctx: Ctx, actor: By, incident_id: str, act: Snooze) -> dict[str, Any]:
    """Acknowledge it until a time; if it still goes on then, it is open again, and told."""
    until_ns, now_ns = round(act.until * NANOS), ctx.clock.now_ns()
    return ctx.service.alerting.snooze(incident_id, act.author, act.comment, until_ns, now_ns, actor=actor)


@router.post("/{incident_id}/resolve", dependencies=needs("respond"))
def resolve(ctx: Ctx, actor: By, incident_id: str, act: Act) -> dict[str, Any]:
    """Say that it is over."""
    return ctx.service.alerting.resolve(incident_id, act.author, act.comment, ctx.clock.now_ns(), actor=actor)


@router.post("/{incident_id}/reopen", dependencies=needs("respond"))
def reopen(ctx: Ctx, actor: By, incident_id: str, act: Act) -> dict[str, Any]:
    """Say that it is not over after all."""
    return ctx.service.alerting.reopen(incident_id, act.author, act.comment, ctx.clock.now_ns(), actor=actor)


@router.post("/{incident_id}/assign", dependencies=needs("respond"))
def assign(ctx: Ctx, actor: By, incident_id: str, act: Assignment) -> dict[str, Any]:
    """Put somebody in charge, or nobody any more."""
    return ctx.service.alerting.assign(incident_id, act.author, act.assignee, ctx.clock.now_ns(), actor=actor)


@router.post("/{incident_id}/comment", dependencies=needs("respond"))
def comment(ctx: Ctx, actor: By, incident_id: str, act: Act) -> dict[str, Any]:
    """Write something into the timeline."""
    return ctx.service.alerting.comment(incident_id, act.author, act.comment, ctx.clock.now_ns(), actor=actor)


@router.post("/{incident_id}/reclassify", dependencies=needs("respond"))
def reclassify(ctx: Ctx, actor: By, incident_id: str, act: Reclassification) -> dict[str, Any]:
    """Say that it is worth a page, or only a ticket."""
    now_ns = ctx.clock.now_ns()
    return ctx.service.alerting.reclassify(incident_id, act.author, act.severity, act.comment, now_ns, actor=actor)


@router.post("/{incident_id}/merge", dependencies=needs("respond"))
def merge(ctx: Ctx, actor: By, incident_id: str, act: Merge) -> dict[str, Any]:
    """Let another incident go on with everything that this one has; there is no way back."""
    now_ns = ctx.clock.now_ns()
    return ctx.service.alerting.merge(incident_id, act.into, act.author, act.comment, now_ns, actor=actor)


def _curves(ctx: Context, incident_id: str, now_ns: int) -> list[Curve]:
    """Of the incident's SLO and group the budget, what was bad and how much there was.

    From an hour before it to an hour after it, as far as it is held.
    """
    incident = ctx.service.alerting.incident(incident_id)
    slo = ctx.service.slo(incident["slo"])
    if slo is None:
        return []
    group = incident["evidence"].get("group")
    end_s = incident["resolved_at"] or now_ns / NANOS
    start_ns, end_ns = round((incident["opened_at"] - 3600) * NANOS), min(round((end_s + 3600) * NANOS), now_ns)
    try:
        step_ns = ctx.step_ns(None, start_ns, end_ns, least_ns=BUCKET_NS)
        points = ctx.service.evaluator.budget_curve(
            slo.name, group or {}, start_ns=start_ns, end_ns=end_ns, step_ns=step_ns
        )
    except NotFoundError:
        return []
    step = format_duration(step_ns)
    left = [(point.time_ns / NANOS, 100 * point.remaining) for point in points if point.remaining is not None]
    counted = [point for point in points if point.total]
    bad = [(point.time_ns / NANOS, 100 * (point.total - point.good) / point.total) for point in counted]
    total = [(point.time_ns / NANOS, point.total / slo.unit) for point in points]
    return [
        Curve(f"Error budget of {slo.name}", BUDGET_LEFT, left),
        Curve(f"Bad share of {slo.name} in each {step}", "%", bad),
        Curve(f"What {slo.name} counted in each {step}", "events", total),
    ]
