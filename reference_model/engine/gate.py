"""The door of the service: counts the requests inside, and at shutdown lets out whom it has let in, but nobody new."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from reference_model.errors import DrainingError


class Gate:
    """A request is inside from before its text is read until its last byte is produced."""

    def __init__(self) -> None:
        self._inside = 0
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def inside(self) -> int:
        """Requests under way."""
        return self._inside

    def close(self) -> None:
        """Refuses everybody from now on."""
        self._closed = True

    async def wait_until_empty(self) -> None:
        """Returns as soon as nobody is inside."""
        await self._empty.wait()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Inside while the block runs. Raises DrainingError when the gate is closed."""
        if self._closed:
            raise DrainingError("The service is shutting down; send the request to another instance.", 1)
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()
