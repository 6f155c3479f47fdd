"""Tells the log what was refused, a line a status and minute: whoever sends faults must not fill the disk with them."""

from __future__ import annotations

import logging
import threading
from typing import Final

from telemetry.clock import Clock
from telemetry.errors import TailwatchError
from telemetry.windows import NANOS

_INTERVAL_NS: Final = 60 * NANOS
_UNKNOWN: Final = "an unknown address"
_LENGTH: Final = 500
"""Characters of a sentence: it may repeat what a sender wrote."""

_log = logging.getLogger(__name__)


class RefusalLog:
    """Bounded in lines a minute and in memory, however many senders there are; safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[int, tuple[int, int]] = {}
        """By status: when a line was written last, and how many were not since."""

    def tell(self, status: int, sender: str, reason: TailwatchError | str) -> None:
        """A request of ``sender`` (its address) was refused with HTTP ``status``.

        200 refuses part of it; 0 answers nobody, since the sender has left.
        """
        now_ns = self._clock.now_ns()
        with self._lock:
            told_ns, untold = self._told.get(status, (None, 0))
            if told_ns is not None and now_ns - told_ns < _INTERVAL_NS:
                self._told[status] = (told_ns, untold + 1)
                return
            self._told[status] = (now_ns, 0)
        more = f" ({untold} more with this status since the last line)" if untold else ""
        verdict = f"refused with {status}" if status else "nothing taken"
        _log.warning("%s from %s: %s%s", verdict, sender or _UNKNOWN, " ".join(str(reason).split())[:_LENGTH], more)
