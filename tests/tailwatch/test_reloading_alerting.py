"""A reload puts the alerting section in force: who is told, by which routes; an error leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import select

from alerting.tables import outbox
from tailwatch.cli import main
from telemetry.windows import NANOS
from tests.alerting.hook_server import HookServer, status
from tests.tailwatch.declared import AVAILABILITY
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import traces

AT_ONCE = {"group_wait": "0s", "group_interval": "1s"}


@pytest.fixture
def hooks() -> Iterator[HookServer]:
    with HookServer() as server:
        yield server


def alerting(hooks: HookServer, *names: str, **more: Any) -> dict[str, Any]:
    """Receivers of these names, the first of which is told."""
    receivers = [{"name": name, "webhook": {"url": f"{hooks.url}/{name}", "format": "tailwatch"}} for name in names]
    return {"receivers": receivers, "route": {"receiver": names[0], **AT_ONCE}, "allow_private": ["127.0.0.1"], **more}


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str, hooks: HookServer) -> Iterator[InProcess]:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY, alerting=alerting(hooks, "night")) as service:
        yield service


def write(folder: Path, section: Any) -> None:
    path = folder / "tailwatch.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "alerting": section}), encoding="utf-8")


def reload(running: InProcess) -> Any:
    running.clock.advance(1)
    return running.service.reloader.reload(running.clock.now_ns())


def fail(running: InProcess) -> None:
    """Five minutes of failing requests, until an incident is open and its notification queued."""
    for minute in range(5):
        running.take(traces(100, end_ns=running.clock.now_ns(), bad=100, first_id=1 + 100 * minute))
        running.clock.advance(60)
        running.evaluate()


def deliver(running: InProcess) -> None:
    running.service.alerting.deliver(running.clock.now_ns())


def told(hooks: HookServer) -> list[str]:
    return [request.line.split()[1].removeprefix("/hook") for request in hooks.requests]


def queued(running: InProcess) -> list[tuple[str, str, str | None]]:
    query = select(outbox.c.receiver, outbox.c.status, outbox.c.last_error).order_by(outbox.c.id)
    with running.service.database.read() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def test_a_new_route_is_used_for_what_happens_next(
    running: InProcess, tmp_path: Path, hooks: HookServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write(tmp_path, alerting(hooks, "day", "night"))
    state = reload(running)
    assert (state.successful, state.restart) == (True, ())
    assert "alerting changed (new receivers day/webhook)" in caplog.text
    fail(running)
    deliver(running)
    assert set(told(hooks)) == {"/day"}


def test_what_waits_for_a_receiver_that_went_is_given_up_and_the_new_one_hears_of_the_incident(
    running: InProcess, tmp_path: Path, hooks: HookServer
) -> None:
    hooks.answers.append(status(503))
    fail(running)
    deliver(running)
    assert {(name, at) for name, at, _ in queued(running)} == {("night/webhook", "pending")}
    write(tmp_path, alerting(hooks, "day"))
    assert reload(running).successful
    running.clock.advance(60)
    running.evaluate()
    deliver(running)
    (incident,) = running.service.alerting.incidents()
    assert ("night/webhook", "failed", "the receiver is no longer configured") in queued(running)
    texts = [event["text"] for event in running.service.alerting.incident(incident["id"])["timeline"]]
    assert "night/webhook could not be told: it is no longer configured" in texts
    assert told(hooks)[-1] == "/day"


def test_a_receiver_that_stays_gets_what_waited_for_it(running: InProcess, tmp_path: Path, hooks: HookServer) -> None:
    hooks.answers.append(status(503))
    fail(running)
    deliver(running)
    write(tmp_path, alerting(hooks, "night", "day"))
    assert reload(running).successful
    running.clock.advance(60)
    deliver(running)
    assert {at for _, at, _ in queued(running)} <= {"delivered", "superseded"}
    assert told(hooks)[-1] == "/night"


def test_an_error_keeps_what_runs_and_is_told_with_the_errors_of_the_slo_files(
    running: InProcess, tmp_path: Path, hooks: HookServer
) -> None:
    wrong = alerting(hooks, "day", surprise=1)
    wrong["receivers"][0]["webhook"]["format"] = "prose"
    write(tmp_path, wrong)
    (tmp_path / "slos.yaml").write_text(f"version: 1\nslos:{AVAILABILITY.replace('99%', 'nine')}")
    state = reload(running)
    assert [(Path(one.file).name, one.field) for one in state.problems] == [
        ("tailwatch.yaml", "alerting.receivers[0].webhook.format"),
        ("tailwatch.yaml", "alerting.surprise"),
        ("slos.yaml", "slos[0].objective"),
    ]
    with api_of(running.service) as client:
        assert client.post("/api/v1/config/reload").status_code == 422
        assert not client.get("/api/v1/status").json()["config"]["successful"]
        assert "tailwatch_config_last_reload_successful 0.0" in client.get("/metrics").text
    fail(running)
    deliver(running)
    assert set(told(hooks)) == {"/night"}


def test_a_step_takes_over_the_alerting_section_and_the_runbooks(
    running: InProcess, tmp_path: Path, hooks: HookServer
) -> None:
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "error-burst.md").write_text("---\ntitle: Ours\n---\nRing Ada.\n", encoding="utf-8")

    def shown() -> str:
        (incident,) = running.service.alerting.incidents()
        text: str = running.service.alerting.incident(incident["id"])["runbook_markdown"]
        return text

    def steps() -> None:
        for _ in range(2):
            running.clock.advance(1)
            running.service.reloader.step(running.clock.now_ns())

    fail(running)
    assert "Ring Ada" not in shown()
    write(tmp_path, alerting(hooks, "night", runbooks="runbooks"))
    steps()
    assert "Ring Ada" in shown()
    (folder / "error-burst.md").write_text("---\ntitle: Ours\n---\nRing Grace first.\n", encoding="utf-8")
    steps()
    assert "Ring Grace first" in shown()


def test_alertmanagers_and_missing_secrets_follow_too(running: InProcess, tmp_path: Path, hooks: HookServer) -> None:
    section = alerting(hooks, "night", alertmanagers=[{"url": hooks.url}])
    section["receivers"][0]["webhook"]["secret_env"] = "NOT_SET_ANYWHERE"
    write(tmp_path, section)
    assert reload(running).successful
    assert any("NOT_SET_ANYWHERE" in str(warning) for warning in running.service.warnings())
    fail(running)
    running.service.alerting.mirror.step(running.clock.now_ns() + NANOS)
    assert "/api/v2/alerts" in told(hooks)


def test_the_command_tells_what_is_wrong_with_the_section(running: InProcess, tmp_path: Path) -> None:
    write(tmp_path, {"surprise": 1})
    with api_of(running.service) as client:
        found = CliRunner().invoke(main, ["reload", "--url", str(client.base_url)])
    assert found.exit_code == 1
    line = found.output.splitlines()[0]
    assert line.startswith(f"error: {tmp_path}")
    assert line.endswith(": alerting.surprise: there is no such setting; correct its name or remove it.")
