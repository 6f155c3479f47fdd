"""Who calls whom, learned from traces: alerts of caller and called become one incident, and people see why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tailwatch.cli import main
from telemetry.windows import NANOS
from tests.tailwatch.inprocess import InProcess, api_of, service_on

DECLARED: dict[str, Any] = {"depends_on": {"chat": ["retrieval"]}}


def calls(caller: str, called: str, count: int, now_ns: int) -> bytes:
    """Traces of a span of each, the second within the first."""
    times = {"start_time_unix_nano": now_ns - NANOS, "end_time_unix_nano": now_ns}
    ids = [number.to_bytes(8, "big") for number in range(1, 2 * count + 1)]
    outer = [Span(trace_id=one * 2, span_id=one, name="out", **times) for one in ids[:count]]
    inner = [
        Span(trace_id=one * 2, span_id=other, parent_span_id=one, name="in", **times)
        for one, other in zip(ids, ids[count:], strict=False)
    ]
    request = ExportTraceServiceRequest()
    for service, spans in ((caller, outer), (called, inner)):
        resource = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
        resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=service)))
        request.resource_spans.append(resource)
    return request.SerializeToString()


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str) -> Iterator[InProcess]:
    with service_on(tmp_path, migrated_sqlite_url, alerting=DECLARED) as service:
        yield service


def learn(running: InProcess, caller: str, called: str, count: int = 3) -> None:
    running.take(calls(caller, called, count, running.clock.now_ns()))
    running.clock.advance(120)
    running.service.calls.step(running.clock.now_ns())


def incidents_of(running: InProcess, *services: str) -> int:
    """How many incidents become of alerts that begin in these services at once."""
    with api_of(running.service) as api:
        posted = [{"labels": {"alertname": "Slow", "service": name}} for name in services]
        assert api.post("/api/v2/alerts", json=posted).status_code == 200
    running.evaluate()
    return len(running.service.alerting.incidents())


def test_alerts_of_caller_and_called_become_one_incident(running):
    learn(running, "gateway", "chat")
    assert incidents_of(running, "gateway", "retrieval") == 1, "through chat, of which it is declared"


def test_alerts_of_strangers_stay_apart(running):
    learn(running, "gateway", "chat")
    assert incidents_of(running, "gateway", "billing") == 2


def test_calls_that_happened_twice_are_an_accident(running):
    learn(running, "gateway", "chat", count=2)
    assert incidents_of(running, "gateway", "chat") == 2


def test_what_is_learned_is_shown_and_survives_a_reload_and_is_forgotten_after_a_day(running, tmp_path):
    learn(running, "gateway", "chat", count=4)
    learnt_at = running.clock.now_ns() / NANOS
    running.service.reloader.reload(running.clock.now_ns())
    assert running.service.alerting.config.depends_on == {"chat": ("retrieval",), "gateway": ("chat",)}
    with api_of(running.service) as api:
        shown = api.get("/api/v1/services/calls").json()["calls"]
        done = CliRunner().invoke(
            main, ["--config", str(tmp_path / "tailwatch.yaml"), "alerts", "calls", "--url", str(api.base_url)]
        )
    assert shown == [
        {"caller": "chat", "called": "retrieval", "declared": True, "calls": None, "last_seen": None},
        {"caller": "gateway", "called": "chat", "declared": False, "calls": 4, "last_seen": learnt_at},
    ]
    assert done.output.splitlines()[0] == "chat -> retrieval  declared"
    assert done.output.splitlines()[1].startswith("gateway -> chat  seen 4 times, last 20")
    running.clock.advance(86400)
    running.service.calls.step(running.clock.now_ns())
    assert running.service.alerting.config.depends_on == {"chat": ("retrieval",)}


def test_nothing_is_learned_where_it_is_not_wanted(tmp_path, migrated_sqlite_url):
    with service_on(tmp_path, migrated_sqlite_url, alerting={"learn_depends_on": False}) as running:
        learn(running, "gateway", "chat")
        assert running.service.calls.document() == []
        assert incidents_of(running, "gateway", "chat") == 2
