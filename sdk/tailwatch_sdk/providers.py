"""Holds the tracer and the logger in use; knows nothing of how they were made.

Until `configure` is called they are the host's own (OpenTelemetry's global providers, which do nothing unless the
host has set them), so a library may instrument itself and leave the choice to the application.
"""

from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry._logs import Logger, LoggerProvider, get_logger_provider
from opentelemetry.trace import Tracer, TracerProvider

from tailwatch_sdk.version import __version__

SCOPE = "tailwatch_sdk"


@dataclass(frozen=True, slots=True)
class Providers:
    """Where calls are recorded.

    Attributes:
        tracer: starts spans.
        logger: emits inference logs and feedback.
    """

    tracer: Tracer
    logger: Logger


_current: Providers | None = None
_host: tuple[TracerProvider, LoggerProvider, Providers] | None = None


def of(tracer_provider: TracerProvider, logger_provider: LoggerProvider) -> Providers:
    """The tracer and the logger of this library from two providers."""
    return Providers(tracer_provider.get_tracer(SCOPE, __version__), logger_provider.get_logger(SCOPE, __version__))


def current() -> Providers:
    """Those in use."""
    return _current if _current is not None else _of_host()


def use(chosen: Providers | None) -> None:
    """Use these from now on; None goes back to the host's."""
    global _current  # noqa: PLW0603  # one process has one way out for its telemetry
    _current = chosen


def _of_host() -> Providers:
    """The host's, looked up anew when it sets its providers after the first call."""
    global _host  # noqa: PLW0603  # a cache: asking a provider for its tracer takes as long as a span
    tracer_provider, logger_provider = trace.get_tracer_provider(), get_logger_provider()
    if _host is None or _host[0] is not tracer_provider or _host[1] is not logger_provider:
        _host = (tracer_provider, logger_provider, of(tracer_provider, logger_provider))
    return _host[2]
