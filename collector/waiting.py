"""Where requests wait for a worker, and how they become batches; their bytes are bounded by the admission, not here."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

from collector.limits import MIB
from collector.request import Job, Kind

BATCH_REQUESTS: Final = 16
"""Requests that are prepared together: enough to share what a call of NumPy costs, few enough to stay in the caches."""

BATCH_BYTES: Final = 8 * MIB
"""Bytes that are prepared together; a larger body makes a batch of its own."""


class WaitingRoom:
    """Requests in line, a line for each kind, served in turn; its methods may be called from any thread."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._helpers = threading.Condition(lock)
        self._untouched_since_s = 0.0
        self._lines: dict[Kind, deque[Job]] = {}
        self._again: deque[list[Job]] = deque()
        self._closed = False

    def enter(self, job: Job) -> None:
        """Wait for a worker."""
        with self._changed:
            if not self._lines:
                self._untouched_since_s = time.monotonic()
            self._lines.setdefault(job.kind, deque()).append(job)
            self._changed.notify()

    def enter_again(self, jobs: list[Job]) -> None:
        """Be prepared anew, together and before all others."""
        with self._changed:
            self._again.append(jobs)
            self._changed.notify()

    def take(self) -> list[Job]:
        """The next batch, of one kind, as soon as there is any; nothing once the room is closed and empty."""
        with self._changed:
            while not (self._again or self._lines or self._closed):
                self._changed.wait()
            return self._next()

    def take_overdue(self, patience_s: float) -> list[Job]:
        """The next batch, once nobody took any for so long; nothing once the room is closed and empty.

        For a worker that is to help when the others are at something large, and otherwise costs by its mere turns.
        """
        with self._helpers:
            while not self._closed or self._lines:
                if self._lines and time.monotonic() - self._untouched_since_s >= patience_s:
                    return self._next()
                self._helpers.wait(patience_s)
            return []

    def take_if_any(self) -> list[Job]:
        """The next batch, of one kind; nothing when nobody is in line."""
        with self._changed:
            return self._next()

    def close(self) -> None:
        """Let the workers go when nobody is in line any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._helpers.notify_all()

    def _next(self) -> list[Job]:
        self._untouched_since_s = time.monotonic()
        if self._again:
            return self._again.popleft()
        return self._next_of_line() if self._lines else []

    def _next_of_line(self) -> list[Job]:
        kind, line = next(iter(self._lines.items()))
        del self._lines[kind]
        batch = [line.popleft()]
        size = batch[0].size
        while line and len(batch) < BATCH_REQUESTS and size + line[0].size <= BATCH_BYTES:
            batch.append(line.popleft())
            size += batch[-1].size
        if line:
            self._lines[kind] = line
            self._changed.notify()
        return batch
