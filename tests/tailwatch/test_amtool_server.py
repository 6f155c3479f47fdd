"""A running Tailwatch as the real amtool sees it: alerts, silences, routes, unchanged."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.external import require_program
from tests.tailwatch.running import Running, serving, write_config

ALERTING = {
    "receivers": [{"name": name, "webhook": {"url": "http://127.0.0.1:9/x"}} for name in ("oncall", "tickets")],
    "inhibit_rules": [
        {"source_matchers": ["alertname=DbDown"], "target_matchers": ["alertname!=DbDown"], "equal": ["service"]}
    ],
    "route": {"receiver": "oncall", "routes": [{"matchers": ["severity=ticket"], "receiver": "tickets"}]},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    require_program("amtool", "prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("amtool")
    config = write_config(folder, {"alerting": ALERTING, "evaluation_interval": "100ms"})
    with serving(config) as server:
        yield server


@pytest.fixture
def amtool(running: Running, tmp_path: Path) -> Callable[..., str]:
    program = require_program("amtool", "prometheus-alertmanager")

    def run(*arguments: str, fails: bool = False, stdin: str | None = None) -> str:
        done = subprocess.run(
            [program, f"--alertmanager.url={running.url}", *arguments],
            capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60, input=stdin,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    return run


def shown(amtool: Callable[..., str], *arguments: str) -> dict[str, str]:
    """State by alert's name."""
    found = json.loads(amtool("alert", "query", "-o", "json", *arguments))
    return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in found}


