"""A real OTLP/HTTP receiver on a free port, which parses protobuf and answers as it is told."""

import gzip
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def mapping(attributes: list[KeyValue]) -> dict[str, Any]:
    return {attribute.key: plain(attribute.value) for attribute in attributes}


@dataclass
class Record:
    """A span or a log record as it came over the wire."""

    name: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    trace_id: str
    span_id: str
    raw: Any


@dataclass
class Receiver:
    """What arrived. `answers` are (status, headers) for the next requests; when it is empty, 200."""

    port: int = 0
    spans: list[Record] = field(default_factory=list)
    logs: list[Record] = field(default_factory=list)
    gauges: dict[str, float] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    changed: threading.Condition = field(default_factory=threading.Condition)
    hang: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def span(self) -> Record:
        (only,) = self.spans
        return only

    def log(self) -> Record:
        (only,) = self.logs
        return only

    def wait(self, spans: int = 0, logs: int = 0, requests: int = 0, timeout_s: float = 20) -> None:
        with self.changed:
            assert self.changed.wait_for(
                lambda: len(self.spans) >= spans and len(self.logs) >= logs and len(self.paths) >= requests, timeout_s
            ), f"{len(self.spans)} spans, {len(self.logs)} logs and {len(self.paths)} requests arrived"

    def take(self, path: str, body: bytes) -> bytes:
        if path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.spans += [
                        Record(
                            span.name,
                            mapping(span.attributes),
                            mapping(resource.resource.attributes),
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span,
                        )
                        for span in scope.spans
                    ]
            return ExportTraceServiceResponse().SerializeToString()
        if path == "/v1/metrics":
            for sent in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in (metric for scope in sent.scope_metrics for metric in scope.metrics):
                    self.gauges[metric.name] = metric.gauge.data_points[0].as_int
            return ExportMetricsServiceResponse().SerializeToString()
        assert path == "/v1/logs", path
        logs = ExportLogsServiceRequest.FromString(body)
        for resource in logs.resource_logs:
            for scope in resource.scope_logs:
                self.logs += [
                    Record(
                        log.event_name,
                        mapping(log.attributes),
                        mapping(resource.resource.attributes),
                        log.trace_id.hex(),
                        log.span_id.hex(),
                        log,
                    )
                    for log in scope.log_records
                ]
        return ExportLogsServiceResponse().SerializeToString()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.receiver = Receiver()
        super().__init__(("127.0.0.1", port), Handler)
        self.receiver.port = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections alive, as a real collector does
    server: Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if receiver.hang is not None:
            receiver.hang.wait(30)
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with receiver.changed:
            status, headers = receiver.answers.popleft() if receiver.answers else (200, {})
            answer = receiver.take(self.path, body) if status == 200 else b""
            receiver.paths.append(self.path)
            receiver.headers.append(dict(self.headers))
            receiver.changed.notify_all()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""
