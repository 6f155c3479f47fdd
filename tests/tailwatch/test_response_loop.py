"""A bad release, its incident, the rollback by a hook, the recovery, and the incident that ends by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from reference_model.engine.versions import VersionRouter
from storage import audit
from tailwatch.cli import main
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import traces

SLO = """
  - name: chat-errors
    service: chat
    sli: {errors: {}}
    objective: 99%
    alert: [{sequential: {severity: page, arl: 30d}}]
"""


class Deployment:
    """A model with versions, of which v2 fails half of its requests, and the endpoint that rolls it back."""

    def __init__(self) -> None:
        self.router = VersionRouter({"m": ("v1", "v2")})
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        deployment = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                deployment.asked.append(body)
                deployment.keys.append(self.headers["Idempotency-Key"])
                split = deployment.router.rollback(body["model"], body["version"])
                answer = json.dumps({"shares": dict(split.shares)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def serve_a_minute(self, running: InProcess, first_id: int) -> None:
        """A hundred requests, answered by whichever version's turn it is; then an evaluation and a delivery."""
        versions = [self.router.choose("m")[1] for _ in range(100)]
        for version in sorted(set(versions)):
            count = versions.count(version)
            running.take(
                traces(
                    count, end_ns=running.clock.now_ns(), bad=count // 2 if version == "v2" else 0,
                    first_id=first_id + 1000 * (version == "v2"), attributes={"tailwatch.model.version": version},
                )
            )  # fmt: skip
        running.clock.advance(60)
        running.evaluate()
        running.service.alerting.deliver(running.clock.now_ns())


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    found = Deployment()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def section(deployment: Deployment, **changes: Any) -> dict[str, Any]:
    action = {
        "name": "rollback", "on": ["verdict"], "match": ['cause="bad-release"', 'service="chat"'],
        "url": f"http://{deployment.address}/admin/rollback",
        "body": '{"model": "m", "version": {{ incident.slice.model_version | tojson }}}', **changes,
    }  # fmt: skip
    return {"allow_private": ["127.0.0.1"], "hooks": {"allow": [deployment.address], "actions": [action]}}


def run(deployment: Deployment, running: InProcess, minutes: int, begin: int = 0) -> None:
    for minute in range(begin, begin + minutes):
        deployment.serve_a_minute(running, 1 + 10_000 * minute)


@contextmanager
def waiting(folder: Path, url: str, deployment: Deployment) -> Iterator[tuple[InProcess, httpx.Client]]:
    """The service once it has found the bad release, whose rollback waits for somebody to approve of it."""
    document = section(deployment, approval=True)
    with service_on(folder, url, SLO, alerting=document) as running, api_of(running.service) as client:
        run(deployment, running, 30)
        deployment.router.set_split("m", {"v1": 0.5, "v2": 0.5})
        run(deployment, running, 6, begin=30)
        yield running, client


def test_the_loop_closes_by_itself(tmp_path: Path, migrated_sqlite_url: str, deployment: Deployment) -> None:
    with service_on(tmp_path, migrated_sqlite_url, SLO, alerting=section(deployment)) as running:
        alerting = running.service.alerting
        run(deployment, running, 30)
        assert alerting.incidents() == []
        deployment.router.set_split("m", {"v1": 0.5, "v2": 0.5})
        run(deployment, running, 20, begin=30)
        (incident,) = alerting.incidents()
        assert (incident["cause"], incident["slice"]) == ("bad-release", {"model_version": "v2"})
        assert deployment.asked == [{"model": "m", "version": "v2"}]
        assert deployment.router.route("m").split.shares == {"v1": 1.0}
        assert incident["status"] == "resolved"
        events = [(event["kind"], event["author"]) for event in alerting.incident("INC-1")["timeline"]]
        assert events.index(("hook", "tailwatch")) < events.index(("resolved", "tailwatch"))
        (entry,) = audit.load(running.service.database, action="hook.run")
        assert entry.detail["note"] == 'answered 200: {"shares": {"v1": 1.0}}'


