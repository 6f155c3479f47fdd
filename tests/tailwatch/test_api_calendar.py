"""The HTTP API of calendar budgets: which period a number is about, and where a history begins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from dashboard.documents.slos import Slo
from dashboard.viewmodels import budgets
from telemetry.windows import NANOS
from tests.tailwatch.declared import MINUTE_NS, START_NS
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import traces

ZONE = "Asia/Kathmandu"
DECLARED = f"""
  - name: daily
    service: chat
    sli: {{errors: {{}}}}
    objective: 90%
    window: {{calendar: day, timezone: {ZONE}}}
    alert: none
  - name: minutes
    service: chat
    sli: {{errors: {{}}}}
    objective: 90%
    budgeting: ratio-timeslices
    window: {{calendar: week, timezone: {ZONE}}}
    alert: none
"""
BEGINS_S = datetime(2023, 11, 15, tzinfo=ZoneInfo(ZONE)).timestamp()
ENDS_S = datetime(2023, 11, 16, tzinfo=ZoneInfo(ZONE)).timestamp()


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator[httpx.Client]:
    with service_on(tmp_path, database_url, DECLARED) as running:
        _fill(running)
        with api_of(running.service) as client:
            yield client


def _fill(running: InProcess) -> None:
    """Ten minutes of 20 requests each, of which every other minute fails one."""
    for i in range(10):
        running.take(traces(20, end_ns=START_NS + i * MINUTE_NS, first_id=1 + 100 * i, bad=i % 2))
    running.clock.advance(11 * 60)
    running.evaluate()


def _get(api: httpx.Client, path: str, **params: float) -> Any:
    answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_budget_names_its_period(api: httpx.Client) -> None:
    document = _get(api, "/api/v1/slos/daily")
    assert document["period"] == {"calendar": "day", "timezone": ZONE, "start": BEGINS_S, "end": ENDS_S}
    (group,) = document["groups"]
    assert (group["good"], group["total"]) == (195, 200)
    assert budgets.span(Slo.model_validate(document)) == "15 Nov 2023"


def test_a_history_begins_with_the_period_and_names_those_that_it_meets(api: httpx.Client) -> None:
    shown = _get(api, "/api/v1/slos/daily/history")
    assert shown["periods"] == [{"start": BEGINS_S, "end": ENDS_S}]
    assert BEGINS_S < shown["points"][0]["t"] <= START_NS / NANOS
    assert shown["points"][-1]["budget_remaining"] == pytest.approx(1 - 5 / 200 / 0.1)
    longer = _get(api, "/api/v1/slos/daily/history", start=BEGINS_S - 3600, end=BEGINS_S + 3600, step=600)
    assert [period["start"] for period in longer["periods"]] == [BEGINS_S - 86400, BEGINS_S]


def test_counts_begin_with_the_period_too(api: httpx.Client) -> None:
    shown = _get(api, "/api/v1/slis/daily")
    assert shown["start"] == BEGINS_S
    assert shown["groups"] == [{"group": {}, "good": 195, "total": 200}]


def test_slices_are_shown_as_slices(api: httpx.Client) -> None:
    document = _get(api, "/api/v1/slos/minutes")
    (group,) = document["groups"]
    assert (document["budgeting"], group["good"], group["total"]) == ("ratio-timeslices", pytest.approx(9.75), 10)
    assert group["budget_remaining"] == pytest.approx(1 - 0.025 / 0.1)
    (counted,) = _get(api, "/api/v1/slis/minutes")["groups"]
    assert (counted["good"], counted["total"]) == (pytest.approx(9.75), 10)
    points = _get(api, "/api/v1/slos/minutes/history")["points"]
    assert sum(point["total"] for point in points) == 10
    assert points[-1]["budget_remaining"] == pytest.approx(0.75)
