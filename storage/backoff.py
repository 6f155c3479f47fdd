"""Spares a server that is away, and who asks for it: between attempts to connect, further ones fail at once.

It connects to nothing itself. The pause doubles from attempt to attempt, so that threads do not pile up behind
connections that time out, and ends soon enough for nobody to wait long once the server is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from telemetry.errors import StorageError

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0


class Backoff:
    """Attempts to reach ``where``, by all threads together; ``seconds`` is a clock that never goes back."""

    def __init__(self, where: str, seconds: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._seconds = seconds
        self._lock = threading.Lock()
        self._pause_s = 0.0
        self._until_s = 0.0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One attempt, which fails by raising anything.

        Raises:
            StorageError: the last attempt failed just now; this one is not made.
        """
        with self._lock:
            left_s = self._until_s - self._seconds()
        if left_s > 0:
            raise StorageError(
                "the server cannot be reached", where=self._where, remedy=f"it is asked again in {left_s:.1f} s"
            )
        try:
            yield
        except BaseException:
            with self._lock:
                self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
                self._until_s = self._seconds() + self._pause_s
            raise
        if self._pause_s:
            with self._lock:
                self._pause_s = self._until_s = 0.0
