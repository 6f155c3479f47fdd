"""Alertmanager's API v2 as the recorded service has it: silences that can be made, changed and ended, and alerts."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tests.dashboard.recorded import MALICIOUS
from tests.dashboard.recorded.response import at, silence, silences

_TESTS = {(False, True): str.__eq__, (False, False): str.__ne__}


class RecordedAlertmanager:
    """Silences by id, and the alerts that fire; a silence that was made is in force at once."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Return to the recorded afternoon."""
        self.silences = {one["id"]: one for one in silences()}
        self.labels = [
            {"alertname": "burn-1h", "service": "chat", "slo": "chat-errors", "severity": "page"},
            {"alertname": "burn-1h", "service": "search", "slo": "search-latency", "note": MALICIOUS},
            {"alertname": "burn-3d", "service": "batch", "slo": "costs", "severity": "ticket"},
        ]

    def mount(self, app: FastAPI) -> None:
        """Serve it."""
        app.get("/api/v2/silences")(lambda: list(self.silences.values()))
        app.get("/api/v2/alerts")(self._alerts)
        app.post("/api/v2/silences")(self._post)
        app.delete("/api/v2/silence/{silence_id}")(self._expire)

    async def _alerts(self, request: Request) -> Response:
        wanted = request.query_params.getlist("filter")
        if any("=~" in one and "(" in one for one in wanted):
            return JSONResponse("bad matcher format", 400)
        found = [labels for labels in self.labels if all(_accepts(one, labels) for one in wanted)]
        return JSONResponse([self._alert(labels) for labels in found])

    def _alert(self, labels: dict[str, str]) -> dict[str, Any]:
        by = [one["id"] for one in self.silences.values() if one["status"]["state"] == "active" and _quiet(one, labels)]
        state = "suppressed" if by else "active"
        status = {"state": state, "silencedBy": by, "inhibitedBy": [], "mutedBy": []}
        return {"labels": labels, "annotations": {"incident": "inc-0042"}, "startsAt": at(-600), "status": status}

    async def _post(self, request: Request) -> Response:
        said = json.loads(await request.body())
        if "nobody" in said["createdBy"]:
            return JSONResponse("end time can't be in the past", 400)
        made = said.get("id") or "made"
        self.silences[made] = silence(made, "active", **{key: said[key] for key in said if key != "id"})
        return JSONResponse({"silenceID": made})

    async def _expire(self, silence_id: str) -> Response:
        self.silences[silence_id]["status"] = {"state": "expired"}
        return Response()


def _quiet(one: dict[str, Any], labels: dict[str, str]) -> bool:
    return all(
        bool(re.fullmatch(m["value"], labels.get(m["name"], ""))) if m["isRegex"]
        else _TESTS[False, m["isEqual"]](labels.get(m["name"], ""), m["value"])
        for m in one["matchers"]
    )  # fmt: skip


def _accepts(text: str, labels: dict[str, str]) -> bool:
    name, operator, value = re.fullmatch(r'(\w+)(=~|=)"(.*)"', text).groups()
    return bool(re.fullmatch(value if operator == "=~" else re.escape(value), labels.get(name, "")))
