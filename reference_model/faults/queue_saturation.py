"""queue-saturation: the encoder computes too slowly for what arrives, so its queue grows until it refuses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from reference_model.faults.fault import Fault, require
from reference_model.service import Service


@dataclass
class QueueSaturation(Fault):
    """Each batch holds the encoder's thread ``seconds_per_item`` for each of its items."""

    name: ClassVar[str] = "queue-saturation"
    summary: ClassVar[str] = "the encoder serves at most ten requests a second, fewer than arrive"

    seconds_per_item: float = 0.1

    async def start(self, service: Service) -> None:
        """Slows the batcher down."""
        require(0 < self.seconds_per_item <= 2, "seconds_per_item must be above 0 and at most 2.")
        service.seams.before_batch.append(self._hold)

    async def stop(self, service: Service) -> None:
        """Lets it run."""
        service.seams.before_batch.remove(self._hold)

    def _hold(self, items: int) -> None:
        time.sleep(self.seconds_per_item * items)
