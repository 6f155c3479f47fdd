"""Set-ups with one response hook, incidents that it is for, and what was written down of it."""

from __future__ import annotations

from typing import Any

from alerting.delivery import DeliveryPolicy
from alerting.service import Alerting
from telemetry.clock import ManualClock
from tests.alerting import makers
from tests.alerting.hook_server import HookServer
from tests.alerting.makers import T0, at, diagnosis, finding

BODY = '{"model": "m", "version": {{ incident.slice.model_version | tojson }}, "event": {{ event | tojson }}}'


def configured(server: HookServer, *, enabled=True, **changes):
    return makers.parse(document_for(server, enabled=enabled, **changes))


def document_for(server: HookServer, *, enabled=True, **changes) -> dict[str, Any]:
    action = {
        "name": "rollback", "on": ["verdict"], "match": ['cause="bad-release"'], "url": server.url, "body": BODY,
        **changes,
    }  # fmt: skip
    host = server.url.split("/")[2]
    return {"allow_private": ["127.0.0.1"], "hooks": {"enabled": enabled, "allow": [host], "actions": [action]}}


def set_up(database, server, **changes) -> Alerting:
    return Alerting(database, configured(server, **changes), ManualClock(T0), makers.SHIPPED, delivery=DeliveryPolicy())


def bad_release(confidence=0.95, version="v3"):
    return lambda _finding: diagnosis("bad-release", confidence, model_version=version)


def open_incident(alerting, second=0.0, verdict=None, **what) -> str:
    # Each is another fault: of another service and version, long after the one before.
    verdict = verdict or bad_release(version=what.get("service", "v3"))
    return alerting.apply([finding(since=second, **what)], verdict, at(second))[-1]


def hook_events(alerting, incident="INC-1"):
    return [event["text"] for event in alerting.incident(incident)["timeline"] if event["kind"] == "hook"]


def states(alerting, incident="INC-1"):
    return [run["state"] for run in alerting.incident(incident)["hook_runs"]]
