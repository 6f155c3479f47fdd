"""Metrics: the application's own instruments go the way of spans, and there is no way before somebody asks for it."""

import threading

import pytest
import tailwatch_sdk as tailwatch
from opentelemetry.metrics import Observation

from tests.sdk.receiver import Receiver


def test_a_gauge_is_read_and_sent_at_a_flush(collector: Receiver) -> None:
    client = tailwatch.configure(service_name="chat", endpoint=collector.url)
    meter = client.meter_provider.get_meter("app")
    meter.create_observable_gauge("tailwatch.queue.depth", [lambda _: [Observation(7)]], "{request}")
    assert tailwatch.flush(20)
    assert collector.gauges == {"tailwatch.queue.depth": 7}
    assert "/v1/metrics" in collector.paths


def test_gauges_are_sent_by_themselves(collector: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    client = tailwatch.configure(endpoint=collector.url)
    client.meter_provider.get_meter("app").create_observable_gauge("depth", [lambda _: [Observation(3)]])
    collector.wait(requests=2)
    assert collector.gauges == {"depth": 3}


def test_an_application_without_metrics_has_no_reader(collector: Receiver) -> None:
    before = {thread.name for thread in threading.enumerate()}
    tailwatch.configure(endpoint=collector.url)
    with tailwatch.inference_span("chat"):
        pass
    assert tailwatch.flush(20)
    assert "/v1/metrics" not in collector.paths
    started = {thread.name for thread in threading.enumerate()} - before
    assert not any("Metric" in name for name in started)


def test_a_collector_that_refuses_metrics_costs_one_line(collector: Receiver, notes) -> None:
    client = tailwatch.configure(endpoint=collector.url)
    client.meter_provider.get_meter("app").create_observable_gauge("depth", [lambda _: [Observation(3)]])
    collector.answers.extend([(400, {}), (400, {})])
    assert not tailwatch.flush(20)
    assert not tailwatch.flush(20)
    assert len([line for line in notes() if line.startswith("Metrics cannot be delivered to")]) == 1
    assert tailwatch.flush(20)


def test_metrics_go_where_their_own_variable_says(collector: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{collector.url}/v1/metrics")
    client = tailwatch.configure()
    client.meter_provider.get_meter("app").create_observable_gauge("depth", [lambda _: [Observation(3)]])
    tailwatch.flush(20)
    assert collector.gauges == {"depth": 3}


def test_when_telemetry_is_off_instruments_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    client = tailwatch.configure()
    client.meter_provider.get_meter("app").create_observable_gauge("depth", [lambda _: pytest.fail("it was read")])
    assert tailwatch.flush(5)
