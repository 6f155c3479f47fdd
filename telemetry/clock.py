"""The two clocks: the machine's, for the composition root, and one that tests and simulations move by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time as nanoseconds since the epoch."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return time.time_ns()


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._now_ns

    def advance(self, seconds: float) -> int:
        """Move forward by ``seconds`` and return the new time in nanoseconds."""
        self._now_ns += round(seconds * 1_000_000_000)
        return self._now_ns
