"""The stock exporters of OpenTelemetry deliver every kind of instrument over HTTP and gRPC, exactly and once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from collector.grpc_server import GrpcServer
from collector.intake import Intake
from collector.pipeline import Pipeline
from storage.database import Database
from storage.metrics import SeriesStatus, statuses
from telemetry.clock import SystemClock
from telemetry.histograms import ExponentialHistogram
from telemetry.histograms import Histogram as Counted
from telemetry.points import Total
from tests.collector.messages import NOW_NS
from tests.collector.metrics.messages import gauge, number, request
from tests.collector.serving import collecting, storing

DELTA = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
}


def measure(exporter: MetricExporter) -> None:
    """Every kind of instrument, used and exported once."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    views = [View(instrument_name="tokens", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider([reader], Resource({"service.name": "chat", "service.instance.id": "a"}), views=views)
    meter = provider.get_meter("library")
    requests = meter.create_counter("requests", "{request}", "how many came")
    requests.add(3, {"model": "m"})
    requests.add(4, {"model": "n"})
    running = meter.create_up_down_counter("running")
    running.add(5)
    running.add(-2)
    meter.create_gauge("temperature", "Cel").set(61.5)
    meter.create_observable_gauge("kv", callbacks=[lambda _: [Observation(0.75)]])
    meter.create_observable_counter("steps", callbacks=[lambda _: [Observation(11)]])
    latency = meter.create_histogram("latency", "s", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    for value in (0.05, 0.5, 0.5, 7.0):
        latency.record(value)
    tokens = meter.create_histogram("tokens")
    for value in (0, 1, 100):
        tokens.record(value)
    assert provider.force_flush()
    provider.shutdown()


def stored(db: Database) -> dict[str, list[SeriesStatus]]:
    found: dict[str, list[SeriesStatus]] = {}
    for one in statuses(db, 0):
        found.setdefault(one.series.name, []).append(one)
    return found


def check(db: Database, temporality: str) -> None:
    found = stored(db)
    assert {(one.series.all_labels["model"], one.last) for one in found["requests"]} == {
        ("m", Total(3.0)),
        ("n", Total(4.0)),
    }
    assert found["requests"][0].series.description == "how many came"
    assert {name: one.last for name, (one, *_) in found.items() if one.series.kind == "gauge"} == {
        "running": 3.0,
        "temperature": 61.5,
        "kv": 0.75,
    }
    assert found["steps"][0].last == Total(11.0)
    assert found["latency"][0].last == Counted((0.1, 1.0), (1, 2, 1), 8.05)
    tokens = found["tokens"][0].last
    assert isinstance(tokens, ExponentialHistogram)
    assert (tokens.count, tokens.zero_count, tokens.total) == (3, 1, 101.0)
    assert {one.series.temporality for name in ("requests", "latency", "tokens") for one in found[name]} == {
        temporality
    }
    assert {one.series.service for every in found.values() for one in every} == {"chat"}


@pytest.mark.parametrize(("preferred", "temporality"), [(None, "cumulative"), (DELTA, "delta")])
def test_the_http_exporter_delivers_every_kind(db: Database, preferred: Any, temporality: str) -> None:
    with collecting(storing(db)) as (url, intake):
        measure(HttpExporter(f"{url}/v1/metrics", preferred_temporality=preferred))
        assert intake.counters().metric_points >= 8
    check(db, temporality)


async def test_the_grpc_exporter_delivers_every_kind(db: Database) -> None:
    intake = Intake(storing(db), SystemClock())
    server = GrpcServer(intake, "127.0.0.1:0")
    port = await server.start()
    try:
        exporter = GrpcExporter(f"127.0.0.1:{port}", insecure=True)
        await asyncio.to_thread(measure, exporter)
    finally:
        await server.stop()
        intake.close()
    check(db, "cumulative")


def test_a_bad_point_is_told_and_a_repeat_counts_once(db: Database) -> None:
    body = request(gauge(number(2.0), number(float("nan"))))
    with collecting(storing(db), Pipeline()) as (url, intake):
        headers = {"Content-Type": "application/x-protobuf"}
        answers = [httpx.post(f"{url}/v1/metrics", content=body.SerializeToString(), headers=headers) for _ in range(2)]
        first = ExportMetricsServiceResponse.FromString(answers[0].content)
        assert first.partial_success.rejected_data_points == 1
        assert first.partial_success.error_message == "1 refused: the value is NaN or infinite"
        assert answers[1].status_code == 200
        assert intake.counters().requests_repeated == 1
        refused = httpx.post(f"{url}/v1/metrics", content=b"\xff", headers=headers)
        assert refused.status_code == 400
        assert "Export request for metrics" in Status.FromString(refused.content).message
        empty = httpx.post(f"{url}/v1/metrics", content=b"{}", headers={"Content-Type": "application/json"})
        assert (empty.status_code, empty.json()) == (200, {})
    ((one,),) = stored(db).values()
    assert (one.last_ns, one.last) == (NOW_NS, 2.0)
