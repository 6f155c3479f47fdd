"""A small OTLP/HTTP receiver that keeps what it is sent; it checks nothing and answers 200."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True)
class Record:
    """A span or a log record with its attributes as Python values."""

    name: str
    trace_id: str
    span_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    duration_s: float = 0.0


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


class OtlpReceiver:
    """Listens on a free port; ``wait_for`` blocks until a record satisfies a predicate."""

    def __init__(self) -> None:
        self.spans: list[Record] = []
        self.logs: list[Record] = []
        self.gauges: dict[tuple[str, str], int] = {}
        """Last values by metric and task."""
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for_span(self, wanted: Callable[[Record], bool]) -> Record:
        return self._wait(self.spans, wanted)

    def wait_for_log(self, wanted: Callable[[Record], bool]) -> Record:
        return self._wait(self.logs, wanted)

    def _wait(self, records: list[Record], wanted: Callable[[Record], bool]) -> Record:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, records)), timeout=20), "no such record arrived"
            return next(record for record in records if wanted(record))

    def _take(self, path: str, body: bytes) -> None:
        with self._changed:
            if path == "/v1/traces":
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    resource = _attributes(group.resource.attributes)
                    for span in (s for scope in group.scope_spans for s in scope.spans):
                        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
                        ids = span.trace_id.hex(), span.span_id.hex()
                        self.spans.append(Record(span.name, *ids, _attributes(span.attributes), resource, seconds))
            elif path == "/v1/logs":
                for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                    resource = _attributes(group.resource.attributes)
                    for log in (entry for scope in group.scope_logs for entry in scope.log_records):
                        ids = log.trace_id.hex(), log.span_id.hex()
                        self.logs.append(Record(log.event_name, *ids, _attributes(log.attributes), resource))
            elif path == "/v1/metrics":
                self._take_gauges(ExportMetricsServiceRequest.FromString(body))
            self._changed.notify_all()

    def _take_gauges(self, request: ExportMetricsServiceRequest) -> None:
        scopes = [scope for sent in request.resource_metrics for scope in sent.scope_metrics]
        for metric in (metric for scope in scopes for metric in scope.metrics):
            largest: dict[tuple[str, str], int] = {}
            for point in metric.gauge.data_points:
                # Of a task's model versions, the one that has most.
                key = metric.name, _attributes(point.attributes)["task"]
                largest[key] = max(largest.get(key, 0), point.as_int)
            self.gauges |= largest

    def wait_for_gauges(self, wanted: Callable[[dict[tuple[str, str], int]], bool]) -> dict[tuple[str, str], int]:
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.gauges), timeout=30), f"no such gauges: {self.gauges}"
            return dict(self.gauges)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._take(self.path, body)
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Keeps quiet."""

        return Handler
