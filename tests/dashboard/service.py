"""A real HTTP server with the API's addresses over recorded answers; actions on incidents change its state."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tests.dashboard import metrics, recorded
from tests.dashboard.alertmanager import RecordedAlertmanager
from tests.dashboard.recorded import response

WAIT_S = 60.0
"""Patience with a busy machine."""

STATUS_AFTER = {"acknowledge": "acknowledged", "resolve": "resolved", "reopen": "open"}


class RecordedService:
    """The service's state, which a test may read and break.

    Attributes:
        incidents: incidents by id; acknowledge, resolve and comment change them.
        broken: path -> body to answer instead, whatever the state.
        failing: path -> (HTTP status, body) to answer instead.
        requests: every request, as (method, path, parameters).
        hook_requests: what was asked of response hooks, as (incident, hook and verb, body); none waits then.
        undelivered: notifications that were given up; a retry takes them out, and leaves who asked in retried_by.
        delay_s: how long every answer takes.
        token: the bearer token that is demanded, or None.
    """

    def __init__(self) -> None:
        self.url = ""
        self._asked = threading.Condition()
        self.reset()

    def asked(self, path: str) -> list[dict[str, str]]:
        """The parameters of each request to a path that ends so, in order."""
        return [sent for _, asked, sent in list(self.requests) if asked.endswith(path)]

    def wait_until_asked(self, path: str, times: int = 1, **sent: str) -> None:
        """Return once so many requests to such a path have come whose parameters hold these."""

        def came() -> bool:
            return sum(sent.items() <= one.items() for one in self.asked(path)) >= times

        with self._asked:
            in_time = self._asked.wait_for(came, WAIT_S)
        assert in_time, f"{path} was not asked for {times} times with {sent}: {self.asked(path)}"

    def reset(self) -> None:
        """Return to the recorded afternoon."""
        self.incidents = copy.deepcopy(recorded.incidents())
        self.slos = recorded.slos()
        self.status = recorded.status()
        self.metrics = metrics.metrics()
        self.sources = recorded.sources()
        self.forecast = recorded.forecast()
        # the same object, since the application has its addresses
        self.alertmanager = getattr(self, "alertmanager", None) or RecordedAlertmanager()
        self.alertmanager.reset()
        self.corrections: list[dict[str, Any]] = []
        self.audit: list[dict[str, Any]] = []
        self.hook_requests: list[tuple[str, str, dict[str, Any]]] = []
        self.undelivered: list[dict[str, Any]] = []
        self.retried_by = ""
        self.broken: dict[str, str] = {}
        self.failing: dict[str, tuple[int, str]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.token: str | None = None
        self.delay_s = 0.0

    def app(self) -> FastAPI:
        """The HTTP API."""
        app = FastAPI()
        app.middleware("http")(self._intercept)
        read, act = self._read, self._act
        for path in ("status", "slos", "slos/{name}", "slos/{name}/history", "series", "heatmap", "incidents"):
            app.get(f"/api/v1/{path}")(read(path))
        for path in ("slos/{name}/forecast", "corrections", "audit"):
            app.get(f"/api/v1/{path}")(read(path))
        for path in ("metrics", "metrics/{name:path}", "scrape"):
            app.get(f"/api/v1/{path}")(read(path))
        for path in ("incidents/{name}", "traces", "traces/{name}", "services", "sources"):
            app.get(f"/api/v1/{path}")(read(path))
        for path in ("figures", "noise", "mutes"):
            app.get(f"/api/v1/{path}")(read(path))
        app.get("/api/v1/incidents/{name}/postmortem")(lambda name: Response(f"# {name}", media_type="text/markdown"))
        app.post("/api/v1/incidents/{incident}/{action}")(act)
        app.post("/api/v1/incidents/{incident}/hooks/{hook:path}")(self._hook)
        app.get("/api/v1/incidents/{name}/report")(lambda name: Response("<p>drift</p>", media_type="text/html"))
        app.get("/api/v1/notifications/undelivered")(lambda: {"undelivered": self.undelivered})
        app.post("/api/v1/notifications/undelivered/retry")(self._retry)
        app.post("/api/v1/notifications/undelivered/{number}/retry")(self._retry)
        self.alertmanager.mount(app)
        return app

    async def _intercept(self, request: Request, proceed: Any) -> Response:
        path = request.url.path
        await asyncio.sleep(self.delay_s)
        with self._asked:
            self.requests.append((request.method, path, dict(request.query_params)))
            self._asked.notify_all()
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
        start, end, step = (float(asked.get(key, 0)) for key in ("start", "end", "step"))
        slo = next((one for one in self.slos if one["name"] == name), None)
        wants_errors = asked.get("error") == "true"
        documents: dict[str, Callable[[], Any]] = {
            "status": lambda: self.status,
            "slos": lambda: {"slos": self.slos},
            "slos/{name}": lambda: slo,
            "slos/{name}/history": lambda: slo and {"points": recorded.history(start, end, step, slo["objective"])},
            "slos/{name}/forecast": lambda: slo and self.forecast,
            "corrections": lambda: {"corrections": self.corrections, "audit": []},
            "audit": lambda: {"entries": self.audit, "next": None},
            "series": lambda: {"series": recorded.series(asked["measure"], start, end, step, asked.get("by"))},
            "heatmap": lambda: recorded.heatmap(asked["measure"], start, end, step),
            "incidents": lambda: {"incidents": list(self.incidents.values())},
            "incidents/{name}": lambda: self.incidents.get(name),
            "traces": lambda: {"traces": [t for t in recorded.traces() if t["error_type"] or not wants_errors]},
            "traces/{name}": lambda: recorded.trace() if name == recorded.TRACE_ID else None,
            "metrics": lambda: {"metrics": self.metrics},
            "metrics/{name:path}": lambda: metrics.course(name, start, end, step, asked["by"]),
            "scrape": lambda: {"targets": metrics.targets()},
            "services": lambda: {"services": recorded.services()},
            "figures": response.figures,
            "noise": response.noise,
            "mutes": lambda: {"mutes": response.mutes()},
            "sources": lambda: {"sources": self.sources, "now": recorded.NOW},
        }
        return documents[kind]()

    async def _retry(self, request: Request) -> Response:
        number = request.path_params.get("number")
        retried = [one for one in self.undelivered if number in (None, str(one["id"]))]
        if number and not retried:
            what = {"what": f"notification {number} cannot be tried again: it was delivered", "remedy": "do nothing"}
            return JSONResponse({"error": what}, 409)
        self.undelivered = [one for one in self.undelivered if one not in retried]
        self.retried_by = json.loads(await request.body())["author"]
        return JSONResponse({"retried": retried})

    async def _hook(self, incident: str, hook: str, request: Request) -> Response:
        self.hook_requests.append((incident, hook, json.loads(await request.body())))
        for offered in self.incidents[incident]["hooks"]:
            offered["waiting"] = False
        return JSONResponse({})

    async def _act(self, incident: str, action: str, request: Request) -> Response:
        said = json.loads(await request.body())
        found = self.incidents[incident]
        found["status"] = STATUS_AFTER.get(action, found["status"])
        if action == "acknowledge":
            found["acknowledged_at"] = recorded.NOW
        if action == "resolve":
            found["resolved_at"] = recorded.NOW
        if action == "merge":
            found["status"], found["merged_into"] = "resolved", said["into"]
        found |= {key: said[key] for key in ("assignee", "severity") if key in said}
        if action == "snooze":
            found |= {"status": "acknowledged", "acknowledged_at": recorded.NOW, "snoozed_until": said["until"]}
        text = said.get("comment") or json.dumps({key: said[key] for key in said if key not in ("author", "comment")})
        found["timeline"].append({"at": recorded.NOW, "kind": action, "author": said["author"], "text": text})
        return JSONResponse(found)


class Running:
    """The service on a port of the loopback; it may be stopped and started again where it was."""

    def __init__(self, service: RecordedService) -> None:
        self.service = service
        self._port = 0
        self._server: uvicorn.Server | None = None

    def start(self) -> None:
        """Listen; the first time on a free port, afterwards on the same one."""
        config = uvicorn.Config(self.service.app(), port=self._port, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._socket = config.bind_socket()
        self._port = self._socket.getsockname()[1]
        self.service.url = f"http://127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and wait until nothing is served any more."""
        if self._server is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout=20)
        self._socket.close()
        self._server = None
