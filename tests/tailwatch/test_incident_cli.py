"""``tailwatch incident``: an incident of the running service, from the list to the post-mortem."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from storage.audit import load as load_audit
from tailwatch.cli import main
from tests.tailwatch.declared import AVAILABILITY
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import traces


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str) -> Iterator[InProcess]:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as service:
        for minute in range(5):
            service.take(traces(100, end_ns=service.clock.now_ns(), bad=100, first_id=1 + 100 * minute))
            service.clock.advance(60)
            service.evaluate()
        yield service


@pytest.fixture
def incident(running: InProcess) -> Iterator[Callable[..., str]]:
    with api_of(running.service) as api:

        def run(*arguments: str, code: int = 0) -> str:
            done = CliRunner().invoke(main, ["incident", *arguments, "--url", str(api.base_url)])
            assert done.exit_code == code, done.output
            return done.output

        yield run


def act(incident: Callable[..., str], verb: str, *arguments: str) -> str:
    return incident(verb, "INC-1", *arguments, "--author", "ada").strip()


def test_what_goes_on_is_listed_and_shown(incident):
    head, row = incident("list").splitlines()
    assert head.split() == ["incident", "severity", "status", "since", "(UTC)", "who", "what"]
    assert row.split()[:3] == ["INC-1", "page", "open"]
    shown = incident("show", "INC-1").splitlines()
    assert shown[0].startswith("INC-1  chat: ")
    assert shown[1].endswith("in charge: nobody")
    assert any(line.startswith("firing") and "service=chat" in line for line in shown)
    assert any("tailwatch     opened        " in line for line in shown)
    assert "nobody hears of it: no receiver is configured" in shown
    assert json.loads(incident("show", "INC-1", "--json"))["id"] == "INC-1"
    assert [one["id"] for one in json.loads(incident("list", "--json"))["incidents"]] == ["INC-1"]
    assert incident("list", "--status", "resolved") == "no incidents\n"


def test_every_action_is_done_and_who_did_it_is_kept(running, incident):
    assert act(incident, "acknowledge", "-m", "looking") == "INC-1  page, acknowledged, ada"
    assert act(incident, "assign", "bob") == "INC-1  page, acknowledged, bob"
    assert act(incident, "assign") == "INC-1  page, acknowledged, ada"
    assert act(incident, "snooze", "--for", "2h") == "INC-1  page, acknowledged, ada"
    assert "snoozed until 20" in incident("show", "INC-1")
    assert act(incident, "reclassify", "ticket") == "INC-1  ticket, acknowledged, ada"
    assert act(incident, "comment", "rolled back") == "INC-1  ticket, acknowledged, ada"
    assert act(incident, "resolve", "-m", "over") == "INC-1  ticket, resolved, ada"
    assert incident("list") == "nothing goes on\n"
    assert act(incident, "reopen") == "INC-1  ticket, open"
    entries = load_audit(running.service.database)[::-1]
    assert [(entry.action, entry.detail["author"]) for entry in entries] == [
        (f"incident.{verb}", "ada") for verb in
        ("acknowledge", "assign", "assign", "snooze", "reclassify", "comment", "resolve", "reopen")
    ]  # fmt: skip


def test_what_is_silenced_is_marked_and_says_by_whom_and_until_when(running, incident):
    silence = {
        "matchers": [{"name": "service", "value": "chat", "isRegex": False}], "startsAt": "2023-01-01T00:00:00Z",
        "endsAt": "2099-01-01T06:00:00Z", "createdBy": "ada", "comment": "new \x1b[31mtokenizer",
    }  # fmt: skip
    assert "quiet:" not in incident("show", "INC-1")
    with api_of(running.service) as api:
        made = api.post("/api/v2/silences", json=silence).json()["silenceID"]
    assert "open, silenced" in incident("list")
    (quiet,) = [line for line in incident("show", "INC-1").splitlines() if line.startswith("quiet: ")]
    assert quiet.endswith(f" silenced until 2099-01-01 06:00:00 UTC by ada: new  [31mtokenizer (silence {made})")
    assert f"(silenced by {made}" in incident("show", "INC-1")
    (listed,) = json.loads(incident("list", "--json"))["incidents"]
    shown = json.loads(incident("show", "INC-1", "--json"))
    assert listed["suppressed"] == shown["suppressed"]
    assert {one["status"]["state"] for one in shown["alerts"] if "status" in one} == {"suppressed"}


def test_one_goes_on_in_another(running, incident):
    with api_of(running.service) as api:
        api.post("/api/v2/alerts", json=[{"labels": {"alertname": "Full", "service": "disk"}}]).raise_for_status()
    running.evaluate()
    said = incident("merge", "INC-2", "INC-1", "--author", "ada").strip()
    assert said == "INC-2  ticket, resolved, merged into INC-1"


def test_a_postmortem_is_drafted_to_the_screen_or_a_file(incident, tmp_path):
    assert "```mermaid" in incident("postmortem", "INC-1")
    assert incident("postmortem", "INC-1", "--graphs", "svg", "-o", str(tmp_path / "draft.md")) == ""
    assert "data:image/svg+xml" in (tmp_path / "draft.md").read_text()
    assert "No such file" in incident("postmortem", "INC-1", "-o", str(tmp_path / "no" / "draft.md"), code=1)


def test_what_makes_no_sense_is_said_in_a_sentence(incident):
    assert "there is no incident 'INC-9'" in incident("show", "INC-9", code=1)
    assert "cannot be merged into itself" in incident("merge", "INC-1", "INC-1", code=1)
    assert "is not a duration" in incident("snooze", "INC-1", "--for", "long", code=2)
