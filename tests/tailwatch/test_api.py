"""The HTTP API over a real service: documents that the dashboard can read, and errors that say what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashboard.documents.incidents import Incidents
from dashboard.documents.slos import History, Slo, Slos
from dashboard.documents.status import Status
from dashboard.documents.traces import Trace, Traces
from dashboard.documents.traffic import Heatmap, Series, Services
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, DRIFT, MINUTE_NS, START_NS, TAIL
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import traces

START_S = START_NS / NANOS


@pytest.fixture
def running(tmp_path: Path, database_url: str) -> Iterator[InProcess]:
    with service_on(tmp_path, database_url, AVAILABILITY + TAIL + DRIFT) as found:
        yield found


@pytest.fixture
def api(running: InProcess) -> Iterator[httpx.Client]:
    with api_of(running.service) as client:
        yield client


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The API of a service that was sent nothing, for requests that change nothing."""
    folder = tmp_path_factory.mktemp("quiet")
    with service_on(folder, f"sqlite:///{folder / 'tw.db'}", AVAILABILITY) as found, api_of(found.service) as client:
        yield client


def fill(running: InProcess) -> None:
    """Ten minutes of 20 requests each: those of minute i take 0.1 i + 0.1 s, and one of every third minute fails."""
    for i in range(10):
        duration_ns = (i + 1) * NANOS // 10
        end_ns = START_NS + i * MINUTE_NS
        body = traces(20, end_ns=end_ns, first_id=1 + 100 * i, bad=int(i % 3 == 0), duration_ns=duration_ns)
        running.take(body)
    running.clock.advance(11 * 60)
    running.evaluate()


def strict(answer: httpx.Response) -> Any:
    """The document, which must be JSON as the standard has it."""
    assert answer.status_code == 200, answer.text

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(answer.text, parse_constant=refuse)


def test_every_document_is_one_that_the_dashboard_reads(running: InProcess, api: httpx.Client) -> None:
    fill(running)
    for path, shape in (
        ("/api/v1/status", Status),
        ("/api/v1/slos", Slos),
        ("/api/v1/slos/availability", Slo),
        ("/api/v1/slos/tail/history", History),
        ("/api/v1/series?by=model,operation", Series),
        ("/api/v1/series?measure=ttft", Series),
        ("/api/v1/heatmap", Heatmap),
        ("/api/v1/heatmap?measure=ttft", Heatmap),
        ("/api/v1/incidents", Incidents),
        ("/api/v1/traces", Traces),
        (f"/api/v1/traces/{1:032x}", Trace),
        ("/api/v1/services", Services),
    ):
        shape.model_validate(strict(api.get(path)))


def test_status_counts_what_was_refused(api: httpx.Client) -> None:
    for _ in range(3):
        assert api.post("/v1/traces", content=b"\xff", headers={"Content-Type": "application/x-protobuf"}).is_error
    assert strict(api.get("/api/v1/status"))["counters"]["requests_invalid"] == {"400": 3}


def test_history_has_a_point_a_step_and_burns_down(running: InProcess, api: httpx.Client) -> None:
    fill(running)
    params = {"start": START_S, "end": START_S + 600, "step": 60, "group": '{"model":"m"}'}
    points = strict(api.get("/api/v1/slos/availability/history", params=params))["points"]
    assert [point["t"] for point in points] == sorted(point["t"] for point in points)
    assert (sum(point["total"] for point in points), sum(point["good"] for point in points)) == (200, 196)
    assert points[0]["burn"] == pytest.approx(5)
    assert points[-1]["budget_remaining"] == pytest.approx(1 - 4 / 200 / 0.01)


def test_exact_counts_of_a_range(running: InProcess, api: httpx.Client) -> None:
    fill(running)
    params = {"start": START_S + 60, "end": START_S + 240}
    assert strict(api.get("/api/v1/slis/availability", params=params))["groups"] == [
        {"group": {"model": "m"}, "good": 59, "total": 60}
    ]
    assert strict(api.get("/api/v1/slis/tail"))["groups"] == [{"group": {}, "good": 9, "total": 10}]


def test_series_and_heatmap_hold_every_request(running: InProcess, api: httpx.Client) -> None:
    fill(running)
    window = {"start": START_S, "end": START_S + 600, "step": 60}
    (series,) = strict(api.get("/api/v1/series", params={**window, "by": "model"}))["series"]
    assert series["labels"] == {"model": "m"}
    assert [point["count"] for point in series["points"]] == [20] * 10
    assert [point["errors"] for point in series["points"]] == [1, 0, 0] * 3 + [1]
    for i, point in enumerate(series["points"]):
        assert point["p50"] == pytest.approx((i + 1) / 10, rel=0.011)
        assert point["sum"] == pytest.approx(2 * (i + 1))
    assert strict(api.get("/api/v1/series", params={**window, "service": "other"}))["series"] == []
    heat = strict(api.get("/api/v1/heatmap", params=window))
    assert [sum(row) for row in heat["counts"]] == [20] * 10
    assert all(len(row) == len(heat["edges"]) - 1 for row in heat["counts"])


