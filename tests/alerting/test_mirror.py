"""Alerts repeated to Alertmanagers: a real one takes them, tells of them, and hears of their end."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from alerting.mirror import AlertmanagerTarget
from alerting.rfc3339 import parse_time
from alerting.secret_references import SecretReference
from telemetry.windows import NANOS
from tests.alerting.hook_server import HookServer, status
from tests.alerting.makers import LOOPBACK, Recorder, at, finding, parse, run, set_up, undiagnosed
from tests.external import require_program

CONFIG = """
route: {{receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "{url}"}}]}}]
"""


@dataclass
class Alertmanager:
    """The process, and where it listens."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def url(self) -> str:
        found = wait_for(lambda: re.search(r'msg="Listening on" address=(\S+)', "".join(self.lines)))
        return f"http://{found[1]}"

    def alerts(self) -> dict[str, str]:
        """Name and state of the alerts that it holds."""
        found = httpx.get(f"{self.url}/api/v2/alerts", timeout=10).json()
        return {alert["labels"]["slo"]: alert["status"]["state"] for alert in found}


def wait_for(look: Callable[[], object]):
    deadline = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < deadline, "never happened"
        time.sleep(0.02)
    return found


@pytest.fixture
def alertmanager(tmp_path: Path, hook: HookServer) -> Iterator[Alertmanager]:
    program = require_program("prometheus-alertmanager", "prometheus-alertmanager")
    (tmp_path / "am.yml").write_text(CONFIG.format(url=hook.url))
    process = subprocess.Popen(
        [
            program, "--config.file=am.yml", "--storage.path=am", "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    running = Alertmanager(process)
    reader = threading.Thread(target=running.read)
    reader.start()
    try:
        yield running
    finally:
        process.terminate()
        process.wait(20)
        reader.join()


def told(hook: HookServer) -> list[tuple[str, list[str]]]:
    """What the real Alertmanager told its receiver: status, and the SLOs of the alerts."""
    documents = [request.document for request in hook.requests]
    return [(one["status"], sorted(alert["labels"]["slo"] for alert in one["alerts"])) for one in documents]


def test_a_real_alertmanager_tells_of_our_alerts_and_of_their_end(lite, hook, alertmanager):
    alerting = set_up(
        lite, alertmanagers=(AlertmanagerTarget(alertmanager.url, trust=LOOPBACK),), external_url="https://tailwatch"
    )
    began_ns = time.time_ns()  # an Alertmanager lives in real time
    held = finding(slo="chat-errors", tenant="a<b")
    alerting.apply([held], undiagnosed, began_ns)
    alerting.mirror.step(began_ns)
    wait_for(lambda: told(hook) == [("firing", ["chat-errors"])])
    (alert,) = hook.requests[0].document["alerts"]
    assert alert["labels"] == dict(held.labels)
    assert alert["annotations"] == {"incident": "INC-1", "summary": "errors-burn of chat-errors"}
    assert alert["generatorURL"] == "https://tailwatch/slo?slo=chat-errors"
    alerting.mirror.step(began_ns + 30 * NANOS)
    assert alertmanager.alerts() == {"chat-errors": "active"}
    for second in (0, 61):  # absent, and absent for long enough
        alerting.apply([], undiagnosed, began_ns - (70 - second) * NANOS)
    alerting.mirror.step(time.time_ns())
    wait_for(lambda: told(hook)[-1] == ("resolved", ["chat-errors"]))
    assert alertmanager.alerts() == {}


@pytest.fixture
def mirrored(lite, hook, monkeypatch):
    """Alerting that keeps the hook informed as if it were an Alertmanager."""
    monkeypatch.setenv("AM_TOKEN", "s3cret")
    target = AlertmanagerTarget(hook.url.removesuffix("/hook") + "/am/", SecretReference("env", "AM_TOKEN"), LOOPBACK)
    return set_up(lite, Recorder(), alertmanagers=(target,))


def sent(hook: HookServer) -> dict[str, float]:
    """SLO and end, in seconds after the tests' beginning of time, of what was sent last."""
    return {
        alert["labels"]["slo"]: ((parse_time(alert["endsAt"]) or 0) - at(0)) / NANOS
        for alert in json.loads(hook.requests[-1].body)
    }


def test_what_holds_is_sent_again_with_a_later_end_and_an_end_for_five_minutes(mirrored, hook):
    run(mirrored, [finding(slo="a")], 0, 20)
    for now in (20, 50):
        mirrored.mirror.step(at(now))
        assert sent(hook) == {"a": now + 120.0}
    run(mirrored, [], 60, 130)
    mirrored.mirror.step(at(130))
    assert sent(hook) == {"a": 120.0}
    mirrored.mirror.step(at(419))
    assert sent(hook) == {"a": 120.0}
    count = len(hook.requests)
    mirrored.mirror.step(at(421))
    assert len(hook.requests) == count, "it has ended long ago"


def test_what_is_suppressed_is_ended_and_what_was_never_told_is_not_sent(mirrored, hook):
    page = finding(slo="a")
    ticket = finding("slow", slo="a", severity="ticket", suppressed_by=page.fingerprint)
    run(mirrored, [page, ticket], 0, 20)
    mirrored.mirror.step(at(20))
    assert [alert["labels"]["severity"] for alert in json.loads(hook.requests[-1].body)] == ["page"]


def test_the_token_is_sent_and_the_path_is_right(mirrored, hook):
    run(mirrored, [finding()], 0, 10)
    mirrored.mirror.step(at(10))
    assert hook.requests[-1].line == "POST /am/api/v2/alerts HTTP/1.1"
    assert hook.requests[-1].headers["authorization"] == "Bearer s3cret"


def test_a_failure_shows_in_the_health_until_it_is_over(mirrored, hook, caplog):
    run(mirrored, [finding()], 0, 10)
    hook.otherwise = status(503)
    for now in (10, 40, 70):
        mirrored.mirror.step(at(now))
    failing = mirrored.health()[-1]
    assert (failing.waiting_since_ns, failing.last_error) == (at(10), "answered 503: ok")
    assert len([record for record in caplog.records if "was not informed" in record.message]) == 1
    hook.otherwise = status(200)
    mirrored.mirror.step(at(100))
    assert mirrored.health()[-1].last_error is None


def test_many_alerts_go_in_parts(mirrored, hook):
    run(mirrored, [finding(slo=f"slo-{number}") for number in range(1200)], 0, 10)
    mirrored.mirror.step(at(10))
    assert [len(json.loads(request.body)) for request in hook.requests] == [500, 500, 200]


def test_the_configuration():
    parsed = parse({"alertmanagers": [{"url": "http://am:9093", "bearer_token_env": "AM_TOKEN"}]})
    assert parsed.alertmanagers == (AlertmanagerTarget("http://am:9093", SecretReference("env", "AM_TOKEN")),)
