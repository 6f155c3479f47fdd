"""The stock exporters of opentelemetry-python deliver everything, compressed or not, and after refusals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from storage.database import Database
from storage.ingest import PreparedPayload
from storage.rollups import sli_totals
from telemetry.errors import StorageError
from telemetry.rules import SERIES_RULE_ID
from tests.collector.serving import collecting, open_database, storing
from tests.faults.server import SERVICE, SLO, Server

COUNT = 700
"""More than the 512 records of a batch."""
RESOURCE = Resource.create({"service.name": SERVICE, "service.version": "v7"})

SPAN_EXPORTERS: dict[str, Callable[[Server], SpanExporter]] = {
    "http": lambda server: OTLPSpanExporter(f"{server.url}/v1/traces"),
    "http-gzip": lambda server: OTLPSpanExporter(f"{server.url}/v1/traces", compression=Compression.Gzip),
    "http-deflate": lambda server: OTLPSpanExporter(f"{server.url}/v1/traces", compression=Compression.Deflate),
    "grpc": lambda server: GrpcSpanExporter(server.grpc, insecure=True),
    "grpc-gzip": lambda server: GrpcSpanExporter(server.grpc, insecure=True, compression=grpc.Compression.Gzip),
}
LOG_EXPORTERS: dict[str, Callable[[Server], Any]] = {
    "http": lambda server: OTLPLogExporter(f"{server.url}/v1/logs"),
    "http-deflate": lambda server: OTLPLogExporter(f"{server.url}/v1/logs", compression=Compression.Deflate),
    "grpc-gzip": lambda server: GrpcLogExporter(server.grpc, insecure=True, compression=grpc.Compression.Gzip),
}

METRIC_EXPORTERS: dict[str, Callable[[Server], MetricExporter]] = {
    "http-gzip": lambda server: OTLPMetricExporter(f"{server.url}/v1/metrics", compression=Compression.Gzip),
    "grpc": lambda server: GrpcMetricExporter(server.grpc, insecure=True),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("python"))
    running.start()
    yield running
    running.kill()
    running.client.close()


def send_spans(exporter: SpanExporter, tenant: str, count: int) -> str:
    """The id of the first trace, once all were flushed."""
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=4096))
    tracer = provider.get_tracer("exporters")
    first = ""
    for number in range(count):
        with tracer.start_as_current_span("chat m", kind=trace.SpanKind.CLIENT) as span:
            span.set_attributes({
                "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 12,
                "tailwatch.tenant": tenant, "gen_ai.response.finish_reasons": ["stop"], "text": "häßlich 𝄞",
            })  # fmt: skip
            if number == 0:
                span.set_status(trace.StatusCode.ERROR)
            first = first or f"{span.get_span_context().trace_id:032x}"
    assert provider.force_flush()
    provider.shutdown()
    return first


@pytest.mark.parametrize("way", list(SPAN_EXPORTERS))
def test_spans(server: Server, way: str) -> None:
    first = send_spans(SPAN_EXPORTERS[way](server), way, COUNT)
    groups = server.get(f"/api/v1/slis/{SLO}")["groups"]
    counted = {group["group"]["tenant"]: (group["good"], group["total"]) for group in groups}
    assert counted[way] == (COUNT - 1, COUNT)
    (span,) = server.get(f"/api/v1/traces/{first}")["spans"]
    assert (span["attributes"]["gen_ai.usage.input_tokens"], span["attributes"]["text"]) == (12, "häßlich 𝄞")


@pytest.mark.parametrize("way", list(LOG_EXPORTERS))
def test_logs(server: Server, way: str) -> None:
    before = server.get("/api/v1/status")["counters"]["log_records"]
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(LOG_EXPORTERS[way](server), max_queue_size=4096))
    logger = provider.get_logger("exporters")
    for _ in range(COUNT):
        attributes = {"tailwatch.feature.topic": "news", "tailwatch.confidence": 0.75}
        logger.emit(LogRecord(timestamp=time.time_ns(), event_name="tailwatch.inference", attributes=attributes))
    assert provider.force_flush()
    provider.shutdown()
    counters = server.get("/api/v1/status")["counters"]
    assert (counters["log_records"] - before, counters["rejected"]) == (COUNT, {})


@pytest.mark.parametrize("way", list(METRIC_EXPORTERS))
def test_metrics(server: Server, way: str) -> None:
    reader = PeriodicExportingMetricReader(METRIC_EXPORTERS[way](server), export_interval_millis=3_600_000)
    resource = RESOURCE.merge(Resource({"service.name": f"metrics-{way}"}))
    provider = MeterProvider([reader], resource, shutdown_on_exit=False)
    meter = provider.get_meter("exporters")
    meter.create_gauge("exporters.waiting").set(7)
    requests, durations = meter.create_counter("exporters.requests"), meter.create_histogram("exporters.duration", "s")
    for _ in range(COUNT):
        requests.add(2)
        durations.record(0.25)
    assert provider.force_flush()
    provider.shutdown()
    found = {one["name"]: one for one in server.get("/api/v1/metrics", service=f"metrics-{way}")["metrics"]}
    assert {name: one["kind"] for name, one in found.items()} == {
        "exporters.waiting": "gauge", "exporters.duration": "histogram", "exporters.requests": "sum",
    }  # fmt: skip
    assert (found["exporters.waiting"]["last_value"], found["exporters.requests"]["last_value"]) == (
        7,
        2 * COUNT,
    )


def test_what_was_refused_with_503_is_sent_again_and_counted_once(tmp_path: Path) -> None:
    """The database fails twice, the second time after its commit, when the answer alone is lost."""
    with open_database(tmp_path) as database:
        failing = _FailsTwice(database)
        with collecting(failing) as (url, _):
            send_spans(OTLPSpanExporter(f"{url}/v1/traces", timeout=30), "again", 100)
        assert failing.failures == 2
        totals = sli_totals(database, SERIES_RULE_ID, 0, 2**62)
        assert [(group.good, group.total) for group in totals] == [(99, 100)]


class _FailsTwice:
    """Commits nothing at first, then commits and says that it did not, then works."""

    def __init__(self, database: Database) -> None:
        self._commit = storing(database)
        self.failures = 0

    def __call__(self, payloads: Sequence[PreparedPayload]) -> Any:
        if self.failures == 2:
            return self._commit(payloads)
        self.failures += 1
        if self.failures == 2:
            self._commit(payloads)
        raise StorageError("the server cannot be reached", where="a test")