def test_traces_are_found_by_what_they_did(running: InProcess, api: httpx.Client) -> None:
    fill(running)
    window = {"start": START_S - 60, "end": START_S + 660, "limit": 1000}

    def found(**params: Any) -> list[dict[str, Any]]:
        traces_found: list[dict[str, Any]] = strict(api.get("/api/v1/traces", params={**window, **params}))["traces"]
        return traces_found

    assert len(found()) == 200
    assert {one["error_type"] for one in found(error=True)} == {"timeout"}
    assert len(found(error=True)) == 4
    assert len(found(error=False)) == 196
    assert len(found(min_duration=0.95)) == 20
    assert found(service="other") == found(operation="other") == found(model_version="v9") == []
    newest = found(limit=3)
    assert [one["start"] + one["duration"] for one in newest] == [pytest.approx(START_S + 540)] * 3


def test_numbers_that_json_does_not_have_are_told_as_text(running: InProcess, api: httpx.Client) -> None:
    odd = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.5}
    running.take(traces(1, end_ns=START_NS, attributes=odd))
    running.take(traces(2, end_ns=START_NS, first_id=5, attributes={"gen_ai.usage.input_tokens": 1e308}))
    (span,) = strict(api.get(f"/api/v1/traces/{1:032x}"))["spans"]
    assert {name: span["attributes"][name] for name in odd} == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 1.5}
    for measure in ("tokens_in", "duration", "cost"):
        strict(api.get("/api/v1/series", params={"measure": measure}))
        strict(api.get("/api/v1/heatmap", params={"measure": measure}))
    running.evaluate()
    strict(api.get("/api/v1/slos"))


@pytest.mark.parametrize(
    ("path", "status", "where"),
    [
        ("/api/v1/slos/none", 404, "slos"),
        ("/api/v1/slos/none/history", 404, "slos"),
        ("/api/v1/slis/none", 404, "slos"),
        ("/api/v1/slos/availability/history?group=1", 400, "group"),
        ("/api/v1/slos/availability/history?group={", 400, "group"),
        ("/api/v1/slos/availability/history?group=" + "[" * 20_000, 400, "group"),
        ('/api/v1/slos/availability/history?group={"model":1}', 400, "group"),
        ('/api/v1/slos/availability/history?group={"model":"none"}', 404, ""),
        ("/api/v1/series?measure=colour", 400, "measure"),
        ("/api/v1/series?by=colour", 400, "by"),
        ("/api/v1/series?start=nan", 400, "start"),
        ("/api/v1/series?start=-9999999999&end=1", 400, "start"),
        ("/api/v1/series?end=9999999999", 400, "end"),
        ("/api/v1/series?start=5&end=5", 400, "start"),
        ("/api/v1/series?step=0", 422, "query.step"),
        ("/api/v1/series?step=inf", 400, "step"),
        ("/api/v1/series?step=nan", 422, "query.step"),
        ("/api/v1/heatmap?start=0&end=1700000000&step=10", 400, "step"),
        ("/api/v1/traces?min_duration=inf", 422, "query.min_duration"),
        ("/api/v1/traces?min_duration=-1", 422, "query.min_duration"),
        ("/api/v1/traces?limit=1001", 422, "query.limit"),
        ("/api/v1/traces?error=perhaps", 422, "query.error"),
        ("/api/v1/traces/" + "0" * 32, 404, "traces"),
        ("/api/v1/traces/%20%00zz", 404, "traces"),
        ("/api/v1/incidents?status=asleep", 422, "query.status"),
        ("/api/v1/incidents/INC-99999999999999999999999", 404, ""),
        ("/api/v1/incidents/INC-1/report", 404, ""),
        ("/api/v1/nothing", 404, ""),
    ],
)
def test_errors_say_what_where_and_what_to_do(quiet: httpx.Client, path: str, status: int, where: str) -> None:
    answer = quiet.get(path)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"what", "where", "remedy"}
    assert error["what"]
    assert where in error["where"]


@pytest.mark.parametrize("path", ["/api/v1/traces", "/api/v1/series", "/api/v1/heatmap"])
def test_a_filter_that_nothing_can_match_finds_nothing(api: httpx.Client, path: str) -> None:
    for text in ("", "\0", "'", "%", "\U0001f600"):
        document = strict(api.get(path, params={"service": text, "input_type": text}))
        assert not document.get("traces")
        assert not document.get("series")


@pytest.mark.parametrize("act", ["acknowledge", "resolve", "comment"])
def test_acts_on_incidents_are_checked(quiet: httpx.Client, act: str) -> None:
    unknown = quiet.post(f"/api/v1/incidents/INC-1/{act}", json={"author": "sam", "comment": "x"})
    assert unknown.status_code == 404
    for body in ({}, {"author": ""}, {"author": "x" * 201}, {"author": "sam", "mood": "good"}, [], "sam"):
        assert quiet.post(f"/api/v1/incidents/INC-1/{act}", json=body).status_code == 422


def test_readiness_follows_the_evaluation(running: InProcess, api: httpx.Client) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    assert api.get("/readyz").status_code == 503
    running.evaluate()
    assert api.get("/readyz").json() == {"status": "ready"}
    running.clock.advance(120)
    answer = api.get("/readyz")
    assert answer.status_code == 503
    assert "120 s old" in answer.json()["reason"]
