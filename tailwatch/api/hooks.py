"""Response hooks: what there is, what a person runs or approves for an incident, and the safety stop."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from storage.audit import Actor
from tailwatch.api.actor import actor_of
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs

router = APIRouter(prefix="/api/v1", tags=["hooks"])


class Said(BaseModel, extra="forbid"):
    """Who does something about a hook, and why."""

    author: str = Field(min_length=1, max_length=200)
    comment: str = Field("", max_length=2000)


@router.get("/hooks", dependencies=needs("read"))
def list_hooks(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Every hook with what it does, why it does not run if it does not, and its latest runs."""
    return ctx.service.alerting.hooks(ctx.clock.now_ns())


@router.post("/hooks/stop", dependencies=needs("respond"))
def stop_all(
    ctx: Annotated[Context, Depends(context)], actor: Annotated[Actor, Depends(actor_of)], said: Said
) -> dict[str, Any]:
    """Stop every hook, also what waits to be sent."""
    return _switch(ctx, "*", said, actor, off=True)


@router.post("/hooks/start", dependencies=needs("admin"))
def start_all(
    ctx: Annotated[Context, Depends(context)], actor: Annotated[Actor, Depends(actor_of)], said: Said
) -> dict[str, Any]:
    """Let hooks run again."""
    return _switch(ctx, "*", said, actor, off=False)


@router.post("/hooks/{name}/stop", dependencies=needs("respond"))
def stop(
    ctx: Annotated[Context, Depends(context)], actor: Annotated[Actor, Depends(actor_of)], name: str, said: Said
) -> dict[str, Any]:
    """Stop one hook."""
    return _switch(ctx, name, said, actor, off=True)


@router.post("/hooks/{name}/start", dependencies=needs("admin"))
def start(
    ctx: Annotated[Context, Depends(context)], actor: Annotated[Actor, Depends(actor_of)], name: str, said: Said
) -> dict[str, Any]:
    """Let one hook run again, also after it paused itself."""
    return _switch(ctx, name, said, actor, off=False)


@router.post("/incidents/{incident_id}/hooks/{name}", dependencies=needs("respond"))
def run(
    ctx: Annotated[Context, Depends(context)],
    actor: Annotated[Actor, Depends(actor_of)],
    incident_id: str,
    name: str,
    said: Said,
) -> dict[str, Any]:
    """Run a hook for an incident, or approve of the run that waits; limits and stops hold for people, too."""
    return ctx.service.alerting.run_hook(incident_id, name, said.author, said.comment, ctx.clock.now_ns(), actor=actor)


@router.post("/incidents/{incident_id}/hooks/{name}/deny", dependencies=needs("respond"))
def deny(
    ctx: Annotated[Context, Depends(context)],
    actor: Annotated[Actor, Depends(actor_of)],
    incident_id: str,
    name: str,
    said: Said,
) -> dict[str, Any]:
    """Have the run that waits for approval not be made."""
    return ctx.service.alerting.deny_hook(incident_id, name, said.author, said.comment, ctx.clock.now_ns(), actor=actor)


def _switch(ctx: Context, name: str, said: Said, actor: Actor, *, off: bool) -> dict[str, Any]:
    return ctx.service.alerting.switch_hook(
        name, off=off, author=said.author, comment=said.comment, now_ns=ctx.clock.now_ns(), actor=actor
    )
