"""What alerting is to the people on call: how quickly incidents are answered, how noisy it is, when it is muted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from alerting.hindsight import noise_report, response_figures
from alerting.mute_times import mute_documents
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from telemetry.errors import DurationError, PayloadError
from telemetry.windows import NANOS, parse_duration

router = APIRouter(prefix="/api/v1", tags=["on call"])

Ctx = Annotated[Context, Depends(context)]
Since = Annotated[str, Query(max_length=20, description="how far back, such as 30d")]


@router.get("/figures", dependencies=needs("read"))
def get_figures(ctx: Ctx, since: Since = "30d") -> dict[str, Any]:
    """How long it took to acknowledge and to resolve the incidents opened since, in all and by whatever they share."""
    now_ns = ctx.clock.now_ns()
    return response_figures(ctx.database, _begin(since, now_ns), now_ns + 1)


@router.get("/noise", dependencies=needs("read"))
def get_noise(ctx: Ctx, since: Since = "30d") -> dict[str, Any]:
    """What each receiver was told since, how much of it was acted on, and which SLOs cry wolf."""
    now_ns = ctx.clock.now_ns()
    return noise_report(ctx.database, ctx.service.alerting.config, _begin(since, now_ns), now_ns + 1).to_json()


@router.get("/mutes", dependencies=needs("read"))
def get_mutes(ctx: Ctx) -> dict[str, Any]:
    """The time intervals of routes: which routes they mute, whether they do now, and when next."""
    now_ns = ctx.clock.now_ns()
    return {"now": now_ns / NANOS, "mutes": mute_documents(ctx.service.alerting.config, now_ns)}


def _begin(since: str, now_ns: int) -> int:
    try:
        return max(now_ns - parse_duration(since), 0)
    except DurationError as error:
        raise PayloadError(error.what, status=422, where="query.since", remedy="write 30d, 12h or 90m") from None
