from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import aio
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from collector.grpc_server import GrpcServer
from collector.intake import Intake
from collector.limits import Limits
from collector.pipeline import Pipeline
from storage.database import Database
from storage.ingest import PreparedPayload
from storage.rollups import sli_totals
from telemetry.clock import SystemClock
from telemetry.errors import ConfigError
from telemetry.rules import SERIES_RULE_ID
from tests.collector.messages import log, logs, span, traces
from tests.collector.serving import open_database, storing

LIMIT = 100_000
FOREVER = 2**62


class Collector:
    def __init__(self, port: int, db: Database, store: Any) -> None:
        self.port = port
        self.db = db
        self.store = store

    def total(self) -> int:
        return sum(group.total for group in sli_totals(self.db, SERIES_RULE_ID, 0, FOREVER))


class Store:
    """The storage, or a failure when one is set."""

    def __init__(self, db: Database) -> None:
        self.store = storing(db)
        self.failing = False

    def __call__(self, payloads: Sequence[PreparedPayload]) -> None:
        if self.failing:
            raise RuntimeError("no disk")
        self.store(payloads)


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Collector]:
    with open_database(tmp_path) as db:
        store = Store(db)
        intake = Intake(store, SystemClock(), Pipeline(limits=Limits(body_bytes=LIMIT)))
        server = GrpcServer(intake, "127.0.0.1:0")
        try:
            yield Collector(await server.start(), db, store)
        finally:
            await server.stop(1)
            intake.close()


@pytest.fixture
async def channel(collector: Collector) -> AsyncIterator[Any]:
    async with aio.insecure_channel(f"127.0.0.1:{collector.port}") as opened:
        yield opened


def now_ns() -> int:
    return SystemClock().now_ns()


async def test_the_stock_exporter_with_gzip_is_stored(collector: Collector) -> None:
    def export() -> bool:
        provider = TracerProvider(resource=Resource.create({"service.name": "grpc"}))
        exporter = OTLPSpanExporter(
            endpoint=f"127.0.0.1:{collector.port}", insecure=True, compression=grpc.Compression.Gzip
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
        for _ in range(12):
            with provider.get_tracer("t").start_as_current_span("chat") as current:
                current.set_attribute("gen_ai.operation.name", "chat")
        flushed = provider.force_flush()
        provider.shutdown()
        return flushed

    assert await asyncio.to_thread(export)
    assert collector.total() == 12


async def test_bad_records_are_told(channel: Any, collector: Collector) -> None:
    bad = span(2)
    bad.span_id = b""
    response = await TraceServiceStub(channel).Export(traces([span(1, end_ns=now_ns()), bad]))
    assert response.partial_success.rejected_spans == 1
    assert "span_id" in response.partial_success.error_message
    assert collector.total() == 1


async def test_logs_are_taken_and_an_empty_request_succeeds(channel: Any) -> None:
    stub = LogsServiceStub(channel)
    assert await stub.Export(logs([log(time_ns=now_ns())])) == ExportLogsServiceResponse()
    assert await stub.Export(logs([])) == ExportLogsServiceResponse()


async def test_a_repeat_is_counted_once(channel: Any, collector: Collector) -> None:
    request = traces([span(1, end_ns=now_ns())])
    for _ in range(3):
        await TraceServiceStub(channel).Export(request)
    assert collector.total() == 1


async def test_undecodable_is_invalid_argument(channel: Any) -> None:
    call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    with pytest.raises(aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "not protobuf" in caught.value.details()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_too_large_is_resource_exhausted_also_once_decompressed(channel: Any, compression: Any) -> None:
    request = traces([span(1, custom="x" * LIMIT)])
    with pytest.raises(aio.AioRpcError) as caught:
        await TraceServiceStub(channel).Export(request, compression=compression)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_storage_failure_is_unavailable_with_retry_info(channel: Any, collector: Collector) -> None:
    collector.store.failing = True
    request = traces([span(1, end_ns=now_ns())])
    with pytest.raises(aio.AioRpcError) as caught:
        await TraceServiceStub(channel).Export(request)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    metadata = dict(caught.value.trailing_metadata())
    status = Status.FromString(metadata["grpc-status-details-bin"])
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.ToNanoseconds() > 0
    collector.store.failing = False
    await TraceServiceStub(channel).Export(request)
    assert collector.total() == 1


async def test_a_signal_that_there_is_not_is_unimplemented(channel: Any) -> None:
    call = channel.unary_unary("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export")
    with pytest.raises(aio.AioRpcError) as caught:
        await call(ExportTraceServiceRequest().SerializeToString())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_in_use_is_one_clear_sentence(collector: Collector) -> None:
    intake = Intake(collector.store, SystemClock())
    try:
        with pytest.raises(ConfigError, match="cannot be opened"):
            await GrpcServer(intake, f"127.0.0.1:{collector.port}").start()
    finally:
        intake.close()
