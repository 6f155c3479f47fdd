"""One signal's way to the collector: the stock OTLP exporter, made safe for forks, outages and shutdown.

It does not retry, batch or queue (the exporter and the batch processor do); it says once what an outage costs and
keeps the exporter's own repetitions of it out of the host's log.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from tailwatch_sdk import notices

_SECONDS_BETWEEN_NOTICES: Final = 300.0

# The loggers on which the stock exporters report every attempt.
_EXPORTER_LOGGERS: Final = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.common._internal",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)


class Exporter(Protocol):
    """What every stock exporter has, whatever its signal."""

    def export(self, batch: Any, /) -> Any:
        """Send a batch; the result's name is SUCCESS or FAILURE."""

    def shutdown(self) -> None:
        """Stop, and stop waiting for a retry."""


class _Hush(logging.Filter):
    """Keeps records of our own exports off the host's log, and the last of them as the reason of a failure.

    The host may export with the same classes: its records, made on other threads or outside our exports, pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.local = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what is logged inside one of our exports."""
        if not getattr(self.local, "exporting", False):
            return True
        self.local.reason = record.getMessage()
        return False


_hush: Final = _Hush()


class Delivery:
    """Sends the batches of one signal.

    Args:
        what: `Spans`, `Inference logs` or `Metrics`, the subject of notices.
        where: The destination, without credentials.
        build: Makes the stock exporter; called again in a forked child, because two processes that share a kept-alive
            connection would mix their requests on it.
    """

    def __init__(self, what: str, where: str, build: Callable[[], Exporter]) -> None:
        self._what = what
        self._where = where
        self._build = build
        self._exporter = build()
        self._pid = os.getpid()
        self._closed = False
        self._said_at = -_SECONDS_BETWEEN_NOTICES
        self._lost = 0
        self.failures = 0
        for name in _EXPORTER_LOGGERS:
            logger = logging.getLogger(name)
            if _hush not in logger.filters:
                # First, so that the stock duplicate filter does not remember records that nobody saw.
                logger.filters.insert(0, _hush)

    def send(self, batch: Sequence[Any]) -> bool:
        """Export a batch, waiting for the exporter's retries; False if it is lost. Never raises."""
        return self.send_whole(batch, len(batch))

    def send_whole(self, batch: Any, size: int) -> bool:
        """The same for what the exporter takes as a whole, of which ``size`` would be lost."""
        if self._closed:
            return False
        if self._pid != os.getpid():
            self._exporter = self._build()
            self._pid = os.getpid()
        _hush.local.exporting, _hush.local.reason = True, ""
        try:
            delivered = bool(self._exporter.export(batch).name == "SUCCESS")
        except Exception as problem:  # noqa: BLE001  # anything raised here would end the processor's thread
            delivered, _hush.local.reason = False, f"{type(problem).__name__}: {problem}"
        finally:
            _hush.local.exporting = False
        self._account(size, delivered, _hush.local.reason)
        return delivered

    def close(self) -> None:
        """Refuse further batches and cut a wait for a retry short; may be called twice and from any thread."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()

    def _account(self, size: int, delivered: bool, reason: str) -> None:
        if delivered:
            if self._lost:
                notices.logger.info("%s are delivered to %s again; %d were lost.", self._what, self._where, self._lost)
                self._lost = 0
            return
        self.failures += 1
        self._lost += size
        now = time.monotonic()
        if now - self._said_at >= _SECONDS_BETWEEN_NOTICES and not self._closed:
            self._said_at = now
            notices.logger.warning(
                "%s cannot be delivered to %s (%s). The application is not affected; they are dropped, and this is not "
                "said again for a while.",
                self._what,
                self._where,
                reason or "no reason given",
            )
