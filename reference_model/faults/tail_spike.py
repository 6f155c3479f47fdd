"""tail-spike: a few requests wait for a slow dependency before their text is read; all others are untouched."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import ClassVar

from reference_model.engine.seams import Incoming
from reference_model.faults.fault import Fault, require
from reference_model.service import Service


@dataclass
class TailSpike(Fault):
    """``share`` of the requests of ``operation`` sleep ``delay_s`` to 2 ``delay_s`` seconds."""

    name: ClassVar[str] = "tail-spike"
    summary: ClassVar[str] = "1 in 50 classifications waits for more than a second before it is read"

    share: float = 0.02
    delay_s: float = 1.5
    operation: str = "classify"
    seed: int = 7
    _random: random.Random = field(init=False, repr=False)

    async def start(self, service: Service) -> None:
        """Adds the wait to preprocessing."""
        require(0 < self.share <= 1, "share must be above 0 and at most 1.")
        require(0 < self.delay_s <= 30, "delay_s must be above 0 and at most 30 seconds.")
        self._random = random.Random(self.seed)  # noqa: S311 - not cryptography
        service.seams.preprocess.append(self._wait)

    async def stop(self, service: Service) -> None:
        """Takes it away."""
        service.seams.preprocess.remove(self._wait)

    async def _wait(self, incoming: Incoming) -> None:
        if incoming.operation == self.operation and self._random.random() < self.share:
            await asyncio.sleep(self.delay_s * (1 + self._random.random()))
