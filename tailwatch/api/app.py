"""The ASGI application: the API's routers, the dashboard's and Prometheus' needs, and OTLP, on one port."""

from __future__ import annotations

from fastapi import FastAPI

import tailwatch
from collector.http import Otlp
from tailwatch.api import config, corrections, health, incidents, metrics, series, slos, status, traces
from tailwatch.api.alertmanager import MOUNT, create_alertmanager_api
from tailwatch.api.context import Context
from tailwatch.api.errors import install_error_handlers
from tailwatch.service import Service


def create_app(service: Service) -> Otlp:
    """The application over a service that was started; it starts and stops nothing itself."""
    return Otlp(service.intake, _create_api(service))


def _create_api(service: Service) -> FastAPI:
    app = FastAPI(
        title="Tailwatch",
        version=tailwatch.__version__,
        description="SLOs, incidents and traces of AI inference. Times are seconds since the epoch.",
        redoc_url=None,
    )
    app.state.context = Context(service)
    install_error_handlers(app)
    parts = (health, status, config, slos, corrections, incidents, series, metrics, traces)
    for router in (part.router for part in parts):
        app.include_router(router)
    app.mount(MOUNT, create_alertmanager_api(app.state.context))
    return app
