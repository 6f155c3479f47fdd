"""A real HTTP server with the API's addresses over recorded answers; actions on incidents change its state."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tests.dashboard import recorded

STATUS_AFTER = {"acknowledge": "acknowledged", "resolve": "resolved"}


class RecordedService:
    """The service's state, which a test may read and break.

    Attributes:
        incidents: incidents by id; acknowledge, resolve and comment change them.
        broken: path -> body to answer instead, whatever the state.
        failing: path -> (HTTP status, body) to answer instead.
        requests: every request, as (method, path, parameters).
        token: the bearer token that is demanded, or None.
    """

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Return to the recorded afternoon."""
        self.incidents = copy.deepcopy(recorded.incidents())
        self.slos = recorded.slos()
        self.status = recorded.status()
        self.broken: dict[str, str] = {}
        self.failing: dict[str, tuple[int, str]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.token: str | None = None

    def app(self) -> FastAPI:
        """The HTTP API."""
        app = FastAPI()
        app.middleware("http")(self._intercept)
        read, act = self._read, self._act
        for path in ("status", "slos", "slos/{name}", "slos/{name}/history", "series", "heatmap", "incidents"):
            app.get(f"/api/v1/{path}")(read(path))
        for path in ("incidents/{name}", "traces", "traces/{name}", "services"):
            app.get(f"/api/v1/{path}")(read(path))
        app.post("/api/v1/incidents/{incident}/{action}")(act)
        return app

    async def _intercept(self, request: Request, proceed: Any) -> Response:
        path = request.url.path
        self.requests.append((request.method, path, dict(request.query_params)))
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": {"what": "no token", "where": path, "remedy": "send one"}}, 401)
        if path in self.failing:
            code, body = self.failing[path]
            return Response(body, code, media_type="application/json")
        if path in self.broken:
            return Response(self.broken[path], media_type="application/json")
        return await proceed(request)

    def _read(self, kind: str) -> Any:
        async def answer(request: Request) -> Response:
            found = self._document(kind, request)
            if found is None:
                name = request.path_params.get("name")
                what = {"what": f"nothing is named {name}", "where": request.url.path, "remedy": "check the name"}
                return JSONResponse({"error": what}, 404)
            return JSONResponse(found)

        return answer

    def _document(self, kind: str, request: Request) -> Any:
        asked, name = request.query_params, request.path_params.get("name", "")
        span = [float(asked.get(key, 0)) for key in ("start", "end", "step")]
        if kind == "status":
            return self.status
        if kind == "slos":
            return {"slos": self.slos}
        if kind == "series":
            return {"series": recorded.series(asked["measure"], *span, asked.get("by"))}
        if kind == "heatmap":
            return recorded.heatmap(asked["measure"], *span)
        if kind == "incidents":
            return {"incidents": list(self.incidents.values())}
        if kind == "traces":
            return {"traces": [t for t in recorded.traces() if t["error_type"] or asked.get("error") != "true"]}
        if kind == "services":
            return {"services": recorded.services()}
        if kind == "incidents/{name}":
            return self.incidents.get(name)
        if kind == "traces/{name}":
            return recorded.trace() if name == recorded.TRACE_ID else None
        slo = next((one for one in self.slos if one["name"] == name), None)
        if slo is None or kind == "slos/{name}":
            return slo
        return {"points": recorded.history(*span, slo["objective"])}

    async def _act(self, incident: str, action: str, request: Request) -> Response:
        said = json.loads(await request.body())
        found = self.incidents[incident]
        found["status"] = STATUS_AFTER.get(action, found["status"])
        if action == "acknowledge":
            found["acknowledged_at"] = recorded.NOW
        if action == "resolve":
            found["resolved_at"] = recorded.NOW
        found["timeline"].append(
            {"at": recorded.NOW, "kind": action, "author": said["author"], "text": said["comment"]}
        )
        return JSONResponse(found)


@contextmanager
def serving(service: RecordedService) -> Iterator[RecordedService]:
    """Run the service on a free port of the loopback until the block ends."""
    server = uvicorn.Server(uvicorn.Config(service.app(), port=0, log_level="error", timeout_graceful_shutdown=1))
    socket = server.config.bind_socket()
    service.url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        socket.close()
