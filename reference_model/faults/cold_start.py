"""cold-start: the model is thrown out of memory again and again, and a request has to wait until it is back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from reference_model.engine.seams import Incoming
from reference_model.faults.fault import Fault, require
from reference_model.service import Service


@dataclass
class ColdStart(Fault):
    """Every ``every``-th generation finds v1 unloaded, provided that no other generation is using it."""

    name: ClassVar[str] = "cold-start"
    summary: ClassVar[str] = "the chat model is unloaded between requests and loaded from disk by the next one"

    every: int = 5
    _seen: int = field(default=0, init=False, repr=False)

    async def start(self, service: Service) -> None:
        """Begins to count generations."""
        require(self.every >= 1, "every must be at least 1.")
        self._side = service.text_side()
        service.seams.preprocess.append(self._evict)

    async def stop(self, service: Service) -> None:
        """Leaves the model in memory and makes sure that it is there."""
        service.seams.preprocess.remove(self._evict)
        await self._side.generator.load("v1")

    async def _evict(self, incoming: Incoming) -> None:
        if incoming.operation not in {"chat", "text_completion"}:
            return
        self._seen += 1
        if self._seen % self.every == 0 and self._side.generator.unload("v1"):
            self._side.model.forget("v1")
