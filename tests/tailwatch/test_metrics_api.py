"""Metrics end to end over HTTP: what the stock exporter and a scraped target said is what the API shows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import prometheus_client
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from collector.metrics.places import METRICS_SCOPE
from tailwatch.settings import load_settings
from tailwatch.store import open_store
from telemetry.clock import ManualClock
from telemetry.errors import FileProblemsError
from telemetry.windows import NANOS
from tests.collector.messages import SECOND
from tests.collector.metrics.messages import counter, gauge, histogram, number, request
from tests.tailwatch.declared import START_NS
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import write_config

START_S = START_NS / NANOS


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str) -> Iterator[InProcess]:
    with service_on(tmp_path, migrated_sqlite_url, max_groups=8) as opened:
        yield opened


@pytest.fixture
def client(running: InProcess) -> Iterator[httpx.Client]:
    with api_of(running.service) as opened:
        yield opened


def listed(client: httpx.Client, **params: Any) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in client.get("/api/v1/metrics", params=params).json()["metrics"]}


def course(client: httpx.Client, name: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/metrics/{name}", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["series"]
    return found


def test_the_stock_exporters_numbers_are_shown(tmp_path: Path, sqlite_url: str) -> None:
    with service_on(tmp_path, sqlite_url) as running, api_of(running.service) as client:
        running.clock.advance(time.time() - running.clock.now_ns() / NANOS + 5)
        exporter = OTLPMetricExporter(f"{client.base_url}/v1/metrics")
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
        views = [View(instrument_name="tokens", aggregation=ExponentialBucketHistogramAggregation())]
        provider = MeterProvider([reader], Resource({"service.name": "chat"}), views=views)
        meter = provider.get_meter("library")
        requests = meter.create_counter("requests", "{request}")
        latency = meter.create_histogram("latency", "s", explicit_bucket_boundaries_advisory=[0.1, 1.0, 10.0])
        tokens = meter.create_histogram("tokens", "{token}")
        meter.create_gauge("tailwatch.queue.depth", "{request}", "how many wait").set(7)
        requests.add(5)
        for value in (0.05, 0.5, 0.5, 5.0):
            latency.record(value)
            tokens.record(value * 100)
        provider.shutdown()
        found = listed(client)
        waiting = found["tailwatch.queue.depth"]
        assert (waiting["kind"], waiting["unit"], waiting["last_value"]) == ("gauge", "{request}", 7.0)
        assert (waiting["title"], waiting["role"]) == ("Requests waiting", "queue_depth")
        assert abs(waiting["last_time"] - time.time()) < 60
        assert found["requests"]["last_value"] == 5.0
        assert found["latency"]["last_value"] is None
        (one,) = course(client, "tailwatch.queue.depth")
        assert one["labels"] == {"service": "chat"}
        assert [point["last"] for point in one["points"]] == [7.0]
        (one,) = course(client, "requests")
        assert sum(point["increase"] for point in one["points"]) == pytest.approx(5)
        for name in ("latency", "tokens"):
            (one,) = course(client, name)
            assert sum(point["count"] for point in one["points"]) == pytest.approx(4)
            scale = 1 if name == "latency" else 100
            assert one["points"][-1]["mean"] == pytest.approx(1.5125 * scale)
            assert 0.1 * scale <= one["points"][-1]["p50"] <= 1.0 * scale


def test_rates_percentiles_and_groups(running: InProcess, client: httpx.Client) -> None:
    for instance in ("a", "b"):
        for at in range(0, 61, 10):
            now_ns, start_ns = START_NS + at * SECOND, START_NS
            points = [
                counter(number(at * 2, {"model": "m"}, time_unix_nano=now_ns, start_time_unix_nano=start_ns)),
                gauge(number(float(at), time_unix_nano=now_ns)),
                histogram(
                    time_unix_nano=now_ns, start_time_unix_nano=start_ns,
                    count=at, sum=at * 0.5, bucket_counts=[0, at, 0],
                ),
            ]  # fmt: skip
            running.take(request(*points, instance=instance).SerializeToString(), "metric")
    running.clock.advance(60)
    window = {"start": START_S, "end": START_S + 60, "step": 20}
    (one,) = course(client, "requests", **window)
    assert one["series"] == 2
    assert [point["rate"] for point in one["points"]] == pytest.approx([4.0] * 3)
    assert [point["increase"] for point in one["points"]] == pytest.approx([80.0] * 3)
    split = course(client, "requests", by="instance, model", **window)
    assert [series["labels"] for series in split] == [
        {"instance": "a", "model": "m"},
        {"instance": "b", "model": "m"},
    ]
    (one,) = course(client, "queue", **window)
    assert one["points"][0] == {"t": START_S, "avg": 5.0, "min": 0.0, "max": 10.0, "last": 10.0, "sum": 10.0}
    (one,) = course(client, "latency", **window)
    assert one["points"][1] == {
        "t": START_S + 20, "count": pytest.approx(40), "rate": pytest.approx(2.0), "mean": pytest.approx(0.5),
        "p50": pytest.approx(0.55), "p90": pytest.approx(0.91), "p99": pytest.approx(0.991),
    }  # fmt: skip
    assert course(client, "queue", service="other", **window) == []


def test_what_there_is_not_is_said(client: httpx.Client) -> None:
    answer = client.get("/api/v1/metrics/none/of/them")
    assert answer.status_code == 404
    assert answer.json()["error"]["what"] == "there is no metric none/of/them"
    assert listed(client) == {}
    assert client.get("/api/v1/scrape").json() == {"targets": []}
    assert client.get("/api/v1/metrics/x", params={"start": 5, "end": 4}).status_code == 400


def test_series_beyond_the_limit_are_visible(running: InProcess, client: httpx.Client) -> None:
    points = [number(1.0, {"tenant": str(index)}, time_unix_nano=START_NS) for index in range(15)]
    running.take(request(gauge(*points)).SerializeToString(), "metric")
    found = listed(client)["queue"]
    assert (found["series"], found["overflow"]) == (9, True)
    (overflow,) = client.get("/api/v1/status").json()["overflow"]
    assert overflow["scope"] == f"{METRICS_SCOPE}/series of chat"
    assert overflow["what"].startswith("7 metric points beyond the limit")
    families = {one.name: one for one in text_string_to_metric_families(client.get("/metrics").text)}
    kinds = {one.labels["kind"]: one.value for one in families["tailwatch_records"].samples}
    assert kinds["metric_point"] == 15.0


def test_places_are_given_back_after_a_restart(tmp_path: Path, migrated_sqlite_url: str) -> None:
    for run in range(2):
        with service_on(tmp_path, migrated_sqlite_url, max_groups=2) as running:
            tenants = ("new", "a", "b") if run else ("a", "b")
            points = [number(1.0, {"tenant": one}, time_unix_nano=START_NS) for one in tenants]
            running.take(request(gauge(*points), instance=f"i{0}").SerializeToString(), "metric")
    with service_on(tmp_path, migrated_sqlite_url) as running, api_of(running.service) as client:
        (found,) = course(client, "queue", by="tenant", start=START_S - 60, end=START_S + 60)[:1]
        tenants = {one["labels"]["tenant"] for one in course(client, "queue", by="tenant", start=START_S - 60)}
        assert found["labels"] == {"tenant": ""}
        assert tenants == {"", "a", "b"}


def test_a_target_is_scraped_by_the_service(tmp_path: Path, migrated_sqlite_url: str) -> None:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("waiting", "how many wait", registry=registry).set(4)
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    (tmp_path / "scrape.yaml").write_text(
        f"version: 1\njobs: [{{name: vllm, url: 'http://127.0.0.1:{server.server_port}/metrics', service: chat}}]\n"
    )
    try:
        with service_on(tmp_path, migrated_sqlite_url, scrape_file="scrape.yaml") as running:
            running.service.scraping.step(running.clock.now_ns())
            running.service.scraping.close()
            with api_of(running.service) as client:
                assert listed(client, service="chat")["waiting"]["last_value"] == 4.0
                (target,) = client.get("/api/v1/scrape").json()["targets"]
                assert (target["up"], target["samples"], target["scraped_at"]) == (True, 1, START_S)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_faulty_scrape_file_is_refused_with_every_fault(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "scrape.yaml").write_text("version: 1\njobs:\n  - name: a\n    url: x\n    interval: 5\n")
    settings = load_settings(write_config(tmp_path, {"database_url": sqlite_url, "scrape_file": "scrape.yaml"}))
    with pytest.raises(FileProblemsError) as caught, open_store(settings, ManualClock(START_NS)):
        pass
    assert [problem.line for problem in caught.value.problems] == [5, 4]
