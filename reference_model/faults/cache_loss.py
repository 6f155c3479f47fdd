"""cache-loss: the response cache is gone, so that every repeated request is computed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reference_model.faults.fault import Fault
from reference_model.service import Service


@dataclass
class CacheLoss(Fault):
    """The cache is emptied and stays off."""

    name: ClassVar[str] = "cache-loss"
    summary: ClassVar[str] = "the response cache is emptied and switched off"

    async def start(self, service: Service) -> None:
        """Empties and disables the cache."""
        service.cache.clear()
        service.cache.enabled = False

    async def stop(self, service: Service) -> None:
        """Enables the empty cache."""
        service.cache.enabled = True
