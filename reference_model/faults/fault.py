"""What every fault is: parameters as fields, a start that makes it happen, a stop that leaves no trace."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from reference_model.errors import InvalidRequestError
from reference_model.service import Service


class Fault(ABC):
    """A subclass is a dataclass whose fields, all with defaults, are the parameters of the drill."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    async def start(self, service: Service) -> None:
        """Makes the fault happen from now on. Raises InvalidRequestError when a parameter is out of range."""

    @abstractmethod
    async def stop(self, service: Service) -> None:
        """Restores what ``start`` changed; called once, after a start that succeeded."""


def require(condition: bool, sentence: str) -> None:
    """Raises InvalidRequestError with ``sentence`` unless ``condition`` holds."""
    if not condition:
        raise InvalidRequestError(sentence, "parameters")
