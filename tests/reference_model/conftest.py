"""One service process and one set of weights for all tests of the reference service."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.reference_model.otlp_receiver import OtlpReceiver


@dataclass
class Running:
    """A service process, a client of it, and the receiver of its telemetry."""

    process: subprocess.Popen[str]
    ready_line: str
    client: httpx.Client
    telemetry: OtlpReceiver

    def chat(self, text: str, **fields: object) -> httpx.Response:
        headers = fields.pop("headers", None)
        body = {"messages": [{"role": "user", "content": text}], "max_tokens": 8, **fields}
        return self.client.post("/v1/chat/completions", json=body, headers=headers)  # type: ignore[arg-type]

    def classify(self, text: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/classify", json={"input": text}, headers=named)


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """The service as users start it, warm."""
    telemetry = OtlpReceiver()
    command = [sys.executable, "-m", "reference_model", "serve", "--port", "0", "--otlp", telemetry.url]
    # The exporters send every 0.2 s instead of every few seconds, so that tests need not wait for spans.
    quick = {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BLRP_SCHEDULE_DELAY": "200", "OTEL_METRIC_EXPORT_INTERVAL": "50"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | quick)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line.startswith("ready on http://"), line
        # A pool that closes idle connections may close one that another of its threads has just taken.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=None)
        with httpx.Client(base_url=line.split()[2], timeout=60, trust_env=False, limits=limits) as client:
            yield Running(process, line, client, telemetry)
    finally:
        process.terminate()
        process.wait(timeout=30)
        telemetry.close()


@pytest.fixture
def service(running: Running) -> Iterator[Running]:
    """The running service; whatever faults a test starts are stopped after it."""
    yield running
    running.client.delete("/admin/faults").raise_for_status()
