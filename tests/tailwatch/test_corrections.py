"""Corrections from end to end: made by anybody, in force at the next evaluation, and back again when cancelled."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from detectors.slo.compile import rule_id
from detectors.slo.exclusions import edges
from storage import corrections
from storage.compaction import compact
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from tailwatch.evaluator import Evaluator
from telemetry.corrections import Cancellation, NewCorrection
from telemetry.deltas import SliDelta
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, DRIFT, MINUTE_NS, START_NS, TAIL, slo_set
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import command, traces, write_config
from tests.tailwatch.test_evaluator import send, started

HOUR_NS = 60 * MINUTE_NS


def asked(start_ns: int, end_ns: int, slo: str = "availability") -> NewCorrection:
    return NewCorrection.checked(
        start_ns=start_ns, end_ns=end_ns, slos=[slo], matchers=[], author="ada", reason="node drain"
    )


def group_of(one: Evaluator, slo: str = "availability") -> dict[str, Any]:
    (group,) = one.statuses()[slo]["groups"]
    return dict(group)


def test_a_correction_after_the_fact_gives_the_budget_back_and_its_end_takes_it(
    database: Database, tmp_path: Path
) -> None:
    """Minutes 10 to 19 fail whole. Another process corrects them; the next step of the leader shows it."""
    slos = slo_set(tmp_path, AVAILABILITY)
    now_ns = START_NS + 40 * MINUTE_NS
    with started(database, slos, START_NS) as one:
        for minute in range(40):
            send(database, slos, 10, START_NS + minute * MINUTE_NS, bad=10 if 10 <= minute < 20 else 0)
        one.step(now_ns)
        spoilt = group_of(one)
        assert (spoilt["good"], spoilt["total"], spoilt["excluded"]) == (300, 400, 0)
        made = corrections.create(database, asked(START_NS + 10 * MINUTE_NS, START_NS + 20 * MINUTE_NS), now_ns)
        one.step(now_ns + NANOS)
        given_back = group_of(one)
        assert (given_back["good"], given_back["total"], given_back["excluded"]) == (300, 300, 100)
        assert given_back["budget_remaining"] == 1
        send(database, slos, 10, START_NS + 15 * MINUTE_NS, bad=3)
        one.step(now_ns + 2 * NANOS)
        assert (group_of(one)["total"], group_of(one)["excluded"]) == (300, 110), "late events of that time, too"
        corrections.cancel(database, made.id, Cancellation("bob", "it was ours", now_ns))
        one.step(now_ns + 3 * NANOS)
        assert (group_of(one)["good"], group_of(one)["total"], group_of(one)["excluded"]) == (307, 410, 0)


def test_only_the_slos_concerned_are_counted_anew(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY, TAIL)
    with started(database, slos, START_NS) as one:
        send(database, slos, 30, START_NS)
        one.step(START_NS + 5 * MINUTE_NS)
        trackers = dict(one._engine._trackers)
        corrections.create(database, asked(START_NS, START_NS + MINUTE_NS, "tail"), START_NS)
        one.step(START_NS + 6 * MINUTE_NS)
        assert one._engine._trackers["availability"] is trackers["availability"]
        assert one._engine._trackers["tail"] is not trackers["tail"]
        assert (group_of(one, "tail")["total"], group_of(one, "tail")["excluded"]) == (0, 1)
        assert group_of(one)["total"] == 30


@pytest.mark.parametrize("declared", [AVAILABILITY, TAIL, DRIFT])
def test_a_restart_shows_the_same(database: Database, tmp_path: Path, declared: str) -> None:
    slos = slo_set(tmp_path, declared)
    name = slos.slos[0].name
    corrections.create(database, asked(START_NS + 3 * MINUTE_NS, START_NS + 8 * MINUTE_NS, name), START_NS)
    now_ns = START_NS + 30 * MINUTE_NS
    with started(database, slos, START_NS) as one:
        for minute in range(30):
            more = {"attributes": {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": minute + 5}}
            send(database, slos, 25, START_NS + minute * MINUTE_NS, duration_ns=2 * NANOS, **more)
            one.step(START_NS + minute * MINUTE_NS)
        one.step(now_ns)
        shown = one.statuses()
    with started(database, slos, now_ns) as again:
        again.step(now_ns)
        assert again.statuses() == shown
        assert group_of(again, name)["excluded"] > 0 or declared is DRIFT


def test_what_was_folded_stays_exact_at_the_edges(database: Database, tmp_path: Path) -> None:
    """Counts older than three days lie in hours; those around the edges stay apart, and the answer is exact."""
    slos = slo_set(tmp_path, AVAILABILITY)
    rule = rule_id(slos.slos[0])
    start_ns, end_ns = START_NS + 17 * MINUTE_NS + 20 * NANOS, START_NS + 2 * HOUR_NS + 3 * MINUTE_NS + 10 * NANOS
    rows = [SliDelta(rule, '{"model":"m"}', START_NS + k * 10 * NANOS, 1 + k % 3, 3) for k in range(3 * 360)]
    commit(database, [PreparedPayload((b"0" * 16,), sli=rows)], START_NS)
    made = corrections.create(database, asked(start_ns, end_ns), START_NS)
    now_ns = START_NS + 100 * HOUR_NS
    with started(database, slos, now_ns) as one:
        one.step(now_ns)
        before = group_of(one)
        assert one.position is not None
        compact(database, now_ns, one.position, splits=lambda low, high: edges([made], low, high))
    with started(database, slos, now_ns) as again:
        again.step(now_ns)
        inside = [row for row in rows if start_ns <= row.bucket_ns < end_ns]
        shown = group_of(again)
        assert shown["excluded"] == sum(row.total for row in inside)
        assert shown["good"] == sum(row.good for row in rows) - sum(row.good for row in inside)
        assert (shown["good"], shown["total"]) == (before["good"], before["total"])


@pytest.fixture
def served(tmp_path: Path, database_url: str) -> Iterator[tuple[InProcess, httpx.Client]]:
    with service_on(tmp_path, database_url, AVAILABILITY) as running, api_of(running.service) as client:
        yield running, client


def body(**changed: object) -> dict[str, object]:
    return {
        "start": START_NS / NANOS, "end": START_NS / NANOS + 600, "slos": ["availability"], "author": "ada",
        "reason": "node drain", **changed,
    }  # fmt: skip


def test_the_api_corrects_lists_and_cancels(served: tuple[InProcess, httpx.Client]) -> None:
    running, client = served
    running.take(traces(20, end_ns=START_NS + 5 * MINUTE_NS, bad=20))
    running.clock.advance(6 * 60)
    made = client.post("/api/v1/corrections", json=body())
    assert made.status_code == 201
    running.evaluate()
    (group,) = client.get("/api/v1/slos/availability").json()["groups"]
    assert (group["state"], group["total"], group["excluded"], group["alerts"]) == ("corrected", 0, 20, [])
    number = made.json()["id"]
    ended = client.post(f"/api/v1/corrections/{number}/cancel", json={"author": "bob", "reason": "ours after all"})
    assert ended.json()["cancelled"]["author"] == "bob"
    running.evaluate()
    (group,) = client.get("/api/v1/slos/availability").json()["groups"]
    assert (group["total"], group["excluded"]) == (20, 0)
    listed = client.get("/api/v1/corrections", params={"slo": "availability"}).json()
    assert [one["id"] for one in listed["corrections"]] == [number]
    assert [(entry["action"], entry["author"]) for entry in listed["audit"]] == [
        ("created", "ada"),
        ("cancelled", "bob"),
    ]
    assert client.get("/api/v1/corrections", params={"slo": "other"}).json()["corrections"] == []


@pytest.mark.parametrize(
    ("changed", "status", "what"),
    [
        ({"slos": ["nope"]}, 404, "there is no SLO nope"),
        ({"slos": []}, 400, "names no SLO"),
        ({"slos": [], "matchers": ['service="nobody"']}, 404, "satisfy the matchers"),
        ({"matchers": ["model=~["]}, 400, "not a regular expression"),
        ({"end": START_NS / NANOS}, 400, "ends before it begins"),
        ({"author": "  "}, 400, "author is empty"),
        ({"start": "NaN"}, 422, "number"),
        ({"until": 5}, 422, "not permitted"),
    ],
)
def test_the_api_refuses_with_a_sentence(
    served: tuple[InProcess, httpx.Client], changed: dict[str, object], status: int, what: str
) -> None:
    _, client = served
    answer = client.post("/api/v1/corrections", json=body(**changed))
    assert answer.status_code == status
    assert what in answer.json()["error"]["what"]
    assert client.get("/api/v1/corrections").json() == {"corrections": [], "audit": []}


def test_cancelling_twice_or_what_is_not_there_is_refused(served: tuple[InProcess, httpx.Client]) -> None:
    _, client = served
    number = client.post("/api/v1/corrections", json=body()).json()["id"]
    why = {"author": "bob", "reason": "ours"}
    assert client.post(f"/api/v1/corrections/{number}/cancel", json=why).status_code == 200
    assert client.post(f"/api/v1/corrections/{number}/cancel", json=why).status_code == 409
    assert client.post("/api/v1/corrections/77/cancel", json=why).status_code == 404
    assert client.post(f"/api/v1/corrections/{2**64}/cancel", json=why).status_code == 422


def test_the_command_line_corrects_without_a_server(tmp_path: Path) -> None:
    config = write_config(tmp_path, {}, f"version: 1\nslos:{AVAILABILITY}")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        given = command("--config", config, "slo", *arguments)
        return subprocess.run(given, capture_output=True, text=True, cwd=tmp_path, check=False)

    what = ("--start", "2026-05-01T10:00+02:00", "--end", "2026-05-01T09:00", "--reason", "drain", "--author", "ada")
    made = run("correct", "availability", "--match", 'model="m"', *what)
    assert made.stdout == (
        'correction 1: 2026-05-01 08:00:00 UTC to 2026-05-01 09:00:00 UTC counts no more for availability {model="m"}\n'
    ), made.stderr
    assert run("corrections", "cancel", "1", "--reason", "wrong day", "--author", "bob").returncode == 0
    audit = run("corrections", "--audit").stdout
    assert [line.split()[3:5] for line in audit.splitlines()[1:]] == [["created", "1"], ["cancelled", "1"]]
    (listed,) = json.loads(run("corrections", "--json").stdout)["corrections"]
    assert listed["cancelled"]["reason"] == "wrong day"
    refused = run("correct", "nope", *what)
    assert (refused.returncode, refused.stderr) == (
        1, "tailwatch: slos: there is no SLO nope. GET /api/v1/slos lists them\n",
    )  # fmt: skip
    assert "is no time" in run("correct", "availability", "--start", "yesterday", *what[2:]).stderr
