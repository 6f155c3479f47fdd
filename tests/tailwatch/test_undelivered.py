"""Notifications that were given up, over the API and the command line of one real service: listed, and tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from storage import audit, tokens
from tailwatch.access.secret import digest_of, new_secret
from tailwatch.cli import main
from telemetry.windows import NANOS
from tests.alerting.hook_server import HookServer, status
from tests.tailwatch.inprocess import InProcess, api_of, service_on

PATH = "/api/v1/notifications/undelivered"
ADA = {"author": "Ada"}


@pytest.fixture
def hook() -> Iterator[HookServer]:
    """A receiver that refuses everything, until a test lets it accept."""
    with HookServer() as server:
        server.otherwise = status(400, "no such channel")
        yield server


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str, hook: HookServer) -> Iterator[InProcess]:
    """Two incidents of which the receiver would not hear."""
    alerting = {
        "receivers": [{"name": "oncall", "webhook": {"url": hook.url}}],
        "allow_private": ["127.0.0.0/8"],
        "route": {"receiver": "oncall"},
    }
    with service_on(tmp_path, migrated_sqlite_url, alerting=alerting) as found:
        alerts = [{"alertname": "Slow", "severity": "page", "service": name} for name in ("chat", "search")]
        with api_of(found.service) as client:
            client.post("/api/v2/alerts", json=[{"labels": one} for one in alerts]).raise_for_status()
        found.evaluate()
        deliver(found)
        yield found


def deliver(running: InProcess) -> None:
    running.service.alerting.deliver(running.clock.now_ns())


@pytest.fixture
def api(running: InProcess) -> Iterator[httpx.Client]:
    with api_of(running.service) as client:
        yield client


@pytest.fixture
def tailwatch(api: httpx.Client) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        asked = ["alerts", "undelivered", "--url", str(api.base_url), "--author", "Ada", *arguments]
        return CliRunner().invoke(main, asked)

    return run


def test_what_was_given_up_is_listed_and_one_of_it_is_told_again(
    running: InProcess, api: httpx.Client, hook: HookServer
) -> None:
    lost, other = api.get(PATH).json()["undelivered"]
    now = running.clock.now_ns() / NANOS
    assert lost == {
        "id": 2, "incident": "INC-2", "receiver": "oncall/webhook", "reason": "opened", "attempts": 1,
        "error": "answered 400: no such channel", "created_at": now, "given_up_at": pytest.approx(now, abs=60),
    }  # fmt: skip
    assert (other["id"], other["incident"]) == (1, "INC-1")
    hook.otherwise = status(200)
    assert api.post(f"{PATH}/2/retry", json=ADA).json() == {"retried": [lost]}
    deliver(running)
    assert hook.requests[-1].headers["idempotency-key"] in {one.headers["idempotency-key"] for one in hook.requests[:2]}
    assert api.get(PATH).json() == {"undelivered": [other]}
    (entry,) = audit.load(running.service.database, action="notification")
    assert (entry.action, entry.subject, entry.actor) == ("notification.retry", "INC-2", "anonymous")
    assert entry.detail == {"id": 2, "receiver": "oncall/webhook", "reason": "opened", "author": "Ada"}


def test_all_of_it_is_told_again(running: InProcess, api: httpx.Client, hook: HookServer) -> None:
    hook.otherwise = status(200)
    assert [one["id"] for one in api.post(f"{PATH}/retry", json=ADA).json()["retried"]] == [2, 1]
    deliver(running)
    assert len(hook.requests) == 4
    assert api.get(PATH).json() == {"undelivered": []}
    assert api.post(f"{PATH}/retry", json=ADA).json() == {"retried": []}


def test_what_cannot_be_tried_again_is_one_sentence(api: httpx.Client) -> None:
    unknown = api.post(f"{PATH}/4711/retry", json=ADA)
    assert (unknown.status_code, unknown.json()["error"]) == (
        404,
        {
            "what": "there is no notification 4711", "where": f"{PATH}/4711/retry",
            "remedy": "take an id from the list of those given up",
        },
    )  # fmt: skip
    api.post(f"{PATH}/1/retry", json=ADA).raise_for_status()
    waits = api.post(f"{PATH}/1/retry", json=ADA)
    assert (waits.status_code, waits.json()["error"]["what"]) == (
        409, "notification 1 cannot be tried again: it waits to be delivered",
    )  # fmt: skip
    for path in (f"{PATH}/0/retry", f"{PATH}/{2**63}/retry", f"{PATH}/x/retry"):
        assert api.post(path, json=ADA).status_code == 422
    for body in ({}, {"author": ""}, {"author": " "}, {**ADA, "more": 1}):
        assert api.post(f"{PATH}/2/retry", json=body).status_code == 422
    assert [one["id"] for one in api.get(PATH).json()["undelivered"]] == [2]


def test_it_takes_the_scope_respond_and_the_audit_log_names_the_token(running: InProcess, api: httpx.Client) -> None:
    database, now_ns = running.service.database, running.clock.now_ns()
    headers = {}
    for scope in ("read", "respond"):
        secret = new_secret()
        tokens.create(database, f"{scope}s", [scope], digest_of(secret), expires_ns=None, now_ns=now_ns, actor="tests")
        headers[scope] = {"Authorization": f"Bearer {secret}"}
    running.service.keyring.step(now_ns)
    assert api.get(PATH).status_code == 401
    assert len(api.get(PATH, headers=headers["read"]).json()["undelivered"]) == 2
    for path in (f"{PATH}/retry", f"{PATH}/1/retry"):
        assert api.post(path, json=ADA, headers=headers["read"]).status_code == 403
    assert api.post(f"{PATH}/1/retry", json=ADA, headers=headers["respond"]).status_code == 200
    (entry,) = audit.load(database, action="notification")
    assert (entry.subject, entry.actor) == ("INC-1", "responds")


def test_the_command_lists_and_tries_again(
    running: InProcess, tailwatch: Callable[..., Result], hook: HookServer
) -> None:
    listed = tailwatch()
    assert (listed.exit_code, listed.output.splitlines()) == (
        0,
        [
            "2  INC-2  oncall/webhook  opened  answered 400: no such channel",
            "1  INC-1  oncall/webhook  opened  answered 400: no such channel",
        ],
    )
    hook.otherwise = status(200)
    assert tailwatch("--retry", "1").output == "1  INC-1  oncall/webhook is told again (opened)\n"
    assert tailwatch("--retry", "all").output == "2  INC-2  oncall/webhook is told again (opened)\n"
    deliver(running)
    assert len(hook.requests) == 4
    assert (tailwatch().exit_code, tailwatch().output) == (0, "")
    assert tailwatch("--retry", "all").output == "nothing was given up\n"
    assert {entry.detail["author"] for entry in audit.load(running.service.database, action="notification")} == {"Ada"}


def test_what_the_command_cannot_do_is_one_sentence(tailwatch: Callable[..., Result]) -> None:
    def refused(*arguments: str) -> str:
        done = tailwatch(*arguments)
        assert (done.exit_code, "Traceback" in done.output) == (2 if "some" in arguments else 1, False)
        return done.output.splitlines()[-1]

    assert "there is no notification 4711" in refused("--retry", "4711")
    tailwatch("--retry", "1")
    assert "notification 1 cannot be tried again: it waits to be delivered" in refused("--retry", "1")
    assert refused("--retry", "some").endswith("Invalid value for --retry: write the number from the list, or all")


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    for arguments in ([], ["--retry", "all"]):
        asked = ["alerts", "undelivered", "--url", "http://127.0.0.1:1", *arguments]
        done = CliRunner().invoke(main, asked)
        assert done.exit_code == 1
        (line,) = done.output.splitlines()
        assert "http://127.0.0.1:1: the service gave no answer" in line
        assert line.endswith("check that it runs, or give another --url")
