"""The same calls over gRPC, the optional extra."""

import logging
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
import tailwatch_sdk as tailwatch
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.sdk.receiver import Receiver
from tests.sdk.test_delivery import free_port


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # gRPC's name
        self.receiver.headers.append(dict(context.invocation_metadata()))
        self.receiver.take("/v1/traces", request.SerializeToString())
        return trace_service_pb2.ExportTraceServiceResponse()


class Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # gRPC's name
        self.receiver.take("/v1/logs", request.SerializeToString())
        return logs_service_pb2.ExportLogsServiceResponse()


@pytest.fixture
def grpc_collector() -> Iterator[Receiver]:
    receiver = Receiver()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(receiver), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(receiver), server)
    receiver.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield receiver
    server.stop(None).wait()


def test_spans_logs_and_headers_arrive(grpc_collector: Receiver) -> None:
    tailwatch.configure("grpc-app", endpoint=grpc_collector.url, protocol="grpc", headers={"x-key": "1"})
    with tailwatch.inference_span("chat", model="m") as call:
        call.output_tokens = 3
        call.log(prediction="a")
    assert tailwatch.flush(20)
    assert grpc_collector.span().attributes["gen_ai.usage.output_tokens"] == 3
    assert grpc_collector.log().span_id == call.span_id
    assert grpc_collector.headers[0]["x-key"] == "1"


def test_headers_of_the_environment_are_used_when_none_are_given(
    grpc_collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=2")
    tailwatch.configure(endpoint=grpc_collector.url, protocol="grpc")
    with tailwatch.inference_span("chat"):
        pass
    assert tailwatch.flush(20)
    assert grpc_collector.headers[0]["x-key"] == "2"


def test_a_collector_that_is_down_costs_one_line(notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    tailwatch.configure(endpoint=f"http://127.0.0.1:{free_port()}", protocol="grpc")
    for _ in range(2):
        with tailwatch.inference_span("chat"):
            pass
        assert not tailwatch.flush(20)
    said = [line for line in notes() if line.startswith("Spans cannot be delivered")]
    assert len(said) == 1
    assert len(notes()) == 1


def test_without_the_extra_configure_says_what_to_install(run) -> None:
    done = run(
        "import sys\n"
        "sys.modules['opentelemetry.exporter.otlp.proto.grpc'] = None\n"  # as if it were not installed
        "import tailwatch_sdk\n"
        "try:\n"
        "    tailwatch_sdk.configure(protocol='grpc')\n"
        "except tailwatch_sdk.ConfigurationError as problem:\n"
        "    print(problem)\n"
    )
    assert done.stdout.startswith("The protocol 'grpc' needs an extra: pip install 'tailwatch-sdk[grpc]'")
    assert logging.getLogger("tailwatch_sdk").level == logging.NOTSET
