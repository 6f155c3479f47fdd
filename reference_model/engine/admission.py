"""Decides whether a queue takes one more request; it holds counts, not requests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reference_model.errors import QueueFullError

_MEMORY = 0.9
"""Weight of the past in the mean time between completions: about the last ten count."""
_LONGEST_RETRY_S = 30


class Admission:
    """A bound on the requests inside, and on each tenant's share of them.

    ``limit`` counts those waiting or running; ``tenant_limit`` keeps one tenant from filling it alone.
    """

    def __init__(self, name: str, limit: int, tenant_limit: int, clock: Callable[[], float]) -> None:
        self._name = name
        self._limit = limit
        self._tenant_limit = tenant_limit
        self._clock = clock
        self._tenants: Counter[str] = Counter()
        self._seconds_each = 0.0
        self._last_done: float | None = None

    @property
    def inside(self) -> int:
        """Requests waiting or running."""
        return self._tenants.total()

    @contextmanager
    def admit(self, tenant: str) -> Iterator[None]:
        """Holds a place while the block runs. Raises QueueFullError instead of waiting."""
        if self.inside >= self._limit:
            raise QueueFullError(
                f"The {self._name} queue is full ({self._limit} requests); retry after the time in Retry-After.",
                self.retry_after_s(),
            )
        if self._tenants[tenant] >= self._tenant_limit:
            raise QueueFullError(
                f"Tenant {tenant} has {self._tenant_limit} requests in the {self._name} queue, the most that one "
                "tenant may have; retry after the time in Retry-After.",
                self.retry_after_s(),
            )
        self._tenants[tenant] += 1
        try:
            yield
        finally:
            self._tenants[tenant] -= 1
            if not self._tenants[tenant]:
                del self._tenants[tenant]
            self._completed()

    def retry_after_s(self) -> int:
        """Whole seconds until half of those inside should be done, at the present pace; 1 to 30."""
        return max(1, min(_LONGEST_RETRY_S, math.ceil(self._seconds_each * self.inside / 2)))

    def _completed(self) -> None:
        now = self._clock()
        if self._last_done is not None and self.inside:
            gap = now - self._last_done
            self._seconds_each = _MEMORY * self._seconds_each + (1 - _MEMORY) * gap
        self._last_done = now
