"""The audit log: who changed what, when and from where; it can be read, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from storage import audit
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from telemetry.windows import NANOS

router = APIRouter(prefix="/api/v1/audit", tags=["service"])


@router.get("", dependencies=needs("read"))
def list_entries(
    ctx: Annotated[Context, Depends(context)],
    since: Annotated[float | None, Query(ge=0, le=4e9, description="seconds since the epoch")] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="an id: the next page ends below it")] = None,
    actor: Annotated[str | None, Query(max_length=200, description="name of a token")] = None,
    action: Annotated[str | None, Query(max_length=100, description="incident.merge, or incident for all")] = None,
    limit: Annotated[int, Query(ge=1, le=audit.LONGEST_ANSWER)] = 100,
) -> dict[str, Any]:
    """Changes, the newest first; ``next`` is the ``before`` of the next page, and null at the end."""
    since_ns = None if since is None else round(since * NANOS)
    found = audit.load(ctx.database, since_ns=since_ns, before=before, actor=actor, action=action, limit=limit)
    return {
        "entries": [one.to_json() for one in found],
        "next": found[-1].id if len(found) == limit else None,
    }
