import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import tailwatch_sdk as tailwatch
from tailwatch_sdk import notices

from tests.sdk.receiver import Receiver, Server


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    notices.forget()
    yield
    tailwatch.shutdown(0.5)


@pytest.fixture
def collector() -> Iterator[Receiver]:
    server = Server()
    yield server.receiver
    server.stop()


@pytest.fixture
def sdk(collector: Receiver) -> Receiver:
    """The SDK configured to send to a collector; the collector."""
    tailwatch.configure(service_name="chat", endpoint=collector.url)
    return collector


@pytest.fixture
def notes(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the SDK, and OpenTelemetry below it, wrote to the host's log."""
    caplog.set_level(logging.INFO)

    def messages() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith(("tailwatch_sdk", "opentelemetry"))
        ]

    return messages


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in a fresh interpreter."""

    def start(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start
