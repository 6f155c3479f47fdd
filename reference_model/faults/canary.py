"""bad-canary and broken-canary: a worse version gets a share of the traffic, as in any release that was not tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reference_model.faults.fault import Fault, require
from reference_model.models import smollm2, topics
from reference_model.service import Service


@dataclass
class _Canary(Fault):
    model: ClassVar[str]
    version: ClassVar[str]

    share: float = 0.5

    async def start(self, service: Service) -> None:
        """Splits the model's traffic between the present main version and the canary."""
        require(0 < self.share <= 1, "share must be above 0 and at most 1.")
        shares = service.router.route(self.model).split.shares
        rest = 1 - self.share
        mixed = {version: share * rest for version, share in shares.items() if version != self.version}
        await service.set_split(self.model, {**mixed, self.version: self.share})

    async def stop(self, service: Service) -> None:
        """Rolls back, unless somebody has done so already."""
        if self.version in service.router.route(self.model).split.shares:
            service.router.rollback(self.model, self.version)


@dataclass
class BadCanary(_Canary):
    """SmolLM2 v3: plausible, about as confident as v1, and wrong more often."""

    name: ClassVar[str] = "bad-canary"
    summary: ClassVar[str] = "half of the chat traffic goes to v3, quantised with one activation scale a tensor"
    model: ClassVar[str] = smollm2.NAME
    version: ClassVar[str] = "v3"


@dataclass
class BrokenCanary(_Canary):
    """The classifier with CLS pooling under the head that was fitted on mean pooling."""

    name: ClassVar[str] = "broken-canary"
    summary: ClassVar[str] = "half of the classifications use vectors that the head was not fitted on"
    model: ClassVar[str] = topics.NAME
    version: ClassVar[str] = "cls"
