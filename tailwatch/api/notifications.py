"""Notifications that were given up: which, why, and once more; those that wait are in ``/api/v1/status``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from storage.audit import Actor
from tailwatch.api.actor import actor_of
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs

router = APIRouter(prefix="/api/v1/notifications", tags=["incidents"])


class Asked(BaseModel, extra="forbid"):
    """Who wants it tried again."""

    author: str = Field(min_length=1, max_length=200)


@router.get("/undelivered", dependencies=needs("read"))
def list_undelivered(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """What was given up and has not been made good by anything later, the latest first, with the reason."""
    return {"undelivered": ctx.service.alerting.undelivered()}


@router.post("/undelivered/retry", dependencies=needs("respond"))
def retry_all(
    ctx: Annotated[Context, Depends(context)], actor: Annotated[Actor, Depends(actor_of)], asked: Asked
) -> dict[str, Any]:
    """Try all of them again."""
    return _retry(ctx, None, asked, actor)


@router.post("/undelivered/{number}/retry", dependencies=needs("respond"))
def retry_one(
    ctx: Annotated[Context, Depends(context)],
    actor: Annotated[Actor, Depends(actor_of)],
    number: Annotated[int, Path(ge=1, lt=2**63)],
    asked: Asked,
) -> dict[str, Any]:
    """Try one of them again."""
    return _retry(ctx, number, asked, actor)


def _retry(ctx: Context, number: int | None, asked: Asked, actor: Actor) -> dict[str, Any]:
    found = ctx.service.alerting.retry_undelivered(number, asked.author, ctx.clock.now_ns(), actor=actor)
    return {"retried": found}
