"""The ASGI application: the API's routers, the dashboard's and Prometheus' needs, and OTLP, on one port."""

from __future__ import annotations

from itertools import chain
from typing import Final

from fastapi import FastAPI

import tailwatch
from collector.http import Otlp
from tailwatch.api import (
    audit,
    config,
    corrections,
    health,
    hooks,
    incidents,
    metrics,
    notifications,
    oncall,
    runbooks,
    series,
    slos,
    status,
    traces,
)
from tailwatch.api.alertmanager import MOUNT, create_alertmanager_api
from tailwatch.api.context import Context
from tailwatch.api.errors import install_error_handlers
from tailwatch.api.gate import Gate
from tailwatch.api.needs import Needs
from tailwatch.service import Service

_PARTS: Final = (
    health,
    status,
    config,
    audit,
    slos,
    corrections,
    hooks,
    runbooks,
    incidents,
    oncall,
    notifications,
    series,
    metrics,
    traces,
)
_DESCRIPTIONS: Final = ("/docs", "/openapi.json", f"{MOUNT}/docs", f"{MOUNT}/openapi.json")
"""Of the API: the same everywhere, so that nobody needs a token to read them."""


def create_app(service: Service) -> Otlp:
    """The application over a service that was started; it starts and stops nothing itself."""
    context = Context(service)
    alertmanager = create_alertmanager_api(context)
    routes = {"": chain.from_iterable(part.router.routes for part in _PARTS), MOUNT: alertmanager.routes}
    api = _create_api(context, alertmanager)
    gate = Gate(api, service.guard, Needs(routes, _DESCRIPTIONS), service.intake.refusals)
    return Otlp(service.intake, gate, admit=service.guard.otlp)


def _create_api(context: Context, alertmanager: FastAPI) -> FastAPI:
    app = FastAPI(
        title="Tailwatch",
        version=tailwatch.__version__,
        description="SLOs, incidents and traces of AI inference. Times are seconds since the epoch.",
        redoc_url=None,
    )
    app.state.context = context
    install_error_handlers(app)
    for part in _PARTS:
        app.include_router(part.router)
    app.mount(MOUNT, alertmanager)
    return app
