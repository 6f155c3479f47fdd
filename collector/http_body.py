"""Reads the body of an HTTP request into leased memory, within bounds of size and time; it looks at no byte of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import Receive

from collector.admission import Lease
from telemetry.errors import PayloadError

_SHORT_REST = 1024 * 1024
"""Bytes of a refused body that are skipped to keep the connection; a larger rest is not worth it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How slow a sender may be, since it holds room that others need.

    Attributes:
        grace_s: seconds for any body.
        bytes_per_s: what has to come on average beyond that.
        body_s: seconds for the longest body.
        linger_s: seconds for the sender of a refused body to stop and read the answer.
    """

    grace_s: float = 10.0
    bytes_per_s: float = 32_768.0
    body_s: float = 60.0
    linger_s: float = 1.0

    def allowed_s(self, received: int) -> float:
        """Seconds from the start within which the next bytes have to come after ``received``."""
        return min(self.body_s, self.grace_s + received / self.bytes_per_s)


class BodyReader:
    """The body of one request; ``limit`` is its largest size in bytes, ``announced`` the size by its head."""

    def __init__(self, receive: Receive, announced: int | None, limit: int, patience: Patience) -> None:
        self._receive = receive
        self._announced = announced
        self._limit = limit
        self._patience = patience
        self._received = 0
        self._is_over = False
        self._is_late = False

    async def read(self, lease: Lease) -> bytes | None:
        """The whole body, taken from ``lease`` as it comes; None when the sender left before its end.

        Raises:
            PayloadError: it is too large (413), or comes too slowly (408).
            OverloadedError: there is no room for it, or it comes slowly while the collector is busy: the sender, who
                may not be at fault, shall come again.
        """
        if self._announced is not None and self._announced > self._limit:
            raise self._too_large()
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        parts: list[bytes] = []
        try:
            async with asyncio.timeout_at(started_s + self._patience.allowed_s(0)) as timeout:
                while True:
                    part = await self._part()
                    if part is None:
                        return None
                    if self._received > self._limit:
                        raise self._too_large()
                    lease.grow(len(part))
                    parts.append(part)
                    if self._is_over:
                        return parts[0] if len(parts) == 1 else b"".join(parts)
                    timeout.reschedule(started_s + self._patience.allowed_s(self._received))
        except TimeoutError:
            self._is_late = True
            lease.check_patience()
            raise PayloadError("the body came too slowly", status=408, remedy="send smaller batches") from None

    def rest_is_short(self) -> bool:
        """Whether the connection is worth keeping for what is still to come of the body."""
        if self._is_over:
            return True
        return not self._is_late and self._announced is not None and self._announced - self._received <= _SHORT_REST

    async def discard(self) -> None:
        """Read on without keeping anything, until the sender stops, or for a moment."""
        if self._is_late:
            return
        try:
            async with asyncio.timeout(self._patience.linger_s):
                while not self._is_over and await self._part() is not None:
                    pass
        except TimeoutError:
            return

    async def _part(self) -> bytes | None:
        """The next bytes; None when the sender has left."""
        event = await self._receive()
        if event["type"] == "http.disconnect":
            self._is_over = True
            return None
        part: bytes = event.get("body", b"")
        self._received += len(part)
        self._is_over = not event.get("more_body", False)
        return part

    def _too_large(self) -> PayloadError:
        return PayloadError(f"the body exceeds {self._limit} bytes", status=413, remedy="send smaller batches")
