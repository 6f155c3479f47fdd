"""Keeps the number of groups a rule may have; what comes beyond it is counted in one overflow group, never dropped."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from telemetry.deltas import OVERFLOW_GROUP
from telemetry.windows import NANOS

DEFAULT_LIMIT: Final = 2000
_FULL_SCOPES: Final = 100
"""Scopes that may be full at once. A place takes about 130 bytes, so all places together take 26 MB by default."""
_IDLE_NS: Final = 24 * 3600 * NANOS
"""A group unseen for a day gives its place to a new one: model versions come and go."""

PART: Final = ": "
"""Stands in a scope between the rule and the part of it, such as a service, that has places of its own."""

_log = logging.getLogger(__name__)


class CardinalityGuard:
    """Which groups have a place, per scope (a rule, a part or text distribution of it); safe to share between threads.

    There are at most ``limit`` places a scope, and ``total_limit`` in all, by default a hundred times as many. A place
    holds the hash of its group's key instead of the key, which may be long and is the sender's choice; Python keys
    its hashes with a secret, so nobody can make two groups share a place.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, total_limit: int | None = None) -> None:
        self.limit = limit
        self.total_limit = limit * _FULL_SCOPES if total_limit is None else total_limit
        self._lock = threading.Lock()
        self._seen_ns: dict[str, dict[int, int]] = {}
        self._total = 0
        self._nothing_idle_before_ns = -(2**63)
        self._overflowed: Counter[str] = Counter()

    def seed(self, scope: str, keys: Iterable[str], now_ns: int) -> None:
        """Give places to groups known from before a restart, up to the limits; ``now_ns`` is when they were seen.

        Seed a scope before anything is admitted in it, those seen longest ago first.
        """
        known = list(keys)
        self.admit(scope, known, now_ns, [0] * len(known))

    def admit(self, scope: str, keys: Sequence[str], now_ns: int, weights: Sequence[int] = ()) -> list[bool]:
        """Whether each of ``keys`` has a place; ``weights`` (one a key, default 1) are its events."""
        with self._lock:
            seen = self._seen_ns.setdefault(scope, {})
            verdicts = [self._has_place(seen, hash(key), now_ns) for key in keys]
            if seen:
                self._seen_ns[scope] = seen  # freeing idle groups forgets scopes without any, which it may have been
            if not all(verdicts):
                refused = [index for index, verdict in enumerate(verdicts) if not verdict]
                told = self._told(scope)
                if not self._overflowed[told]:
                    _log.warning("%s has too many groups: further ones are counted as %s", told, OVERFLOW_GROUP)
                self._overflowed[told] += sum(weights[index] if weights else 1 for index in refused)
            return verdicts

    def overflowed(self) -> Mapping[str, int]:
        """Events counted in the overflow group so far, by scope; scopes without any are left out."""
        with self._lock:
            return {scope: events for scope, events in self._overflowed.items() if events}

    def places(self) -> Mapping[str, int]:
        """Places taken, by scope."""
        with self._lock:
            return {scope: len(seen) for scope, seen in self._seen_ns.items() if seen}

    def _has_place(self, seen: dict[int, int], key: int, now_ns: int) -> bool:
        if key in seen:
            del seen[key]
        else:
            if len(seen) >= self.limit and not self._free_oldest(seen, now_ns):
                return False
            if self._total >= self.total_limit and not self._free_idle(now_ns):
                return False
            self._total += 1
        seen[key] = now_ns
        return True

    def _free_oldest(self, seen: dict[int, int], now_ns: int) -> bool:
        # Insertion order is order of last sight, so idle groups are found at the front.
        oldest = next(iter(seen), None)
        if oldest is None or now_ns - seen[oldest] < _IDLE_NS:
            return False
        del seen[oldest]
        self._total -= 1
        return True

    def _free_idle(self, now_ns: int) -> bool:
        """Take their places from the idle groups of all scopes; whether there was any."""
        if now_ns < self._nothing_idle_before_ns:
            return False
        before = self._total
        for seen in self._seen_ns.values():
            while self._free_oldest(seen, now_ns):
                pass
        oldest_ns = [next(iter(seen.values())) for seen in self._seen_ns.values() if seen]
        self._nothing_idle_before_ns = min(oldest_ns, default=now_ns) + _IDLE_NS
        self._seen_ns = {scope: seen for scope, seen in self._seen_ns.items() if seen}
        return self._total < before

    def _told(self, scope: str) -> str:
        """The scope that overflow is told under: senders name the parts of rules, so a hundred are told apart."""
        rule, is_part, _ = scope.partition(PART)
        if not is_part or scope in self._overflowed:
            return scope
        parts = sum(PART in other for other in self._overflowed)
        return scope if parts < _FULL_SCOPES else f"{rule}{PART}{OVERFLOW_GROUP}"
