"""A real `tailwatch serve` process on free ports, and the stock OTLP payloads to send to it."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

READY_S = 60.0
"""Patience with a busy machine; a test that waits this long has failed."""


@dataclass
class Running:
    """The process, where it listens, and where its log is."""

    process: subprocess.Popen[bytes]
    url: str
    grpc: str
    log: Path
    tls: ssl.SSLContext | bool = True

    def get(self, path: str, **params: Any) -> Any:
        answer = httpx.get(f"{self.url}{path}", params=params, timeout=30, verify=self.tls)
        answer.raise_for_status()
        return answer.json()

    def send(self, body: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/x-protobuf"}
        return httpx.post(f"{self.url}/v1/traces", content=body, headers=headers, timeout=30)

    def wait_for(self, path: str, accept) -> Any:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            found = self.get(path)
            if accept(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"{path} never became what was expected; last: {found}\n{self.log.read_text()[-4000:]}")

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_S)


def write_config(folder: Path, document: Mapping[str, Any], slos: str = "") -> Path:
    if slos:
        (folder / "slos.yaml").write_text(slos, encoding="utf-8")
    base = {"http": "127.0.0.1:0", "grpc": "127.0.0.1:0", "data_dir": "data", "slos": ["slos.yaml"] if slos else []}
    path = folder / "tailwatch.yaml"
    path.write_text(yaml.safe_dump(base | dict(document)), encoding="utf-8")
    return path


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tailwatch", *(str(argument) for argument in arguments)]


def refused_start(folder: Path, **settings: str) -> str:
    """What a server with these settings says last before it ends with status 2."""
    config = write_config(folder, settings)
    done = subprocess.run(
        command("--config", config, "serve"), capture_output=True, text=True, check=False, timeout=120, cwd=folder
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


@contextmanager
def serving(
    config: Path, environment: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | bool = True
) -> Iterator[Running]:
    """The process once it is ready; ``tls`` is what verifies its certificate, where it has one."""
    log = config.with_suffix(".log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            command("--config", config, "serve"), stdout=output, stderr=output, env=environment, cwd=config.parent
        )
    try:
        yield _wait_ready(process, log, tls)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait_ready(process: subprocess.Popen[bytes], log: Path, tls: ssl.SSLContext | bool) -> Running:
    already = len(re.findall(r"OTLP/HTTP, API and metrics on", log.read_text()))
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        text = log.read_text()
        assert process.poll() is None, text
        urls = re.findall(r"OTLP/HTTP, API and metrics on (\S+),", text)
        if len(urls) > already or (urls and already == 0):
            grpc = re.findall(r"OTLP/gRPC on (\S+)", text)[-1]
            running = Running(process, urls[-1], grpc, log, tls)
            try:
                if httpx.get(f"{urls[-1]}/readyz", timeout=5, verify=tls).status_code == 200:
                    return running
            except httpx.TransportError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"not ready: {log.read_text()}")


def traces(
    count: int,
    *,
    end_ns: int,
    first_id: int = 1,
    bad: int = 0,
    service: str = "chat",
    duration_ns: int = 100_000_000,
    attributes: Mapping[str, str | int | float] | None = None,
) -> bytes:
    """An Export request of ``count`` inference spans, the first ``bad`` of them failed."""
    spans = []
    for i in range(count):
        named = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **(attributes or {})}
        if i < bad:
            named["error.type"] = "timeout"
        spans.append(
            Span(
                trace_id=(first_id + i).to_bytes(16, "big"),
                span_id=(first_id + i).to_bytes(8, "big"),
                name="chat m",
                start_time_unix_nano=end_ns - duration_ns,
                end_time_unix_nano=end_ns,
                attributes=[_attribute(key, value) for key, value in named.items()],
            )
        )
    resource = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    resource.resource.attributes.append(_attribute("service.name", service))
    return ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString()


def _attribute(key: str, value: str | float) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))
