"""One configured SDK: the providers, their batch processors and their ways to the collector.

It owns nothing global; `tailwatch_sdk.runtime` decides which client is in use.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol, runtime_checkable

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider as ApiLoggerProvider
from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.metrics import MeterProvider as ApiMeterProvider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.trace import TracerProvider as ApiTracerProvider

from tailwatch_sdk import exporters, fields, providers
from tailwatch_sdk.configuration import Settings
from tailwatch_sdk.delivery import Delivery
from tailwatch_sdk.identifiers import PrivateIdGenerator
from tailwatch_sdk.recording import RecordAll, RecordingProcessor
from tailwatch_sdk.worker import Worker


@runtime_checkable
class _Closeable(Protocol):
    """What every provider of OpenTelemetry's SDK has, and none of those that do nothing."""

    def force_flush(self) -> bool:
        """Send what is held."""
        ...

    def shutdown(self) -> None:
        """Stop."""
        ...


class Client:
    """What `configure` returns.

    Attributes:
        tracer_provider: for instrumentation libraries whose spans should reach Tailwatch too, e.g.
            `FastAPIInstrumentor.instrument_app(app, tracer_provider=client.tracer_provider)`.
        logger_provider: the same for log records.
        meter_provider: for metrics, e.g. `client.meter_provider.get_meter("app").create_observable_gauge(...)`.
        settings: what was configured; None when telemetry is off.
    """

    def __init__(
        self,
        tracer_provider: ApiTracerProvider,
        logger_provider: ApiLoggerProvider,
        settings: Settings | None = None,
        deliveries: tuple[Delivery, ...] = (),
        resource: Resource | None = None,
    ) -> None:
        self.tracer_provider = tracer_provider
        self.logger_provider = logger_provider
        self.settings = settings
        self._deliveries = deliveries
        self._resource = resource
        self._meters: ApiMeterProvider | None = None
        self._meters_lock = threading.Lock()
        self._worker = Worker("tailwatch-flush") if deliveries else None

    @classmethod
    def off(cls) -> Client:
        """A client that records nothing and costs next to nothing."""
        return cls(trace.NoOpTracerProvider(), NoOpLoggerProvider())

    @classmethod
    def open(cls, settings: Settings) -> Client:
        """A client that batches and exports with OpenTelemetry's defaults (OTEL_BSP_*, OTEL_BLRP_*, OTEL_SPAN_*).

        Raises:
            ConfigurationError: gRPC is asked for and its extra is not installed.
            ValueError: OpenTelemetry refuses one of its environment variables.
        """
        headers = dict(settings.headers)
        spans = exporters.span_delivery(settings.traces, headers)
        logs = exporters.log_delivery(settings.logs, headers)
        resource = Resource.create(dict(settings.resource))
        # shutdown_on_exit=False: the stock handlers wait up to 30 s each for a collector that may be gone.
        tracer_provider = TracerProvider(
            sampler=None if settings.sample else RecordAll(),
            resource=resource,
            id_generator=PrivateIdGenerator(),
            span_limits=_span_limits(),
            shutdown_on_exit=False,
        )
        logger_provider = LoggerProvider(resource=resource, log_record_limits=_log_limits(), shutdown_on_exit=False)
        tracer_provider.add_span_processor(RecordingProcessor(exporters.DeliveringSpanExporter(spans)))
        try:
            logger_provider.add_log_record_processor(BatchLogRecordProcessor(exporters.DeliveringLogExporter(logs)))
        except ValueError:
            tracer_provider.shutdown()  # nothing is queued yet; its thread would stay behind
            raise
        return cls(tracer_provider, logger_provider, settings, (spans, logs), resource)

    @property
    def meter_provider(self) -> ApiMeterProvider:
        """Where instruments come from; they are read and sent from the first time on that somebody asks for it.

        Raises:
            ConfigurationError: gRPC is asked for and its extra is not installed.
        """
        with self._meters_lock:
            if self._meters is None:
                self._meters = self._open_meters()
            return self._meters

    def providers(self) -> providers.Providers:
        """The tracer and the logger of this client."""
        return providers.of(self.tracer_provider, self.logger_provider)

    def flush(self, timeout_s: float) -> bool:
        """Send what is waiting, for at most `timeout_s` seconds.

        Returns:
            Whether the collector took all of it in time. What it did not take is retried by the exporter only as long
            as its own timeout lasts (OTEL_EXPORTER_OTLP_TIMEOUT, 10 s) and then lost.
        """
        if self._worker is None:
            return True
        return self._worker.run(self._flush, max(0.0, timeout_s))

    def shutdown(self, timeout_s: float) -> bool:
        """Flush, then stop; takes at most `timeout_s` seconds and a fifth. See `flush` for the result."""
        if self._worker is None:
            return True
        delivered = self.flush(timeout_s)
        # Cuts short the wait for a retry of a batch in flight; without it a dead collector would hold the exit up.
        for delivery in self._deliveries:
            delivery.close()
        self._worker.run(self._stop, max(0.0, timeout_s) / 5)
        self._worker.stop()
        return delivered

    def after_fork(self) -> None:
        """Bring the flushing thread back in a forked child; OpenTelemetry's processors see to their own."""
        if self._worker is not None:
            self._worker.restart()

    def _open_meters(self) -> ApiMeterProvider:
        if self.settings is None or self._resource is None:
            return NoOpMeterProvider()
        from tailwatch_sdk.metrics import meter_provider  # noqa: PLC0415  # only for who has metrics

        delivery = exporters.metric_delivery(self.settings.metrics, dict(self.settings.headers))
        self._deliveries = (*self._deliveries, delivery)
        return meter_provider(self._resource, delivery)

    def _holding(self) -> list[_Closeable]:
        """The providers that hold something to send."""
        every: tuple[object, ...] = (self.tracer_provider, self.logger_provider, self._meters)
        return [one for one in every if isinstance(one, _Closeable)]

    def _flush(self) -> bool:
        failures = self._failures()
        for provider in self._holding():
            provider.force_flush()
        return self._failures() == failures

    def _stop(self) -> bool:
        for provider in self._holding():
            provider.shutdown()
        return True

    def _failures(self) -> int:
        return sum(delivery.failures for delivery in self._deliveries)


def _span_limits() -> SpanLimits:
    """The environment's limits; where it has none, more than a call can hold."""
    unset = not _set("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")
    return SpanLimits(max_span_attributes=3 * fields.MAX_SET) if unset else SpanLimits()


def _log_limits() -> LogRecordLimits:
    """The environment's limits; where it has none, more than an inference log can hold."""
    unset = not _set("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")
    return LogRecordLimits(max_attributes=2 * fields.MAX_FEATURES) if unset else LogRecordLimits()


def _set(*variables: str) -> bool:
    return any(variable in os.environ for variable in variables)
