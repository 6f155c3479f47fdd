"""The ASGI application: the API's routers, the dashboard's and Prometheus' needs, and OTLP, on one port."""

from __future__ import annotations

from typing import Final

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

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
from tailwatch.service import Service

_BEARER: Final = HTTPBearer(auto_error=False, description="A token, where the service asks for one.")
"""For the pages of /docs, where people enter theirs; the gate decides."""


def create_app(service: Service) -> Otlp:
    """The application over a service that was started; it starts and stops nothing itself."""
    gate = Gate(_create_api(service), service.guard, service.intake.refusals)
    return Otlp(service.intake, gate, admit=service.guard.otlp)


def _create_api(service: Service) -> FastAPI:
    app = FastAPI(
        title="Tailwatch",
        version=tailwatch.__version__,
        description="SLOs, incidents and traces of AI inference. Times are seconds since the epoch.",
        redoc_url=None,
        dependencies=[Depends(_BEARER)],
    )
    app.state.context = Context(service)
    install_error_handlers(app)
    parts = (
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
    for router in (part.router for part in parts):
        app.include_router(router)
    app.mount(MOUNT, create_alertmanager_api(app.state.context))
    return app
