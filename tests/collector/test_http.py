from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from collector.intake import Intake
from collector.limits import Limits
from collector.pipeline import Pipeline
from storage.database import Database
from storage.feedback import load_feedback
from storage.ingest import PreparedPayload
from storage.rollups import sli_totals
from storage.spans import load_columns
from telemetry.clock import SystemClock
from telemetry.matchers import parse_matchers
from telemetry.rules import SERIES_RULE, SERIES_RULE_ID, Present, RollupRule
from tests.collector.messages import log, logs, span, traces
from tests.collector.serving import collecting, open_database, storing

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
FOREVER = 2**62
BODY_LIMIT = 200_000


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with open_database(tmp_path_factory.mktemp("http")) as database:
        yield database


@pytest.fixture(scope="module")
def collector(db: Database) -> Iterator[tuple[str, Intake]]:
    drift = RollupRule("drift", parse_matchers([]), (), Present(("feature.topic",)), ("feature.topic",))
    pipeline = Pipeline(rules=(SERIES_RULE, drift), limits=Limits(body_bytes=BODY_LIMIT))
    with collecting(storing(db), pipeline, capacity_bytes=2_000_000) as running:
        yield running


@pytest.fixture(scope="module")
def client(collector: tuple[str, Intake]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=collector[0], timeout=30) as opened:
        yield opened


def post(
    client: httpx.Client, body: bytes, content_type: str = PROTOBUF, path: str = "/v1/traces", **headers: str
) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=body, headers={"Content-Type": content_type, **named})


def total(db: Database, service: str) -> int:
    groups = sli_totals(db, SERIES_RULE_ID, 0, FOREVER)
    return sum(group.total for group in groups if group.labels["service"] == service)


def now_ns() -> int:
    return SystemClock().now_ns()


def one_span(service: str, count: int = 1) -> bytes:
    return traces([span(n, end_ns=now_ns()) for n in range(1, count + 1)], service__name=service).SerializeToString()


def test_the_stock_span_exporter_is_stored_when_flush_returns(collector: tuple[str, Intake], db: Database) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "stock-http", "service.version": "v9"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{collector[0]}/v1/traces")))
    tracer = provider.get_tracer("test")
    for number in range(20):
        with tracer.start_as_current_span("chat m", kind=trace.SpanKind.CLIENT) as current:
            current.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
            if number < 3:
                current.set_status(trace.StatusCode.ERROR)
    assert provider.force_flush()
    provider.shutdown()
    (group,) = [g for g in sli_totals(db, SERIES_RULE_ID, 0, FOREVER) if g.labels["service"] == "stock-http"]
    assert (group.good, group.total) == (17, 20)
    assert group.labels["model_version"] == "v9"
    assert len(load_columns(db, 0, FOREVER, service="stock-http")) == 20


