"""Beside an application's own OpenTelemetry: nested below its spans, and never in its way."""

from collections.abc import Iterator

import pytest
import tailwatch_sdk as tailwatch
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.sdk.receiver import Receiver


class Host:
    """An application that exports its own spans, here into memory."""

    def __init__(self, sampler: Sampler) -> None:
        self.memory = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=ParentBased(sampler), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.memory))
        self.tracer = self.provider.get_tracer("host")

    def names(self) -> list[str]:
        return [span.name for span in self.memory.get_finished_spans()]


@pytest.fixture
def host() -> Host:
    return Host(ALWAYS_ON)


@pytest.fixture
def unsampled() -> Host:
    return Host(ALWAYS_OFF)


def test_calls_are_recorded_below_the_hosts_span_and_only_in_tailwatch(sdk: Receiver, host: Host) -> None:
    with host.tracer.start_as_current_span("request") as request:
        with tailwatch.inference_span("chat"), host.tracer.start_as_current_span("database"):
            pass
        assert trace.get_current_span() is request
    tailwatch.flush()
    call = sdk.span()
    assert call.trace_id == format(request.get_span_context().trace_id, "032x")
    assert call.raw.parent_span_id.hex() == format(request.get_span_context().span_id, "016x")
    assert host.names() == ["database", "request"]
    database = host.memory.get_finished_spans()[0]
    assert database.parent is not None
    assert format(database.parent.span_id, "016x") == call.span_id


def test_a_host_that_samples_nothing_loses_no_call_and_records_nothing_more(sdk: Receiver, unsampled: Host) -> None:
    carrier: dict[str, str] = {}
    with (
        unsampled.tracer.start_as_current_span("request") as request,
        tailwatch.inference_span("chat") as call,
        unsampled.tracer.start_as_current_span("database"),
    ):
        TraceContextTextMapPropagator().inject(carrier)
        call.output_tokens = 3
        call.log(prediction="a")
    tailwatch.flush()
    assert sdk.span().attributes["gen_ai.usage.output_tokens"] == 3
    assert sdk.span().trace_id == format(request.get_span_context().trace_id, "032x")
    assert sdk.log().span_id == sdk.span().span_id
    assert unsampled.names() == []
    assert carrier["traceparent"].split("-")[3][-1] in "02468ace"  # services downstream are not told to sample


def test_trace_state_of_the_host_is_handed_on(sdk: Receiver, host: Host) -> None:
    parent = TraceContextTextMapPropagator().extract(
        {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "vendor=1"}
    )
    carrier: dict[str, str] = {}
    with host.tracer.start_as_current_span("request", context=parent), tailwatch.inference_span("chat"):
        TraceContextTextMapPropagator().inject(carrier)
    assert carrier["tracestate"] == "vendor=1"


def test_other_instrumentation_may_use_the_clients_provider(collector: Receiver) -> None:
    client = tailwatch.configure(endpoint=collector.url)
    with client.tracer_provider.get_tracer("library").start_as_current_span("retrieval"):
        pass
    tailwatch.flush()
    assert collector.span().name == "retrieval"


@pytest.fixture
def global_providers() -> Iterator[None]:
    """OpenTelemetry lets its global providers be set once in a process; the test gives them back."""
    before = (trace._TRACER_PROVIDER, _logs._internal._LOGGER_PROVIDER)
    once = (trace._TRACER_PROVIDER_SET_ONCE, _logs._internal._LOGGER_PROVIDER_SET_ONCE)
    trace._TRACER_PROVIDER = _logs._internal._LOGGER_PROVIDER = None
    trace._TRACER_PROVIDER_SET_ONCE = type(once[0])()
    _logs._internal._LOGGER_PROVIDER_SET_ONCE = type(once[1])()
    yield
    trace._TRACER_PROVIDER, _logs._internal._LOGGER_PROVIDER = before
    trace._TRACER_PROVIDER_SET_ONCE, _logs._internal._LOGGER_PROVIDER_SET_ONCE = once


@pytest.mark.usefixtures("global_providers")
def test_configure_leaves_the_global_providers_alone(sdk: Receiver) -> None:
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    with trace.get_tracer("host").start_as_current_span("host"):
        pass
    tailwatch.flush()
    assert sdk.spans == []


@pytest.mark.usefixtures("global_providers")
def test_set_global_makes_the_providers_global_unless_the_host_set_its_own(
    collector: Receiver, notes, host: Host
) -> None:
    client = tailwatch.configure(endpoint=collector.url, set_global=True)
    assert trace.get_tracer_provider() is client.tracer_provider
    assert _logs.get_logger_provider() is client.logger_provider
    with trace.get_tracer("host").start_as_current_span("host"):
        pass
    tailwatch.shutdown()
    assert collector.span().name == "host"
    assert notes() == []

    other = tailwatch.configure(endpoint=collector.url, set_global=True)
    assert trace.get_tracer_provider() is not other.tracer_provider
    assert any("set_global is ignored" in line for line in notes())


@pytest.mark.usefixtures("global_providers")
def test_without_configure_calls_go_to_the_hosts_providers_even_if_they_are_set_late(host: Host) -> None:
    with tailwatch.inference_span("early"):
        pass
    logs = InMemoryLogRecordExporter()
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    trace.set_tracer_provider(host.provider)
    _logs.set_logger_provider(logger_provider)
    with tailwatch.inference_span("late", model="m") as call:
        call.input_tokens = 3
        call.log(prediction="a")
    (span,) = host.memory.get_finished_spans()
    assert span.name == "late m"
    assert span.attributes is not None
    assert span.attributes["gen_ai.usage.input_tokens"] == 3
    (log,) = logs.get_finished_logs()
    assert log.log_record.event_name == "tailwatch.inference"
    assert log.log_record.span_id == call._span.get_span_context().span_id


def test_a_host_whose_processor_raises_keeps_its_requests(collector: Receiver, notes) -> None:
    class Broken(SimpleSpanProcessor):
        def on_start(self, span: object, parent_context: object = None) -> None:
            raise RuntimeError("broken processor")

    client = tailwatch.configure(endpoint=collector.url)
    assert isinstance(client.tracer_provider, TracerProvider)
    client.tracer_provider.add_span_processor(Broken(InMemorySpanExporter()))
    with tailwatch.inference_span("chat") as call:
        call.output_tokens = 1
    assert sum("starting its span raised RuntimeError" in line for line in notes()) == 1
