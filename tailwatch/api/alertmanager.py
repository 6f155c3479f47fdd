"""Alertmanager's API v2 under /api/v2, so that amtool, Prometheus and the dashboards made for it work unchanged.

It is an application of its own, since Alertmanager's errors are texts, not Tailwatch's error documents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Body, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

import tailwatch
from alerting.alertmanager_config import config_text
from alerting.alertmanager_v2 import (
    Shown,
    group_documents,
    read_silence,
    show,
    silence_document,
    silence_documents,
)
from alerting.posted import PostedAlert, read_posted
from alerting.rfc3339 import format_time
from alerting.service import Alerting
from storage.audit import Actor
from tailwatch.api.actor import actor_of
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from telemetry.errors import ConflictError, NotFoundError, PayloadError, StorageError, TailwatchError
from telemetry.matchers import Matchers, parse_matchers
from telemetry.windows import NANOS

MOUNT: Final = "/api/v2"
_ALIKE: Final = "0.25.0"
"""The release of Alertmanager whose API this is; clients compare it with their own."""


class Filters:
    """What a request for alerts wants to see; the names are Alertmanager's."""

    def __init__(
        self,
        active: bool = True,
        silenced: bool = True,
        inhibited: bool = True,
        filter: Annotated[list[str] | None, Query()] = None,  # noqa: A002
        receiver: str | None = None,
    ) -> None:
        self.active, self.silenced, self.inhibited = active, silenced, inhibited
        self.matchers = _matchers(filter)
        try:
            self.receiver = None if receiver is None else re.compile(receiver)
        except re.error as error:
            raise PayloadError(f"failed to parse receiver param: {error}", status=400) from None

    def accept(self, alert: Shown) -> bool:
        """Whether the alert is wanted."""
        wanted_state = self.active or not alert.active
        quiet = (self.silenced or not alert.silenced_by) and (self.inhibited or not alert.inhibited_by)
        names = [destination.receiver for destination in alert.destinations]
        heard = self.receiver is None or any(self.receiver.fullmatch(name) for name in names)
        return wanted_state and quiet and heard and self.matchers.accepts(alert.labels)


def create_alertmanager_api(ctx: Context) -> FastAPI:
    """The application, to be mounted at :data:`MOUNT`."""
    app = FastAPI(title="Alertmanager API v2 of Tailwatch", version=_ALIKE, redoc_url=None)
    app.state.context = ctx
    app.add_exception_handler(TailwatchError, _deliberate)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.get("/status", dependencies=needs("read"))(status)
    app.get("/receivers", dependencies=needs("read"))(receivers)
    app.get("/silences", dependencies=needs("read"))(list_silences)
    app.post("/silences", dependencies=needs("respond"))(post_silence)
    app.get("/silence/{silence_id}", dependencies=needs("read"))(get_silence)
    app.delete("/silence/{silence_id}", dependencies=needs("respond"))(delete_silence)
    app.get("/alerts", dependencies=needs("read"))(list_alerts)
    app.post("/alerts", dependencies=needs("ingest", "respond"))(post_alerts)
    app.get("/alerts/groups", dependencies=needs("read"))(list_groups)
    return app


Ctx = Annotated[Context, Depends(context)]
By = Annotated[Actor, Depends(actor_of)]


def status(ctx: Ctx) -> dict[str, Any]:
    """What runs here; the configuration has neither addresses nor secrets."""
    build = {
        "branch": "",
        "buildDate": "",
        "buildUser": "tailwatch",
        "goVersion": "",
        "revision": tailwatch.__version__,
    }
    return {
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": config_text(_alerting(ctx).config)},
        "uptime": format_time(ctx.service.started_ns / NANOS),
        "versionInfo": {"version": _ALIKE, **build},
    }


def receivers(ctx: Ctx) -> list[dict[str, str]]:
    """Who can be told."""
    return [{"name": name} for name in _alerting(ctx).config.receiver_names]


def list_silences(ctx: Ctx, filter: Annotated[list[str] | None, Query()] = None) -> list[dict[str, Any]]:  # noqa: A002
    """Silences, those that have ended recently too."""
    return silence_documents(_alerting(ctx).silences.all(), _matchers(filter), ctx.clock.now_ns())


def post_silence(ctx: Ctx, actor: By, silence: Annotated[dict[str, Any], Body()]) -> dict[str, str]:
    """Make a silence, or change one."""
    return {"silenceID": _alerting(ctx).silences.put(read_silence(silence), ctx.clock.now_ns(), actor=actor)}


def get_silence(ctx: Ctx, silence_id: str) -> dict[str, Any]:
    """One silence."""
    return silence_document(_alerting(ctx).silences.get(silence_id), ctx.clock.now_ns())


def delete_silence(ctx: Ctx, actor: By, silence_id: str) -> None:
    """End a silence."""
    _alerting(ctx).silences.expire(silence_id, ctx.clock.now_ns(), actor=actor)


def list_alerts(ctx: Ctx, filters: Annotated[Filters, Depends()]) -> list[dict[str, Any]]:
    """Alerts that fire or are suppressed."""
    return [alert.document for alert in _shown(ctx, filters)]


def list_groups(ctx: Ctx, filters: Annotated[Filters, Depends()]) -> list[dict[str, Any]]:
    """The same, as they are told together."""
    return group_documents(_shown(ctx, filters))


def post_alerts(ctx: Ctx, actor: By, alerts: Annotated[list[Any], Body()]) -> None:
    """Take in alerts that somebody else evaluates: those that are right, also when others are not."""
    now_ns, timeout_ns = ctx.clock.now_ns(), _alerting(ctx).config.resolve_timeout_ns
    right: list[PostedAlert] = []
    wrong: list[str] = []
    for entry in alerts:
        try:
            right.append(read_posted(entry, now_ns, timeout_ns))
        except ValueError as error:
            wrong.append(str(error))
    if right:
        _alerting(ctx).post(right, now_ns, actor=actor)
    if wrong:
        raise PayloadError("; ".join(wrong[:10]), status=400)


def _shown(ctx: Context, filters: Filters) -> Sequence[Shown]:
    alerting, now_ns = _alerting(ctx), ctx.clock.now_ns()
    found = show(alerting.living(), alerting.silences.in_force(now_ns), alerting.config, now_ns)
    return [alert for alert in found if filters.accept(alert)]


def _alerting(ctx: Context) -> Alerting:
    return ctx.service.alerting


def _matchers(texts: Sequence[str] | None) -> Matchers:
    return parse_matchers(texts or ())


async def _deliberate(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TailwatchError)
    match error:
        case PayloadError(status=code):
            pass
        case NotFoundError():
            code = 404
        case StorageError():
            code = 503
        case ConflictError():
            code = 500  # what Alertmanager says of a silence that is over
        case _:
            code = 400
    return JSONResponse(error.what, status_code=code)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return JSONResponse(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}", status_code=400)
