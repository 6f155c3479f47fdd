"""The client of this process: `configure`, `flush`, `shutdown`, and what happens at fork and at exit."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider

from tailwatch_sdk import configuration, notices, providers
from tailwatch_sdk.client import Client
from tailwatch_sdk.configuration import Settings
from tailwatch_sdk.errors import ConfigurationError

# At exit the last batch gets this long; an unreachable collector must not keep a process from ending.
_EXIT_TIMEOUT_S = 5.0

_lock = threading.Lock()
_client: Client | None = None
_hooked = False


def configure(  # every caller names them; their order is the documentation's
    service_name: str | None = None,
    service_version: str | None = None,
    environment: str | None = None,
    endpoint: str | None = None,
    protocol: str | None = None,
    resource_attributes: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    set_global: bool = False,
) -> Client:
    """Start sending telemetry; call it once when the application starts, and again at no cost.

    Every argument has the OTEL_* variable that OpenTelemetry gives it as its default. The application's own
    OpenTelemetry set-up, if any, stays as it is; calls are still recorded below its current span.

    Args:
        service_name: `service.name`; else OTEL_SERVICE_NAME.
        service_version: `service.version`; also the model version of calls that name none.
        environment: `deployment.environment.name`, e.g. `production`.
        endpoint: The collector's base URL; else OTEL_EXPORTER_OTLP_ENDPOINT, else http://127.0.0.1:4318.
        protocol: `http/protobuf` (the default) or `grpc`; else OTEL_EXPORTER_OTLP_PROTOCOL.
        resource_attributes: Further attributes of the service (`cloud.region`, ...).
        headers: Sent with every export, for authentication. They are never logged.
        set_global: Also make these providers OpenTelemetry's global ones, unless the application has set its own.

    Returns:
        The client, whose `tracer_provider` other instrumentation may use.

    Raises:
        ConfigurationError: An argument, or the variable that stands in for it, cannot be used. A variable that only
            OpenTelemetry reads (OTEL_BSP_*, OTEL_SPAN_*, ...) is logged instead, and telemetry stays off.
    """
    global _client  # noqa: PLW0603  # one process has one client
    with _lock:
        settings = configuration.resolve(
            service_name=service_name,
            service_version=service_version,
            environment=environment,
            endpoint=endpoint,
            protocol=protocol,
            resource_attributes=resource_attributes,
            headers=headers,
            set_global=set_global,
            environ=os.environ,
        )
        if _client is not None:
            if _client.settings not in {None, settings}:
                notices.once(
                    "configured",
                    "configure was called again with other settings, which are ignored; call shutdown first.",
                )
            return _client
        _client = _open(settings)
        providers.use(_client.providers())
        if set_global:
            _make_global(_client)
        _hook()
        _hook_multiprocessing_child()
        return _client


def flush(timeout_s: float = 5.0) -> bool:
    """Send everything that has ended, waiting at most `timeout_s` seconds.

    Returns:
        Whether the collector took all of it in time; True when nothing is configured.
    """
    client = _client
    return client is None or client.flush(timeout_s)


def shutdown(timeout_s: float = 5.0) -> bool:
    """Flush and stop; `configure` may be called afterwards. Runs by itself when the interpreter exits.

    Args:
        timeout_s: Longest wait in seconds for the collector; stopping adds at most a fifth of it.

    Returns:
        Whether the collector took everything; True when nothing is configured.
    """
    global _client
    with _lock:
        client, _client = _client, None
        providers.use(None)
        notices.forget()
    return client is None or client.shutdown(timeout_s)


def _open(settings: Settings) -> Client:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Client.off()
    if settings.sample:
        notices.once("sampler", "OTEL_TRACES_SAMPLER is set: SLIs will cover sampled calls only.")
    try:
        return Client.open(settings)
    except ConfigurationError:
        raise
    except Exception as problem:  # noqa: BLE001  # the environment of a running application must not stop it
        notices.once("open", "Tailwatch is off, because OpenTelemetry refuses its environment: %s", problem)
        return Client.off()


def _make_global(client: Client) -> None:
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(client.tracer_provider)
        set_logger_provider(client.logger_provider)
    else:
        notices.once("global", "set_global is ignored: the application has set its own tracer provider.")


def _hook() -> None:
    """Register for exit and fork, once in the life of the process (hooks for fork cannot be taken back)."""
    global _hooked  # noqa: PLW0603  # as above
    if not _hooked:
        _hooked = True
        atexit.register(shutdown, _EXIT_TIMEOUT_S)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603  # another thread of the parent may have held it
    _lock = threading.Lock()
    client = _client
    if client is not None:
        client.after_fork()
        util: Any = sys.modules.get("multiprocessing.util")
        if util is not None:
            # multiprocessing forgets finalizers after this hook and runs this registration next.
            util.register_after_fork(client, lambda _: _finalize(util))


def _hook_multiprocessing_child() -> None:
    """Deliver also from a child of multiprocessing that configures itself and ends without atexit."""
    process: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None and process is not None and process.parent_process() is not None:
        _finalize(util)


def _finalize(util: Any) -> None:
    """Children of multiprocessing end with os._exit, which skips atexit but not its own finalizers."""
    util.Finalize(None, shutdown, args=(_EXIT_TIMEOUT_S,), exitpriority=0)
