"""Merging, figures, noise and mute times over the API, the command line and /metrics of one real service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from storage import audit
from tailwatch.cli import main
from telemetry.windows import NANOS
from tests.alerting.hook_server import HookServer
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.test_metrics import key, scraped

OFFICE = {
    "name": "office",
    "time_intervals": [{"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "17:00"}]}],
}


def alerting(url: str) -> dict[str, Any]:
    return {
        "receivers": [{"name": "oncall", "webhook": {"url": url}}, {"name": "tickets", "webhook": {"url": url}}],
        "allow_private": ["127.0.0.0/8"],
        "time_intervals": [OFFICE],
        "route": {
            "receiver": "oncall",
            "routes": [
                {"matchers": ["severity=ticket"], "receiver": "tickets", "active_time_intervals": ["office"]},
            ],
        },
        "noise_budgets": [{"receiver": "oncall", "pages_per_day": 1}],
    }


def post(client: httpx.Client, *services: str) -> None:
    labels = [{"alertname": "Slow", "severity": "page", "slo": f"{name}-latency", "service": name} for name in services]
    answer = client.post("/api/v2/alerts", json=[{"labels": one} for one in labels])
    assert answer.status_code == 200, answer.text


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str) -> Iterator[InProcess]:
    """Two incidents, told: of chat, which Ada takes on after a minute, and of search."""
    with HookServer() as hook, service_on(tmp_path, migrated_sqlite_url, alerting=alerting(hook.url)) as found:
        with api_of(found.service) as client:
            post(client, "chat", "search")
        found.evaluate()
        found.service.alerting.deliver(found.clock.now_ns())
        yield found


@pytest.fixture
def api(running: InProcess) -> Iterator[httpx.Client]:
    with api_of(running.service) as client:
        yield client


def act(api: httpx.Client, incident: str, verb: str, **body: str) -> httpx.Response:
    return api.post(f"/api/v1/incidents/{incident}/{verb}", json={"author": "Ada", **body})


def test_incidents_are_merged_and_reclassified(running: InProcess, api: httpx.Client) -> None:
    merged = act(api, "INC-2", "merge", into="INC-1", comment="one deploy").json()
    assert (merged["status"], merged["merged_into"]) == ("resolved", "INC-1")
    target = api.get("/api/v1/incidents/INC-1").json()
    assert {alert["labels"]["service"] for alert in target["alerts"]} == {"chat", "search"}
    assert {entry["origin"] for entry in target["timeline"]} == {None, "INC-2"}
    again = act(api, "INC-2", "merge", into="INC-1")
    assert (again.status_code, again.json()["error"]["what"]) == (409, "INC-2 was merged into INC-1")
    assert act(api, "INC-1", "merge", into="INC-77").status_code == 404
    assert act(api, "INC-1", "merge").status_code == 422
    assert act(api, "INC-1", "reclassify", severity="ticket").json()["severity"] == "ticket"
    assert act(api, "INC-1", "reclassify", severity="fire").status_code == 422
    entries = audit.load(running.service.database, action="incident")
    assert [(entry.action, entry.subject, entry.actor) for entry in entries] == [
        ("incident.reclassify", "INC-1", "anonymous"), ("incident.merge", "INC-2", "anonymous"),
    ]  # fmt: skip


def test_who_hears_of_an_incident_and_who_does_not(running: InProcess, api: httpx.Client) -> None:
    oncall, tickets = api.get("/api/v1/incidents/INC-1").json()["hearing"]
    assert (oncall["receiver"], oncall["state"], tickets["state"]) == ("oncall/webhook", "told", "unrouted")
    assert oncall["next_at"] == oncall["told_at"] + 4 * 3600
    alert = {"alertname": "Cost", "severity": "ticket", "slo": "cost", "service": "billing"}
    api.post("/api/v2/alerts", json=[{"labels": alert}]).raise_for_status()
    running.evaluate()
    found = api.get("/api/v1/incidents/INC-3").json()
    heard = {one["receiver"]: one for one in found["hearing"]}
    assert heard["tickets/webhook"]["state"] == "muted"
    assert heard["tickets/webhook"]["next_at"] == 1700038800.0, "when the office opens"
    notes = [event["text"] for event in found["timeline"] if event["kind"] == "muted"]
    assert notes == ["tickets not told: muted until 2023-11-15 09:00:00 UTC (outside of office)"]


def test_figures_and_noise_over_the_api_and_on_the_command_line(
    running: InProcess, api: httpx.Client, tmp_path: Path
) -> None:
    running.clock.advance(60)
    act(api, "INC-1", "acknowledge")
    running.clock.advance(60)
    act(api, "INC-1", "resolve")
    found = api.get("/api/v1/figures?since=1d").json()
    assert (found["all"]["incidents"], found["all"]["open"], found["all"]["unacknowledged"]) == (2, 1, 1)
    assert found["all"]["to_acknowledge"]["mean_s"] == 60
    ended = api.get("/api/v1/incidents/INC-1").json()["service"]
    assert {one["name"]: one["open"] for one in found["by_service"]} == {"chat": 1, "search": 1} | {ended: 0}
    noise = api.get("/api/v1/noise?since=1d").json()
    told = {one["receiver"]: one for one in noise["receivers"]}
    assert (told["oncall/webhook"]["pages"], told["oncall/webhook"]["acted_on"]) == (2, 1)
    assert (told["oncall/webhook"]["over"], told["tickets/webhook"]["notifications"]) == (True, 0)
    assert told["oncall/webhook"]["budget"]["pages_per_day"] == 1
    assert {one["slo"]: (one["ended"], one["acted_on"]) for one in noise["slos"]} == {
        "chat-latency": (0, 0), "search-latency": (0, 0),
    } | {f"{ended}-latency": (1, 1)}  # fmt: skip
    began = min(one["opened_at"] for one in api.get("/api/v1/incidents").json()["incidents"])
    assert noise["since"] < noise["averaged_since"] <= began
    metrics = scraped(running)
    for name, value in (("pages_24h", 2), ("notifications_24h", 2), ("noise_over_budget", 1)):
        assert metrics[key(f"tailwatch_{name}", receiver="oncall/webhook")] == value

    def tailwatch(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["--config", str(tmp_path / "tailwatch.yaml"), "alerts", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    ago = f"{running.clock.now_ns() // NANOS}s"  # the commands have the real clock: since 1970
    assert json.loads(tailwatch("figures", "--since", ago, "--format", "json"))["all"] == found["all"]
    shown = tailwatch("figures", "--since", "20000d")
    assert [line.split() for line in shown.splitlines() if "all incidents" in line] == [
        ["all", "incidents", "2", "1", "0", "1", "1m", "1m", "1m", "2m", "2m", "2m"]
    ]
    told = tailwatch("noise", "--since", "20000d")
    assert "oncall/webhook" in told
    assert told.startswith("a day: on average since 2023-11-14 22:1")
    assert [
        one["pages"] for one in json.loads(tailwatch("noise", "--since", "20000d", "--format", "json"))["receivers"]
    ] == [2, 0]


@pytest.mark.parametrize("path", ["figures", "noise"])
def test_a_period_that_is_none_is_one_sentence(api: httpx.Client, path: str) -> None:
    answer = api.get(f"/api/v1/{path}?since=soon")
    assert (answer.status_code, answer.json()["error"]["where"]) == (422, "query.since")


def test_mute_times_say_when_they_hold_next(api: httpx.Client) -> None:
    found = api.get("/api/v1/mutes").json()
    (office,) = found["mutes"]
    assert (office["name"], office["effect"], office["holds"], office["quiet"]) == ("office", "only", False, True)
    assert office["routes"] == [{"path": '{}/{severity="ticket"}', "receiver": "tickets"}]
    assert office["starts"] == 1700038800.0, (
        "Wednesday, 15 November 2023, 09:00 UTC: the test's time is a Tuesday night"
    )
    assert office["ends"] == office["starts"] + 8 * 3600
