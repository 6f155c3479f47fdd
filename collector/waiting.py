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

_LINGER_S: Final = 0.01
"""How long requests are waited for of which there were several a moment ago; about as long as a transaction takes."""


class WaitingRoom:
    """Requests in line, a line for each kind, served in turn; its methods may be called from any thread.

    What a batch and its transaction cost hardly depends on their size. So while batches are on their way to the disk
    only full ones follow them: others would have to wait for the same disk, and meanwhile they grow. Senders who
    were answered together come again together, so after a batch of several its like is waited for, a little. A lone
    request finds nothing on its way and goes at once.
    """

    def __init__(self) -> None:
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._helpers = threading.Condition(lock)
        self._untouched_since_s = 0.0
        self._lines: dict[Kind, deque[Job]] = {}
        self._again: deque[list[Job]] = deque()
        self._on_their_way = 0
        self._last = 1
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

    def depart(self) -> None:
        """A batch is on its way to the disk; ``arrive`` must follow."""
        with self._changed:
            self._on_their_way += 1

    def arrive(self) -> None:
        """What became of that batch is known."""
        with self._changed:
            self._on_their_way -= 1
            self._changed.notify()

    def take(self) -> list[Job]:
        """The next batch, of one kind, as soon as its time has come; nothing once the room is closed and empty."""
        with self._changed:
            while not (self._is_any_due() or self._closed):
                self._changed.wait()
            expected = self._last
            self._changed.wait_for(lambda: self._is_one_full() or self._waiting() >= expected, timeout=_LINGER_S)
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
        """The next batch, of one kind; nothing when none is due."""
        with self._changed:
            return self._next() if self._is_any_due() else []

    def close(self) -> None:
        """Let the workers go when nobody is in line any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._helpers.notify_all()

    def _is_any_due(self) -> bool:
        return (bool(self._lines) and not self._on_their_way) or self._is_one_full()

    def _is_one_full(self) -> bool:
        return self._closed or bool(self._again) or any(map(_is_full, self._lines.values()))

    def _waiting(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def _next(self) -> list[Job]:
        self._untouched_since_s = time.monotonic()
        if self._again:
            return self._again.popleft()
        return self._next_of_line() if self._lines else []

    def _next_of_line(self) -> list[Job]:
        """From the first line; from the first full one while only those may leave."""
        kind = next(iter(self._lines))
        if self._on_their_way:
            kind = next((kind for kind, line in self._lines.items() if _is_full(line)), kind)
        line = self._lines.pop(kind)
        batch = [line.popleft()]
        size = batch[0].size
        while line and len(batch) < BATCH_REQUESTS and size + line[0].size <= BATCH_BYTES:
            batch.append(line.popleft())
            size += batch[-1].size
        if line:
            self._lines[kind] = line
            self._changed.notify()
        self._last = len(batch)
        return batch


def _is_full(line: deque[Job]) -> bool:
    return len(line) >= BATCH_REQUESTS or sum(job.size for job in line) >= BATCH_BYTES
