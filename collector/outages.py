"""Tells the log of a storage that fails: at once, now and then while it goes on, and when it is over.

An outage fails every transaction, many times a second, and may be of the very disk that the log is on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from telemetry.errors import StorageError

_INTERVAL_S: Final = 10.0

_log = logging.getLogger(__name__)


class OutageLog:
    """For one thread.

    Args:
        now_s: seconds that never run backwards.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._began_s: float | None = None
        self._told_s = 0.0
        self._refused = 0

    def failed(self, requests: int, error: StorageError) -> None:
        """A transaction of so many requests failed."""
        now_s = self._now_s()
        self._refused += requests
        if self._began_s is None:
            self._began_s = now_s
        elif now_s - self._told_s < _INTERVAL_S:
            return
        self._told_s = now_s
        _log.error("%d requests were not committed: %s", self._refused, error)

    def over(self) -> None:
        """A transaction was committed."""
        if self._began_s is None:
            return
        lasted_s = self._now_s() - self._began_s
        _log.warning("committing again after %.0f s, in which %d requests were refused", lasted_s, self._refused)
        self._began_s, self._refused = None, 0
