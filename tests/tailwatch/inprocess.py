"""A real service and its real HTTP server within the test's process, on a clock that stands still."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from collector.request import Request
from tailwatch.api.app import create_app
from tailwatch.service import Service
from tailwatch.settings import load_settings
from tailwatch.store import open_store
from telemetry.clock import ManualClock
from tests.tailwatch.declared import START_NS
from tests.tailwatch.running import write_config


@dataclass
class InProcess:
    """A service whose evaluations the test runs itself: nothing is scheduled."""

    service: Service
    clock: ManualClock

    def take(self, body: bytes, signal: Any = "span") -> None:
        """Commit an Export request."""
        assert self.service.intake.submit(Request(signal, "protobuf", body)).result(60).rejected == 0

    def evaluate(self) -> None:
        """One evaluation, now."""
        self.service.evaluator.step(self.clock.now_ns())


@contextmanager
def service_on(folder: Path, url: str, slos: str = "", **document: Any) -> Iterator[InProcess]:
    """The service on the database at ``url``."""
    config = write_config(folder, {"database_url": url, **document}, f"version: 1\nslos:{slos}" if slos else "")
    settings = load_settings(config)
    clock = ManualClock(START_NS)
    with open_store(settings, clock) as store:
        service = Service(settings, store, clock, config)
        service.evaluator.start(clock.now_ns())
        try:
            yield InProcess(service, clock)
        finally:
            service.intake.close()
            service.scraping.close()
            service.evaluator.stop()


@contextmanager
def api_of(service: Service) -> Iterator[httpx.Client]:
    """A client of the service's API, served by uvicorn on a thread."""
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_config=None, lifespan="off"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
