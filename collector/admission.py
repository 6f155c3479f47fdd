"""Bounds the bytes that the collector holds, from the first byte read to the answer; it queues nothing itself."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Final, Self

from telemetry.errors import ConfigError, OverloadedError

REQUEST_OVERHEAD: Final = 4096
"""Bytes charged for a request beside its body, lest empty ones be free."""


class Admission:
    """A budget of ``capacity_bytes``, shared by every request on its way.

    Raises:
        ConfigError: a single body of ``body_bytes`` would not fit.
    """

    def __init__(self, capacity_bytes: int, body_bytes: int, retry_after_s: float) -> None:
        if capacity_bytes < body_bytes + REQUEST_OVERHEAD:
            raise ConfigError(
                f"the intake holds {capacity_bytes} bytes, less than one body of {body_bytes}",
                remedy="raise the capacity or lower the body limit",
            )
        self.capacity_bytes = capacity_bytes
        self.retry_after_s = retry_after_s
        self._lock = threading.Lock()
        self._held = 0
        self.refused = 0
        """Requests turned away so far."""

    @property
    def held_bytes(self) -> int:
        """Bytes taken now."""
        return self._held

    def lease(self) -> Lease:
        """A share of the budget for one more request.

        Raises:
            OverloadedError: the budget is spent.
        """
        share = Lease(self)
        share.grow(REQUEST_OVERHEAD)
        return share

    @property
    def is_scarce(self) -> bool:
        """Whether more than half is taken: the collector is busy."""
        return self._held > self.capacity_bytes // 2

    def take(self, size: int) -> None:
        """Take ``size`` bytes.

        Raises:
            OverloadedError: the budget is spent; nothing was taken.
        """
        with self._lock:
            if self._held + size > self.capacity_bytes:
                self.refused += 1
                raise OverloadedError("the collector is at its limit", retry_after_s=self.retry_after_s)
            self._held += size

    def give_back(self, size: int) -> None:
        """Return ``size`` bytes."""
        with self._lock:
            self._held -= size


class Lease:
    """One request's share of the budget, in one thread's hands at a time; as a context manager it gives all back."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def grow(self, size: int) -> None:
        """Take ``size`` bytes more.

        Raises:
            OverloadedError: the budget is spent.
        """
        self._admission.take(size)
        self._size += size

    def check_patience(self) -> None:
        """Whose body does not arrive in time may be too slow, or held up because the collector is busy.

        Raises:
            OverloadedError: it is busy.
        """
        if self._admission.is_scarce:
            raise OverloadedError(
                "the body did not arrive in time, and the collector is busy",
                retry_after_s=self._admission.retry_after_s,
            )

    def release(self) -> None:
        """Give everything back; a second time does nothing."""
        size, self._size = self._size, 0
        self._admission.give_back(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
