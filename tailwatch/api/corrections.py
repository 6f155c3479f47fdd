"""Budget corrections: made, cancelled, listed, and every change that was ever made to them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from storage import corrections
from storage.audit import Actor
from tailwatch.api.actor import actor_of
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from tailwatch.correcting import check_slos
from telemetry.corrections import LONGEST_TEXT, Cancellation, NewCorrection, audit, told
from telemetry.windows import NANOS

router = APIRouter(prefix="/api/v1/corrections", tags=["SLOs"])

_MOST = 200

By = Annotated[Actor, Depends(actor_of)]


class Asked(BaseModel, extra="forbid"):
    """A time that shall count in no budget: of the SLOs named, of the groups that match, or both."""

    start: float = Field(description="seconds since the epoch, past or to come", allow_inf_nan=False, le=4e9, ge=0)
    end: float = Field(description="seconds since the epoch", allow_inf_nan=False, le=4e9, ge=0)
    slos: list[str] = Field(default_factory=list, max_length=_MOST)
    matchers: list[str] = Field(
        default_factory=list, max_length=_MOST, description='on slo, service and group labels: service="chat"'
    )
    author: str = Field(min_length=1, max_length=LONGEST_TEXT)
    reason: str = Field(min_length=1, max_length=LONGEST_TEXT)


class Ending(BaseModel, extra="forbid"):
    """Who takes a correction back, and why."""

    author: str = Field(min_length=1, max_length=LONGEST_TEXT)
    reason: str = Field(min_length=1, max_length=LONGEST_TEXT)


@router.get("", dependencies=needs("read"))
def list_corrections(
    ctx: Annotated[Context, Depends(context)],
    slo: Annotated[str | None, Query(description="only those that may be about this SLO")] = None,
) -> dict[str, Any]:
    """Every correction, cancelled ones too, newest first; and the audit trail, oldest change first."""
    found = corrections.load(ctx.database)
    if slo is not None:
        found = tuple(one for one in found if not one.asked.slos or slo in one.asked.slos)
    return {
        "corrections": [one.to_json() for one in reversed(found)],
        "audit": [entry.to_json() for entry in audit(found)],
    }


@router.post("", status_code=201, dependencies=needs("admin"))
def create_correction(ctx: Annotated[Context, Depends(context)], actor: By, asked: Asked) -> dict[str, Any]:
    """Take a time out of budgets, burn rates and evidence; it is in force from the next evaluation on."""
    new = NewCorrection.checked(
        start_ns=round(asked.start * NANOS), end_ns=round(asked.end * NANOS), slos=asked.slos, matchers=asked.matchers,
        author=asked.author, reason=asked.reason,
    )  # fmt: skip
    check_slos(new, ctx.service.slos)
    return corrections.create(ctx.database, new, ctx.clock.now_ns(), actor).to_json()


@router.post("/{number}/cancel", dependencies=needs("admin"))
def cancel_correction(
    ctx: Annotated[Context, Depends(context)],
    actor: By,
    number: Annotated[int, Path(ge=1, lt=2**63)],
    ending: Ending,
) -> dict[str, Any]:
    """Take a correction back: its time counts again, from the next evaluation on."""
    cancellation = Cancellation(told("author", ending.author), told("reason", ending.reason), ctx.clock.now_ns())
    return corrections.cancel(ctx.database, number, cancellation, actor).to_json()
