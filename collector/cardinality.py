"""Keeps the number of groups a rule may have; what comes beyond it is counted in one overflow group, never dropped."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from telemetry.windows import NANOS

DEFAULT_LIMIT: Final = 2000
_IDLE_NS: Final = 24 * 3600 * NANOS
"""A group unseen for a day gives its place to a new one: model versions come and go."""


class CardinalityGuard:
    """Which groups have a place, per scope (a rule, or a rule's text distribution); safe to share between threads."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._seen_ns: dict[str, dict[str, int]] = {}
        self._overflowed: Counter[str] = Counter()

    def seed(self, scope: str, keys: Iterable[str], now_ns: int) -> None:
        """Give places to groups known from before a restart, up to the limit."""
        known = list(keys)
        self.admit(scope, known, now_ns, [0] * len(known))

    def admit(self, scope: str, keys: Sequence[str], now_ns: int, weights: Sequence[int] = ()) -> list[bool]:
        """Whether each of ``keys`` has a place; ``weights`` (one a key, default 1) are its events."""
        with self._lock:
            seen = self._seen_ns.setdefault(scope, {})
            verdicts = [self._has_place(seen, key, now_ns) for key in keys]
            refused = [index for index, verdict in enumerate(verdicts) if not verdict]
            if refused:
                self._overflowed[scope] += sum(weights[index] if weights else 1 for index in refused)
            return verdicts

    def overflowed(self) -> Mapping[str, int]:
        """Events counted in the overflow group so far, by scope; scopes without any are left out."""
        with self._lock:
            return {scope: events for scope, events in self._overflowed.items() if events}

    def _has_place(self, seen: dict[str, int], key: str, now_ns: int) -> bool:
        if key not in seen and len(seen) >= self.limit:
            # Insertion order is order of last sight, so idle groups are found at the front.
            oldest = next(iter(seen))
            if now_ns - seen[oldest] < _IDLE_NS:
                return False
            del seen[oldest]
        seen.pop(key, None)
        seen[key] = now_ns
        return True
