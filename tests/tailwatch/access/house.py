"""A real server with tokens, and stock exporters that send to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from storage import tokens
from storage.database import Database
from tailwatch.access.scopes import Scope
from tailwatch.access.secret import digest_of, new_secret
from tests.tailwatch.running import Running

PATIENCE_S = 30


@dataclass
class House:
    """The server, its database, and every secret that was ever made."""

    running: Running
    database: Database
    secrets: dict[str, str] = field(default_factory=dict)

    def make(self, name: str, *scopes: Scope) -> str:
        secret = self.secrets[name] = new_secret()
        now_ns = time.time_ns()
        tokens.create(self.database, name, scopes, digest_of(secret), expires_ns=None, now_ns=now_ns, actor="tests")
        return secret

    def ask(self, method: str, path: str, name: str | None = None, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.secrets[name]}"} if name else {}
        headers |= more.pop("headers", {})  # type: ignore[arg-type]
        return httpx.request(
            method,
            f"{self.running.url}{path}",
            headers=headers,
            timeout=30,
            verify=self.running.tls,
            **more,  # type: ignore[arg-type]
        )


def wait_for(look: Callable[[], object], expected: object) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (found := look()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


class Once(SpanExporter):
    """Hands spans on, and keeps what became of them."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.exporter, self.results = exporter, []

    def export(self, spans):
        self.results.append(self.exporter.export(spans))
        return self.results[-1]


def exported(exporter: SpanExporter) -> SpanExportResult:
    kept = Once(exporter)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    provider.get_tracer("tests").start_span("chat m", attributes={"gen_ai.operation.name": "chat"}).end()
    (result,) = kept.results
    exporter.shutdown()
    return result