def test_the_stock_log_exporter_brings_features_and_feedback(collector: tuple[str, Intake], db: Database) -> None:
    provider = LoggerProvider(resource=Resource.create({"service.name": "stock-logs"}))
    exporter = OTLPLogExporter(endpoint=f"{collector[0]}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("test")
    logger.emit(
        LogRecord(timestamp=now_ns(), event_name="tailwatch.inference", attributes={"tailwatch.feature.topic": "news"})
    )
    context = trace.set_span_in_context(
        trace.NonRecordingSpan(trace.SpanContext(77, 78, is_remote=False, trace_flags=trace.TraceFlags(1)))
    )
    logger.emit(
        LogRecord(
            timestamp=now_ns(),
            context=context,
            event_name="tailwatch.feedback",
            attributes={"tailwatch.feedback.label": "sports", "tailwatch.feedback.correct": False},
        )
    )
    provider.shutdown()
    assert [group.total for group in sli_totals(db, "drift", 0, FOREVER)] == [1]
    (feedback,) = load_feedback(db, 0, FOREVER)
    assert (int.from_bytes(feedback.trace_id), feedback.label, feedback.correct) == (77, "sports", False)


@pytest.mark.parametrize(
    "content_type", [PROTOBUF, "application/x-protobuf; charset=utf-8", "Application/X-Protobuf", f"{PROTOBUF} ;x=y"]
)
def test_protobuf_is_answered_in_protobuf(client: httpx.Client, content_type: str) -> None:
    response = post(client, one_span("types"), content_type)
    assert response.status_code == 200
    assert response.headers["content-type"] == PROTOBUF
    assert not ExportTraceServiceResponse.FromString(response.content).HasField("partial_success")


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=UTF-8", "APPLICATION/JSON"])
def test_json_is_answered_in_json(client: httpx.Client, content_type: str) -> None:
    response = post(client, b'{"resourceSpans": []}', content_type)
    assert (response.status_code, response.headers["content-type"], response.json()) == (200, JSON, {})


def test_an_empty_request_succeeds(client: httpx.Client) -> None:
    for path in ("/v1/traces", "/v1/logs"):
        response = post(client, b"", path=path)
        assert (response.status_code, response.content) == (200, b"")


def test_bad_records_are_told_and_the_good_ones_kept(client: httpx.Client, db: Database) -> None:
    bad = span(2, end_ns=now_ns())
    bad.trace_id = b"short"
    message = traces([span(1, end_ns=now_ns()), bad], service__name="partial")
    response = post(client, message.SerializeToString())
    assert response.status_code == 200
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert partial.rejected_spans == 1
    assert "trace_id is not 16 bytes" in partial.error_message
    assert total(db, "partial") == 1


def test_bad_log_records_are_told_in_json(client: httpx.Client) -> None:
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1", "traceId": "abc"}]}]}]}
    response = post(client, json.dumps(body).encode(), JSON, "/v1/logs")
    assert response.status_code == 200
    assert response.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    bad = log()
    bad.span_id = b"1"
    response = post(client, logs([bad]).SerializeToString(), path="/v1/logs")
    assert ExportLogsServiceResponse.FromString(response.content).partial_success.rejected_log_records == 1


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress),
     ("identity", bytes)],
)  # fmt: skip
def test_compressed_requests_are_stored(client: httpx.Client, db: Database, encoding: str, compress: Any) -> None:
    service = f"compressed-{encoding}"
    assert post(client, compress(one_span(service)), Content_Encoding=encoding).status_code == 200
    assert total(db, service) == 1


def refusal(response: httpx.Response, code: int) -> str:
    if response.headers["content-type"] == PROTOBUF:
        status = Status.FromString(response.content)
        assert status.code == code
        return str(status.message)
    assert response.headers["content-type"] == JSON
    assert response.json()["code"] == code
    return str(response.json()["message"])


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/octet-stream", "application/jsonx"])
def test_another_type_is_415(client: httpx.Client, content_type: str) -> None:
    response = post(client, b"", content_type)
    assert response.status_code == 415
    assert PROTOBUF in refusal(response, 3)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_405(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/v1/traces", headers={"Content-Type": PROTOBUF})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert method in refusal(response, 12)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_undecodable_is_400_in_the_requests_type(client: httpx.Client, content_type: str) -> None:
    response = post(client, b"\xff\xff\xff", content_type)
    assert response.status_code == 400
    assert response.headers["content-type"] == content_type
    assert refusal(response, 3)


def test_an_unknown_compression_is_415_and_a_broken_one_400(client: httpx.Client) -> None:
    assert post(client, b"x", Content_Encoding="br").status_code == 415
    assert post(client, b"not gzip", Content_Encoding="gzip").status_code == 400


def test_a_body_beyond_the_limit_is_413_however_it_is_sent(client: httpx.Client) -> None:
    large = bytes(BODY_LIMIT + 1)

    def in_chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    responses = [
        post(client, large),
        client.post("/v1/traces", content=in_chunks(), headers={"Content-Type": PROTOBUF}),
        post(client, gzip.compress(large), Content_Encoding="gzip"),
        post(client, zstandard.compress(bytes(50_000_000)), Content_Encoding="zstd"),
    ]
    for response in responses:
        assert response.status_code == 413
        assert refusal(response, 8)


def test_spans_on_the_path_of_logs_in_json_say_where_they_belong(client: httpx.Client) -> None:
    response = post(client, b'{"resourceLogs": []}', JSON)
    assert response.status_code == 400
    assert "/v1/logs" in refusal(response, 3)


def test_a_repeated_body_is_acknowledged_and_counted_once(client: httpx.Client, db: Database) -> None:
    body = one_span("repeated", 7)
    assert [post(client, body).status_code for _ in range(3)] == [200, 200, 200]
    assert post(client, gzip.compress(body), Content_Encoding="gzip").status_code == 200
    assert total(db, "repeated") == 7


def test_a_sender_that_leaves_amid_its_body_does_no_harm(
    client: httpx.Client, collector: tuple[str, Intake], db: Database
) -> None:
    url, intake = collector
    port = int(url.rpartition(":")[2])
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: 50000\r\n\r\n"
            connection.sendall(head.encode() + b"x" * 1000)
    assert post(client, one_span("after-leavers")).status_code == 200
    assert total(db, "after-leavers") == 1
    idle = threading.Event()
    for _ in range(200):
        if intake.counters().held_bytes == 0:
            break
        idle.wait(0.05)
    assert intake.counters().held_bytes == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=300),
    content_type=st.sampled_from([PROTOBUF, JSON]),
    path=st.sampled_from(["/v1/traces", "/v1/logs"]),
    encoding=st.sampled_from(["identity", "gzip", "deflate", "zstd"]),
)
def test_hostile_bytes_are_never_anything_else_than_200_or_400(
    client: httpx.Client, body: bytes, content_type: str, path: str, encoding: str
) -> None:
    response = post(client, body, content_type, path, Content_Encoding=encoding)
    assert response.status_code in (200, 400)
    assert response.headers["content-type"] == content_type


