"""Response hooks: what runs, how often, what stops it, and what is written down; over real HTTP."""

from __future__ import annotations

import json
import multiprocessing
import threading
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event

from alerting.receivers.signature import verify
from alerting.service import Alerting
from storage import audit
from storage.database import Database
from telemetry.clock import ManualClock
from tests.alerting import makers
from tests.alerting.hook_makers import (
    bad_release,
    document_for,
    hook_events,
    open_incident,
    set_up,
    states,
)
from tests.alerting.hook_server import drip, silence, status
from tests.alerting.makers import T0, at, diagnosis, finding


def test_a_verdict_calls_its_hook_once_and_all_of_it_is_written_down(lite, hook, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "hush-hush")
    monkeypatch.setenv("DEPLOY_KEY", "k-12345")
    hook.otherwise = status(200, '{"shares": {"v1": 1.0}, "echo": "k-12345", "token": "abcdef"} ' + "x" * 300)
    alerting = set_up(
        lite,
        hook,
        secret_env="HOOK_SECRET",
        secret_headers={"X-Api-Key": {"env": "DEPLOY_KEY"}},
        headers={"X-Why": "slo"},
    )
    open_incident(alerting)
    alerting.deliver(at(1))
    for second in (10, 20):
        alerting.apply([finding()], bad_release(), at(second))
        alerting.deliver(at(second))
    (request,) = hook.requests
    assert request.document == {"model": "m", "version": "v3", "event": "verdict"}
    assert (request.headers["x-api-key"], request.headers["x-why"]) == ("k-12345", "slo")
    assert request.headers["x-tailwatch-hook"] == "rollback"
    assert len(request.headers["idempotency-key"]) == 32
    timestamp, signature = request.headers["x-tailwatch-timestamp"], request.headers["x-tailwatch-signature"]
    assert verify("hush-hush", timestamp, request.body, signature, now_s=at(1) / 1e9)
    (event,) = hook_events(alerting)
    assert event.startswith("Hook rollback ran (verdict, POST http://127.0.0.1:")
    assert 'answered 200: {"shares": {"v1": 1.0}' in event
    assert "k-12345" not in event
    assert "abcdef" not in event
    assert len(event) < 400
    (run,) = alerting.incident("INC-1")["hook_runs"]
    assert (run["state"], run["attempts"], run["author"], run["sent_at"]) == ("sent", 1, "tailwatch", at(1) / 1e9)
    (entry,) = audit.load(lite, action="hook")
    assert (entry.action, entry.subject, entry.detail["state"]) == ("hook.run", "rollback", "sent")
    assert "k-12345" not in json.dumps(entry.to_json())


@pytest.mark.parametrize(
    ("verdict", "runs"),
    [
        (bad_release(0.95), 1),
        (bad_release(0.79), 0),
        (lambda _: diagnosis("bad-release", None, model_version="v3"), 0),
        (lambda _: diagnosis("slice-errors", 1.0), 0),
        (lambda _: None, 0),
    ],
)
def test_only_a_verdict_that_is_sure_enough_and_matches_runs_it(lite, hook, verdict, runs):
    alerting = set_up(lite, hook)
    alerting.apply([finding()], verdict, at(0))
    alerting.deliver(at(1))
    assert len(hook.requests) == runs


def test_a_verdict_that_comes_later_runs_it_then(lite, hook):
    alerting = set_up(lite, hook)
    open_incident(alerting, verdict=lambda _: None)
    for second in range(10, 120, 10):
        alerting.apply([finding()], bad_release(), at(second))
        alerting.deliver(at(second))
    assert len(hook.requests) == 1


def test_every_event_runs_the_hook_that_waits_for_it(lite, hook):
    alerting = set_up(
        lite,
        hook,
        on=["open", "acknowledge", "resolve"],
        per_incident=5,
        per_hour=10,
        body='{"e": {{ event | tojson }}}',
    )
    open_incident(alerting)
    alerting.deliver(at(1))
    alerting.acknowledge("INC-1", "maria", "", at(2))
    alerting.deliver(at(2))
    alerting.resolve("INC-1", "maria", "", at(3))
    alerting.deliver(at(3))
    alerting.reopen("INC-1", "maria", "", at(4))
    alerting.deliver(at(4))
    assert [request.document["e"] for request in hook.requests] == ["open", "acknowledge", "resolve", "open"]