def test_people_see_approve_and_stop_it(tmp_path: Path, migrated_sqlite_url: str, deployment: Deployment) -> None:
    with waiting(tmp_path, migrated_sqlite_url, deployment) as (running, client):
        check_runbook(client)
        assert "waits for approval" in client.get("/api/v1/incidents/INC-1").text
        assert client.get("/api/v1/incidents/INC-1").json()["hooks"][0]["waiting"] is True
        assert "all hooks are switched off" in hooks(client, "stop", "--comment", "wait").output
        refused = hooks(client, "run", "INC-1", "rollback")
        assert (refused.exit_code, "all hooks are switched off by ada: wait" in refused.output) == (1, True)
        assert "switched off" not in hooks(client, "start").output
        assert "run 1 of rollback for INC-1: queued" in hooks(client, "run", "INC-1", "rollback").output
        running.service.alerting.deliver(running.clock.now_ns())
        assert deployment.router.route("m").split.shares == {"v1": 1.0}
        listed = hooks(client, "list").output
        assert "run 1 for INC-1 (by hand, ada): sent answered 200" in listed
        assert "no hook 'nope'" in hooks(client, "stop", "nope").output
        assert client.post("/api/v1/incidents/INC-9/hooks/rollback", json={"author": "a"}).status_code == 404
        assert client.post("/api/v1/incidents/INC-1/hooks/rollback", json={"author": "a"}).status_code == 409
        assert client.post("/api/v1/incidents/INC-1/hooks/rollback", json={}).status_code == 422
        actions = [entry.action for entry in audit.load(running.service.database, action="hook")]
        assert actions == ["hook.run", "hook.approve", "hook.on", "hook.off", "hook.run"]


def test_a_person_denies_it(tmp_path: Path, migrated_sqlite_url: str, deployment: Deployment) -> None:
    with waiting(tmp_path, migrated_sqlite_url, deployment) as (running, client):
        denied = hooks(client, "deny", "INC-1", "rollback", "--comment", "not at night").output
        assert "run 1 of rollback for INC-1: refused denied by ada: not at night" in denied
        assert deployment.asked == []
        again = hooks(client, "deny", "INC-1", "rollback")
        assert (again.exit_code, "no run of hook rollback waits for approval for INC-1" in again.output) == (1, True)
        (entry,) = audit.load(running.service.database, action="hook.deny")
        assert (entry.actor, entry.address) == ("anonymous", "127.0.0.1")


def hooks(client: httpx.Client, verb: str, *words: str) -> Result:
    author = () if verb == "list" else ("--author", "ada")
    return CliRunner().invoke(main, ["hooks", verb, *words, *author, "--url", str(client.base_url)])


def check_runbook(client: httpx.Client) -> None:
    """The live steps say who fails now and who failed before, in both formats."""
    command = ["runbook", "render", "bad-release", "--incident", "INC-1", "--url", str(client.base_url)]
    markdown = CliRunner().invoke(main, command).output
    assert "| `v2` | 50 % of 250 | no requests |" in markdown
    assert "| `v1` | 0 % of 250 | 0 % of 1,500 |" in markdown
    assert "The SLO is **" in markdown
    page = CliRunner().invoke(main, [*command, "--format", "html"]).output
    assert page.startswith("<!doctype html>")
    assert "<td><code>v2</code></td>" in page
    assert "| `v2` | 50 % of" in client.get("/api/v1/incidents/INC-1").json()["runbook_markdown"]
    names = {one["name"] for one in client.get("/api/v1/runbooks").json()["runbooks"]}
    assert {"bad-release", "monitor-down"} <= names
    missing = CliRunner().invoke(main, ["runbook", "render", "nope", "--incident", "INC-1", *command[5:]])
    assert missing.exit_code == 1
    assert "there is no runbook 'nope'" in missing.output


def test_runbooks_are_listed_and_checked(tmp_path: Path) -> None:
    (tmp_path / "tailwatch.yaml").write_text("alerting: {runbooks: own}\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.md").write_text("## What to do now\n\n{% include 'x' %}\n")
    config = ["--config", str(tmp_path / "tailwatch.yaml"), "runbook"]
    listed = CliRunner().invoke(main, [*config, "list"]).output
    assert "yours" in next(line for line in listed.splitlines() if line.split()[0] == "mine")
    assert "shipped" in next(line for line in listed.splitlines() if line.split()[0] == "bad-release")
    linted = CliRunner().invoke(main, [*config, "lint"])
    assert linted.exit_code == 1
    assert f"{tmp_path}/own/mine.md:3" in linted.output
    assert "1 runbook, 1 problem" in linted.output
