"""cost-explosion: the limit on the output is lost on its way to the engine, and answers run on past their end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from reference_model.engine.sequence import GenerationRequest
from reference_model.faults.fault import Fault, require
from reference_model.service import Service


@dataclass
class CostExplosion(Fault):
    """Every generation writes ``tokens`` tokens, as far as the context allows, whatever was asked for."""

    name: ClassVar[str] = "cost-explosion"
    summary: ClassVar[str] = "generations ignore their length limit and their end, and write several times as much"

    tokens: int = 64

    async def start(self, service: Service) -> None:
        """Replaces the limits of generations."""
        require(1 <= self.tokens <= 512, "tokens must be from 1 to 512.")
        self._context = service.settings.context
        service.seams.shape_generation.append(self._lengthen)

    async def stop(self, service: Service) -> None:
        """Honours the limits again."""
        service.seams.shape_generation.remove(self._lengthen)

    def _lengthen(self, request: GenerationRequest) -> GenerationRequest:
        tokens = max(request.max_tokens, min(self.tokens, self._context - 1 - len(request.prompt)))
        return replace(request, max_tokens=tokens, min_tokens=tokens)
