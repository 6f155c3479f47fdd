"""Remembers answers to repeated requests; it stores only what is deterministic, and forgets the least recent first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class ResponseCache:
    """At most ``capacity`` answers, each for ``lifetime_s`` seconds. ``enabled`` False misses and stores nothing."""

    def __init__(self, capacity: int, lifetime_s: float, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self.enabled = True

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Hashable) -> Any | None:
        """The answer stored under ``key``, or None when there is none or it is too old."""
        found = self._answers.get(key)
        if not self.enabled or found is None:
            return None
        stored_at, answer = found
        if self._clock() - stored_at > self._lifetime_s:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: Hashable, answer: Any) -> None:
        """Stores ``answer``, which must not be changed afterwards."""
        if not self.enabled:
            return
        self._answers[key] = (self._clock(), answer)
        self._answers.move_to_end(key)
        while len(self._answers) > self._capacity:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forgets everything."""
        self._answers.clear()
