"""Forecasts from stored counts: through the API, kept for the status, and on the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from detectors.slo.compile import rule_id
from detectors.slo.parse import parse_slos
from storage import corrections
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from telemetry.clock import SystemClock
from telemetry.corrections import NewCorrection
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.rules import SERIES_RULE_ID
from telemetry.sketches import DDSketch
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, START_NS
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import command, write_config

HOUR_NS = 3600 * NANOS
DAYS = 15
GROUP = '{"model":"m"}'
RULE = rule_id(parse_slos([("slos.yaml", f"version: 1\nslos:{AVAILABILITY}")]).slos[0])


def fill(database: Database, now_ns: int, days: int, share: float, *, outage: range = range(0)) -> None:
    """About 500 requests an hour, of which ``share`` fail; all of them within the hours of ``outage`` ago."""
    rng = np.random.default_rng(1)
    rows = []
    for hour in range(days * 24):
        bucket_ns = (now_ns // HOUR_NS - hour - 1) * HOUR_NS
        total = int(rng.poisson(500))
        bad = total if hour in outage else int(rng.binomial(total, share))
        rows.append(SliDelta(RULE, GROUP, bucket_ns, total - bad, total))
    commit(database, [PreparedPayload((b"f" * 16,), sli=rows)], now_ns)


@pytest.fixture
def served(tmp_path: Path, sqlite_url: str) -> Iterator[tuple[InProcess, httpx.Client]]:
    with service_on(tmp_path, sqlite_url, AVAILABILITY) as running, api_of(running.service) as client:
        yield running, client


def test_the_api_tells_when_and_how_sure(served: tuple[InProcess, httpx.Client]) -> None:
    running, client = served
    fill(running.service.database, START_NS, DAYS, 0.002)
    running.evaluate()
    found = client.get("/api/v1/slos/availability/forecast", params={"group": GROUP, "timezone": "Europe/Berlin"})
    document = found.json()
    assert document["enough_data"]
    assert document["history_s"] == (DAYS - 1) * 86400
    assert document["p_exhausted"] < 0.3
    left = document["remaining_at_end"]
    assert left["low"] < left["median"] < left["high"] <= 1
    assert document["fan"][-1]["t"] == document["horizon"]
    assert document["timezone"] == "Europe/Berlin"
    assert "CET" in document["sentence"]
    again = client.get("/api/v1/slos/availability/forecast", params={"group": GROUP, "timezone": "Europe/Berlin"})
    assert again.json() == document


def test_the_status_carries_the_last_forecast(served: tuple[InProcess, httpx.Client]) -> None:
    running, client = served
    fill(running.service.database, START_NS, DAYS, 0.03)
    running.evaluate()
    (group,) = client.get("/api/v1/slos/availability").json()["groups"]
    assert group["forecast"] is None
    running.service.forecasts.step(START_NS)
    (group,) = client.get("/api/v1/slos/availability").json()["groups"]
    assert group["forecast"]["p_exhausted"] == 1
    assert group["forecast"]["sentence"].startswith("The budget is exhausted")
    assert "fan" not in group["forecast"]
    made = group["forecast"]
    running.service.forecasts.step(START_NS + 60 * NANOS)
    assert client.get("/api/v1/slos/availability").json()["groups"][0]["forecast"] == made, "not at every tick"
    text = client.get("/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith("tailwatch_slo_exhaustion_probability{")]
    assert line.endswith('slo="availability"} 1.0')


def test_a_corrected_outage_is_none_for_the_forecast(served: tuple[InProcess, httpx.Client]) -> None:
    running, client = served
    database = running.service.database
    fill(database, START_NS, DAYS, 0.001, outage=range(30, 40))
    running.evaluate()
    before = client.get("/api/v1/slos/availability/forecast", params={"group": GROUP}).json()
    now_hour_ns = START_NS // HOUR_NS * HOUR_NS
    asked = NewCorrection.checked(
        start_ns=now_hour_ns - 41 * HOUR_NS, end_ns=now_hour_ns - 30 * HOUR_NS, slos=["availability"], matchers=[],
        author="ada", reason="drain",
    )  # fmt: skip
    corrections.create(database, asked, START_NS)
    after = client.get("/api/v1/slos/availability/forecast", params={"group": GROUP}).json()
    assert before["remaining"] < 0 < 0.8 < after["remaining"]
    assert after["p_exhausted"] < 0.2


@pytest.mark.parametrize(
    ("params", "status", "what"),
    [
        ({"group": "[]"}, 400, "not a JSON object"),
        ({"timezone": "Mars/Olympus"}, 400, "no time zone"),
        ({"group": '{"model":"none"}'}, 200, "needs 2 days of counts, and has none so far"),
    ],
)
def test_what_cannot_be_forecast_is_said(
    served: tuple[InProcess, httpx.Client], params: dict[str, str], status: int, what: str
) -> None:
    _, client = served
    answer = client.get("/api/v1/slos/availability/forecast", params=params)
    assert answer.status_code == status
    document = answer.json()
    assert what in (document["reason"] if status == 200 else document["error"]["what"])
    assert client.get("/api/v1/slos/nope/forecast").status_code == 404


def test_month_end_spend_of_a_service(served: tuple[InProcess, httpx.Client]) -> None:
    """Half a dollar an hour for 13 days: the clock stands at the middle of November."""
    running, client = served
    group = '{"service":"chat"}'
    hours = [(START_NS // HOUR_NS - hour - 1) * HOUR_NS for hour in range(13 * 24)]
    costs = DDSketch.of(np.asarray([0.2, 0.3]))
    commit(
        running.service.database,
        [
            PreparedPayload(
                (b"c" * 16,),
                sli=[SliDelta(SERIES_RULE_ID, group, at_ns, 2, 2) for at_ns in hours],
                distributions=[DistributionDelta(SERIES_RULE_ID, group, at_ns, "cost", costs) for at_ns in hours],
            )
        ],
        START_NS,
    )
    found = client.get("/api/v1/services/chat/spend", params={"limit": 500}).json()
    assert found["so_far"] == pytest.approx(0.5 * 13 * 24)
    assert found["total"]["low"] <= 0.5 * 30 * 24 <= found["total"]["high"] * 1.05
    assert found["total"]["median"] == pytest.approx(0.5 * 29.2 * 24, rel=0.1)
    assert found["p_over"] < 0.1
    assert "USD are spent" in found["sentence"]
    other = client.get("/api/v1/services/other/spend").json()
    assert (other["enough_data"], other["reason"]) == (False, "a forecast needs 2 days of costs, and has none so far")
    assert client.get("/api/v1/services/chat/spend", params={"timezone": "Mars"}).status_code == 400


def test_the_command_line_forecasts_without_a_server(tmp_path: Path) -> None:
    config = write_config(tmp_path, {}, f"version: 1\nslos:{AVAILABILITY}")
    (tmp_path / "data").mkdir()
    with Database(f"sqlite:///{tmp_path / 'data' / 'tailwatch.db'}") as database:
        database.upgrade()
        fill(database, SystemClock().now_ns(), DAYS, 0.002)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        given = command("--config", config, "slo", *arguments)
        return subprocess.run(given, capture_output=True, text=True, cwd=tmp_path, check=False)

    told = run("forecast", "availability")
    assert told.stdout.startswith("availability (model=m): The budget lasts until"), told.stderr
    (document,) = json.loads(run("forecast", "availability", "--group", "model=m", "--json").stdout)["forecasts"]
    assert document["fan"]
    assert run("forecast", "nope").returncode == 1
    assert "LABEL=VALUE" in run("forecast", "availability", "--group", "m").stderr
