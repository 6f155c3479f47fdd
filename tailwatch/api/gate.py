"""Lets requests to the API in, or answers them with what they lack; the guard decides who may come."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.http import sender_of
from collector.refusals import RefusalLog
from tailwatch.access.guard import Guard
from tailwatch.api.actor import SCOPE_KEY
from tailwatch.api.alertmanager import MOUNT
from tailwatch.api.needs import Needs
from telemetry.errors import AccessError


class Gate:
    """ASGI application before the API."""

    def __init__(self, api: ASGIApp, guard: Guard, needs: Needs, refusals: RefusalLog) -> None:
        self._api = api
        self._guard = guard
        self._needs = needs
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "http":
            try:
                name = self._guard.api(scope, self._needs.of(scope["method"], scope["path"]))
            except AccessError as error:
                self._refusals.tell(error.status, sender_of(scope), error)
                await _refusal(scope["path"], error)(scope, receive, send)
                return
            if name is not None:
                scope[SCOPE_KEY] = name
        await self._api(scope, receive, send)


def _refusal(path: str, error: AccessError) -> JSONResponse:
    document: object = {"error": {"what": error.what, "where": error.where, "remedy": error.remedy}}
    if path.startswith(f"{MOUNT}/"):
        document = str(error)  # as Alertmanager's errors are
    headers = {"WWW-Authenticate": error.challenge} if error.challenge else None
    return JSONResponse(document, status_code=error.status, headers=headers)