def wait_for(look: Callable[[], object], expected: object) -> None:
    deadline = time.monotonic() + 30
    while (found := look()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_alerts_are_added_silenced_and_shown_again(running, amtool):
    amtool("alert", "add", "alertname=DiskFull", "severity=critical", "service=chat", "--annotation=summary=full")
    wait_for(lambda: shown(amtool, "service=chat"), {"DiskFull": "active"})
    silence = amtool("silence", "add", "alertname=DiskFull", "-c", "replacing it", "-a", "ada", "-d", "1h").strip()
    assert json.loads(amtool("silence", "query", "-o", "json"))[0]["id"] == silence
    wait_for(lambda: shown(amtool, "service=chat"), {})
    wait_for(lambda: shown(amtool, "--silenced", "service=chat"), {"DiskFull": "suppressed"})
    assert amtool("silence", "update", silence, "-d", "4h", "-c", "still", "-o", "json")
    assert [one["id"] for one in json.loads(amtool("silence", "query", "-o", "json"))] == [silence], "changed in place"
    (incident,) = [one for one in running.get("/api/v1/incidents")["incidents"] if one["title"] == "DiskFull: full"]
    (by,) = incident["suppressed"]["by"]
    assert (by["id"], by["author"], by["comment"], by["alerts"]) == (silence, "ada", "still", 1)
    amtool("silence", "expire", silence)
    wait_for(lambda: shown(amtool, "service=chat"), {"DiskFull": "active"})
    assert "already expired" in amtool("silence", "expire", silence, fails=True)
    assert json.loads(amtool("silence", "query", "--expired", "-o", "json"))[0]["comment"] == "still"
    incidents = running.get("/api/v1/incidents")["incidents"]
    assert ("DiskFull: full", "page") in [(incident["title"], incident["severity"]) for incident in incidents]


def test_inhibited_alerts_are_shown_as_such(running, amtool):
    amtool("alert", "add", "alertname=DbDown", "service=db", "severity=page")
    amtool("alert", "add", "alertname=DbSlow", "service=db", "severity=ticket")
    wait_for(lambda: shown(amtool, "--inhibited", "service=db"), {"DbSlow": "suppressed"})
    assert shown(amtool, "service=db") == {"DbDown": "active"}
    (slow,) = httpx.get(f"{running.url}/api/v2/alerts", params={"filter": "alertname=DbSlow"}).json()
    (down,) = httpx.get(f"{running.url}/api/v2/alerts", params={"filter": "alertname=DbDown"}).json()
    assert slow["status"]["inhibitedBy"] == [down["fingerprint"]]
    assert [receiver["name"] for receiver in slow["receivers"]] == ["tickets"]
    groups = httpx.get(f"{running.url}/api/v2/alerts/groups", params={"receiver": "tick.*"}).json()
    assert [group["receiver"]["name"] for group in groups] == ["tickets"]


def test_routes_and_configuration_can_be_asked_for(amtool):
    assert amtool("config", "routes", "test", "severity=ticket").strip() == "tickets"
    assert amtool("config", "routes", "test", "severity=page").strip() == "oncall"
    config = amtool("config", "show")
    assert 'alertname!="DbDown"' in config
    assert "127.0.0.1:9" not in config, "addresses may be secrets"
    assert "disabled" in amtool("cluster", "show")


def test_alerts_are_found_by_matchers_and_receiver(amtool):
    for name, severity in (("Slow", "ticket"), ("Slower", "ticket"), ("Gone", "page")):
        amtool("alert", "add", f"alertname={name}", f"severity={severity}", "service=found", "zone=eu-1")
    wait_for(lambda: set(shown(amtool, "service=found")), {"Slow", "Slower", "Gone"})
    assert set(shown(amtool, "alertname=~Slow.*", 'service="found"')) == {"Slow", "Slower"}
    assert set(shown(amtool, "Slow", "service=found")) == {"Slow"}, "a bare word is a name"
    assert set(shown(amtool, "alertname!~Slow.*", "service=found")) == {"Gone"}
    assert set(shown(amtool, "-r", "tickets", "service=found")) == {"Slow", "Slower"}
    assert set(shown(amtool, "--active", "severity=page", "service=found")) == {"Gone"}
    assert "Slower" in amtool("-o", "extended", "alert", "query", "service=found")


def test_silences_are_imported_exported_and_found(amtool):
    for number in range(2):
        amtool("silence", "add", f"zone=eu-{number}", "-c", "moving", "-a", f"author-{number}", "-d", "2h")
    exported = json.loads(amtool("silence", "query", "-o", "json", "zone=eu-0"))
    assert [one["createdBy"] for one in exported] == ["author-0"]
    assert amtool("silence", "query", "-q", "zone=~eu.*") == "", "a silence is found by the matchers that it has"
    (found,) = amtool("silence", "query", "-q", "--created-by=author-0").split()
    assert found == exported[0]["id"]
    assert amtool("silence", "query", "-q", "--within=1h", "zone=eu-0") == "", "it does not end within an hour"
    amtool("silence", "expire", found)
    assert amtool("silence", "query", "-q", "zone=eu-0") == ""
    assert amtool("silence", "query", "-q", "--expired", "--within=1h", "zone=eu-0").split() == [found]
    (again,) = amtool("silence", "import", "--force", stdin=json.dumps(exported)).split()
    assert amtool("silence", "query", "-q", "zone=eu-0").split() == [again]
    assert again != found, "what was ended stays as it was"


def test_the_configuration_that_is_shown_is_one_that_amtool_takes(amtool, tmp_path):
    (tmp_path / "shown.yml").write_text(amtool("config", "show"))
    said = amtool("check-config", "shown.yml")
    assert "SUCCESS" in said
    assert "2 receivers" in said
    assert "1 inhibit rules" in said
    assert "severity" in amtool("config", "routes", "show")


def test_mistakes_are_told_as_texts(running, amtool):
    said = amtool("silence", "add", "-c", "all", 'alertname=~".*"', fails=True)
    assert "at least one matcher must not match the empty string" in said
    url = f"{running.url}/api/v2"
    answers = {
        "no such silence": httpx.get(f"{url}/silence/1b4e28ba-2fa1-11d2-883f-0016d3cca427"),
        "no matcher": httpx.get(f"{url}/alerts", params={"filter": "???"}),
        "no receiver": httpx.get(f"{url}/alerts", params={"receiver": "("}),
        "not JSON": httpx.post(f"{url}/silences", content=b"{"),
        "not a list": httpx.post(f"{url}/alerts", json={"labels": {}}),
        "no matchers": httpx.post(f"{url}/silences", json={"startsAt": "2026-01-01T00:00:00Z", "endsAt": "x"}),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "no such silence": 404, "no matcher": 400, "no receiver": 400, "not JSON": 400, "not a list": 400,
        "no matchers": 400,
    }  # fmt: skip
    assert all(isinstance(answer.json(), str) and answer.json() for answer in answers.values())


def test_of_several_alerts_the_right_ones_are_taken(running, amtool):
    answer = httpx.post(
        f"{running.url}/api/v2/alerts", json=[{"labels": {}}, {"labels": {"alertname": "Right", "service": "mixed"}}]
    )
    assert (answer.status_code, answer.json()) == (400, "at least one label pair required")
    wait_for(lambda: shown(amtool, "service=mixed"), {"Right": "active"})