def test_a_dry_run_writes_down_what_it_would_have_sent_and_sends_nothing(lite, hook):
    alerting = set_up(lite, hook, dry_run=True)
    open_incident(alerting)
    alerting.deliver(at(1))
    assert hook.requests == []
    (event,) = hook_events(alerting)
    assert event.startswith("Hook rollback would have run (verdict, POST http://127.0.0.1:")
    assert '"version": "v3"' in event
    assert states(alerting) == ["dry run"]
    assert audit.load(lite, action="hook.run")[0].detail["state"] == "dry run"


def test_the_limits_hold_per_incident_and_per_hour(lite, hook):
    alerting = set_up(lite, hook, per_hour=2, per_incident=1)
    for number, second in enumerate((0, 1000, 2000, 3700), start=1):
        open_incident(alerting, second, service=f"s{number}")
        alerting.deliver(at(second + 1))
    assert len(hook.requests) == 3
    assert [states(alerting, f"INC-{number}") for number in (1, 2, 3, 4)] == [["sent"], ["sent"], ["refused"], ["sent"]]
    assert "it has run 2 times within an hour, as often as it may" in hook_events(alerting, "INC-3")[0]


def test_a_lost_answer_is_asked_for_again_under_the_same_key(lite, hook):
    hook.answers = [silence, status(503), drip(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"x")]
    alerting = set_up(lite, hook, timeout="200ms")
    open_incident(alerting)
    for second in (1, 10, 60):
        alerting.deliver(at(second))
    keys = {request.headers["idempotency-key"] for request in hook.requests}
    assert (len(hook.requests), len(keys)) == (3, 1)
    (run,) = alerting.incident("INC-1")["hook_runs"]
    assert (run["state"], run["attempts"], run["note"]) == (
        "sent",
        3,
        "answered 200: (its answer did not arrive in full)",
    )
    assert len(audit.load(lite, action="hook.run")) == 3
    assert len(hook_events(alerting)) == 1


def deliver_for(url: str, document: dict[str, Any]) -> None:
    """A process that delivers what is due at second 1, until it is killed."""
    with Database(url) as database:
        Alerting(database, makers.parse(document), ManualClock(T0), makers.SHIPPED).deliver(at(1))


def test_a_process_killed_while_the_hook_answers_has_it_asked_again_under_the_same_key(lite, hook, tmp_path):
    arrived = threading.Event()

    def never_answers(connection, closing):
        arrived.set()
        silence(connection, closing)

    hook.answers = [never_answers]
    alerting = set_up(lite, hook)
    open_incident(alerting)
    process = multiprocessing.get_context("spawn").Process(
        target=deliver_for, args=(f"sqlite:///{tmp_path / 'tailwatch.db'}", document_for(hook))
    )
    process.start()
    assert arrived.wait(60)
    process.kill()
    process.join()
    alerting.deliver(at(10))
    assert len(hook.requests) == 1, "the lease of the killed process still holds"
    alerting.deliver(at(40))
    first, second = hook.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    assert states(alerting) == ["sent"]
    assert len(hook_events(alerting)) == 1


def test_a_refusal_is_final_and_quoted(lite, hook):
    hook.otherwise = status(403, "no such deployment; password=hunter2")
    alerting = set_up(lite, hook)
    open_incident(alerting)
    for second in (1, 10):
        alerting.deliver(at(second))
    assert len(hook.requests) == 1
    assert states(alerting) == ["failed"]
    assert "Hook rollback failed" in hook_events(alerting)[0]
    assert "answered 403: no such deployment; password=***" in hook_events(alerting)[0]


def test_a_redirect_is_not_followed(lite, hook):
    hook.otherwise = status(307, Location=hook.url)
    alerting = set_up(lite, hook)
    open_incident(alerting)
    alerting.deliver(at(1))
    alerting.deliver(at(2))
    assert (len(hook.requests), states(alerting)) == (1, ["failed"])


