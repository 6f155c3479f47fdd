"""Builds the ASGI application around a running service; it starts and stops nothing but what it is handed."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from reference_model.api import admin, failures, text_routes, vector_routes
from reference_model.faults.registry import FaultBoard
from reference_model.service import Service


def build_app(service: Service, faults: FaultBoard) -> FastAPI:
    """The API of ``service``; requests may come as soon as a server listens."""
    app = FastAPI(title="Tailwatch reference inference service", docs_url="/docs", redoc_url=None)
    app.state.service = service
    app.state.faults = faults
    failures.install(app)
    app.include_router(text_routes.router)
    app.include_router(vector_routes.router)
    app.include_router(admin.router)

    @app.get("/v1/models")
    async def models(http: Request) -> dict[str, Any]:
        """The models that are offered, as OpenAI lists them; ``model@version`` pins a version."""
        routes = http.app.state.service.router.routes
        data = [
            {"id": name, "object": "model", "owned_by": "reference", "versions": routes[name].versions}
            for name in sorted(routes)
        ]
        return {"object": "list", "data": data}

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """200 while new requests are taken, 503 while starting or draining."""
        return JSONResponse({"ready": service.ready}, 200 if service.ready else 503)

    return app
