"""The configuration in force, what is wrong with the files, and a reload on request; it edits no file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from storage.audit import Actor
from tailwatch.api.actor import actor_of
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from tailwatch.reloading import Configuration
from telemetry.windows import NANOS

router = APIRouter(prefix="/api/v1/config", tags=["service"])


@router.get("", dependencies=needs("read"))
def get_config(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """How the last reading of the configuration went, and every problem if it failed."""
    return document(ctx.service.reloader.state)


@router.post("/reload", dependencies=needs("admin"))
def reload(ctx: Annotated[Context, Depends(context)], actor: Annotated[Actor, Depends(actor_of)]) -> JSONResponse:
    """Read SLO files, prices and alerting anew, and answer once they are in force; 422 with every problem if not.

    New SLOs are counted from stored rows first, which takes a while where there are many.
    """
    state = ctx.service.reloader.reload(ctx.clock.now_ns(), actor)
    if state.successful:
        return JSONResponse(document(state))
    error = {
        "what": f"the configuration was not reloaded: {state.summary}",
        "where": str(state.problems[0]) if state.problems else "",
        "remedy": "mend the files and reload; until then everything goes on as it was",
    }
    return JSONResponse({"error": error, **document(state)}, status_code=422)


def document(state: Configuration) -> dict[str, Any]:
    """The state as JSON; times in seconds since the epoch."""
    failing_ns = state.failing_since_ns
    return {
        "successful": state.successful,
        "read_at": state.at_ns / NANOS,
        "in_force_since": state.since_ns / NANOS,
        "failing_since": None if failing_ns is None else failing_ns / NANOS,
        "under_way": state.under_way,
        "restart_for": list(state.restart),
        "problems": [asdict(problem) for problem in state.problems],
    }