def test_under_overload_the_rest_is_refused_and_everything_acknowledged_is_stored(tmp_path: Path) -> None:
    turn = threading.Semaphore(0)
    with open_database(tmp_path) as db:
        store = storing(db)

        def slowly(payloads: Sequence[PreparedPayload]) -> None:
            assert turn.acquire(timeout=60)
            store(payloads)

        pipeline = Pipeline(limits=Limits(body_bytes=10_000))
        with collecting(slowly, pipeline, capacity_bytes=40_000) as (url, intake):
            with httpx.Client(base_url=url, timeout=60) as client, ThreadPoolExecutor(24) as senders:
                bodies = [one_span(f"overload-{number}") for number in range(48)]
                answers = [senders.submit(post, client, body) for body in bodies]
                seen = threading.Event()
                for _ in range(600):
                    if intake.counters().requests_refused:
                        break
                    seen.wait(0.05)
                turn.release(1000)
                responses = [answer.result() for answer in answers]
            accepted = sum(response.status_code == 200 for response in responses)
            refused = [response for response in responses if response.status_code == 503]
            assert accepted
            assert refused
            assert accepted + len(refused) == len(bodies)
            assert all(int(response.headers["retry-after"]) >= 1 for response in refused)
            assert all(refusal(response, 14) for response in refused)
            assert sum(group.total for group in sli_totals(db, SERIES_RULE_ID, 0, FOREVER)) == accepted
            assert intake.counters().held_bytes == 0


def test_room_is_taken_as_a_body_is_read(tmp_path: Path) -> None:
    turn, entered = threading.Event(), threading.Event()

    def slowly(payloads: Sequence[PreparedPayload]) -> None:
        entered.set()
        assert turn.wait(60)

    def body(number: int) -> bytes:
        return traces([span(number, end_ns=now_ns(), custom="x" * 30_000)]).SerializeToString()

    pipeline = Pipeline(limits=Limits(body_bytes=40_000))
    with collecting(slowly, pipeline, capacity_bytes=60_000) as (url, intake):
        with httpx.Client(base_url=url, timeout=60) as client, ThreadPoolExecutor(1) as senders:
            first = senders.submit(post, client, body(1))
            assert entered.wait(30)
            second = post(client, body(2))
            assert second.status_code == 503
            assert intake.counters().requests == 1, "it was refused before it was read whole"
            turn.set()
            assert first.result().status_code == 200
        assert intake.counters().held_bytes == 0


def test_a_storage_failure_is_503_and_the_retry_is_stored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    failures = [RuntimeError("the disk is on fire")]
    with open_database(tmp_path) as db:
        store = storing(db)

        def once_failing(payloads: Sequence[PreparedPayload]) -> None:
            if failures:
                raise failures.pop()
            store(payloads)

        with collecting(once_failing) as (url, _), httpx.Client(base_url=url) as client, caplog.at_level(logging.ERROR):
            body = one_span("retried")
            first, second = post(client, body), post(client, body)
            assert (first.status_code, second.status_code) == (503, 200)
            assert "fire" not in refusal(first, 14)
            assert "fire" in caplog.text
            assert total(db, "retried") == 1