def test_what_waits_is_not_sent_once_the_incident_is_over(lite, hook):
    hook.answers = [status(503)]
    alerting = set_up(lite, hook)
    open_incident(alerting)
    alerting.deliver(at(1))
    alerting.resolve("INC-1", "maria", "", at(2))
    alerting.deliver(at(60))
    assert len(hook.requests) == 1
    assert states(alerting) == ["refused"]
    assert "the incident was resolved before it could be sent" in hook_events(alerting)[0]


def test_what_has_waited_too_long_is_given_up(lite, hook):
    hook.otherwise = status(503)
    alerting = set_up(lite, hook, expires_after="5m")
    open_incident(alerting)
    alerting.deliver(at(1))
    alerting.deliver(at(299))
    alerting.deliver(at(400))
    assert states(alerting) == ["refused"]
    assert "could not be sent within 5m" in hook_events(alerting)[0]


def test_thousands_of_incidents_at_once_ask_a_few_questions_of_the_database(lite, hook):
    alerting = set_up(lite, hook, on=["open"], match=['severity="page"'])
    statements = []
    sqlalchemy_event.listen(lite._writer, "before_cursor_execute", lambda *words: statements.append(words[2]))
    alerting.apply([finding(service=f"s{number}") for number in range(300)], lambda _: None, at(0))
    assert len(statements) < 30
    assert [state for number in range(1, 301) for state in states(alerting, f"INC-{number}")].count("queued") == 3
    assert len(alerting.hooks(at(1))["hooks"][0]["runs"]) == 20


def test_a_hook_that_does_not_help_pauses_itself_until_somebody_starts_it(lite, hook):
    alerting = set_up(lite, hook, pause_after=2, better_within="10m")
    for number in (1, 2, 3):
        open_incident(alerting, number * 4000, service=f"s{number}")
        alerting.deliver(at(number * 4000 + 1))
    assert len(hook.requests) == 2
    assert (
        "it paused itself: after each of its last 2 runs the incident went on for over 10m"
        in hook_events(alerting, "INC-3")[0]
    )
    assert alerting.hooks(at(12100))["hooks"][0]["stopped"].startswith("it paused itself")
    alerting.switch_hook("rollback", off=False, author="maria", comment="fixed", now_ns=at(12200), actor="x")
    open_incident(alerting, 16000, service="s4")
    alerting.deliver(at(16001))
    assert len(hook.requests) == 3


def test_a_hook_that_helps_goes_on(lite, hook):
    alerting = set_up(lite, hook, pause_after=2, better_within="10m")
    for number in (1, 2, 3):
        open_incident(alerting, number * 4000, service=f"s{number}")
        alerting.deliver(at(number * 4000 + 1))
        makers.run(alerting, [], number * 4000 + 200, number * 4000 + 500, every=100)
        assert alerting.incident(f"INC-{number}")["status"] == "resolved"
    assert len(hook.requests) == 3


def test_an_address_by_reference_is_held_against_the_list_when_it_is_called(lite, hook, monkeypatch):
    monkeypatch.setenv("HOOK_URL", "http://127.0.0.1:1/elsewhere")
    alerting = set_up(lite, hook, url=None, url_env="HOOK_URL")
    open_incident(alerting)
    alerting.deliver(at(1))
    (run,) = alerting.incident("INC-1")["hook_runs"]
    assert (run["state"], "may not call the host" in run["note"]) == ("queued", True)
    monkeypatch.setenv("HOOK_URL", hook.url)
    alerting.deliver(at(60))
    assert len(hook.requests) == 1


def test_a_private_address_is_not_called_without_leave(lite, hook):
    document = {"hooks": {"allow": [hook.url.split("/")[2]], "actions": [
        {"name": "rollback", "on": ["open"], "match": ['service="chat"'], "url": hook.url}]}}  # fmt: skip
    alerting = Alerting(lite, makers.parse(document), ManualClock(T0), makers.SHIPPED)
    open_incident(alerting)
    alerting.deliver(at(1))
    assert hook.requests == []
    assert states(alerting) == ["queued"]


def test_a_hook_that_fails_from_its_template_says_so(lite, hook):
    alerting = set_up(lite, hook, body='{"x": {{ no_such_thing }}}')
    open_incident(alerting)
    alerting.deliver(at(1))
    assert hook.requests == []
    assert "its template failed: UndefinedError: 'no_such_thing' is undefined" in hook_events(alerting)[0]
