"""error-burst: a feature store that requests depend on is down; connections to it are really refused."""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import dataclass, field
from typing import ClassVar

from reference_model.engine.seams import Incoming
from reference_model.faults.fault import Fault, require
from reference_model.service import Service


@dataclass
class ErrorBurst(Fault):
    """``share`` of all requests call a port of this machine on which nobody listens."""

    name: ClassVar[str] = "error-burst"
    summary: ClassVar[str] = "one request in five fails because a dependency refuses connections"

    share: float = 0.2
    seed: int = 7
    _random: random.Random = field(init=False, repr=False)
    _reserved: socket.socket = field(init=False, repr=False)

    async def start(self, service: Service) -> None:
        """Reserves a port without listening on it, so that no other process can answer there."""
        require(0 < self.share <= 1, "share must be above 0 and at most 1.")
        self._random = random.Random(self.seed)  # noqa: S311 - not cryptography
        self._reserved = socket.socket()
        self._reserved.bind(("127.0.0.1", 0))
        service.seams.preprocess.append(self._ask_store)

    async def stop(self, service: Service) -> None:
        """Lets go of the port."""
        service.seams.preprocess.remove(self._ask_store)
        self._reserved.close()

    async def _ask_store(self, incoming: Incoming) -> None:  # noqa: ARG002 - every request may ask
        if self._random.random() < self.share:
            _, writer = await asyncio.open_connection(*self._reserved.getsockname())
            writer.close()
