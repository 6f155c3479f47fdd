"""memory-leak: every request leaves memory behind that nobody frees, up to a bound that keeps the machine alive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from reference_model.engine.seams import Incoming
from reference_model.faults.fault import Fault, require
from reference_model.service import Service

_MIB = 1024 * 1024


@dataclass
class MemoryLeak(Fault):
    """Each request keeps ``mib_per_request`` MiB; no more than ``limit_mib`` in all."""

    name: ClassVar[str] = "memory-leak"
    summary: ClassVar[str] = "every request leaves half a MiB of resident memory behind"

    mib_per_request: float = 0.5
    limit_mib: int = 512
    _kept: list[bytes] = field(default_factory=list, init=False, repr=False)

    async def start(self, service: Service) -> None:
        """Begins to leak."""
        require(0 < self.mib_per_request <= 64, "mib_per_request must be above 0 and at most 64.")
        require(0 < self.limit_mib <= 65536, "limit_mib must be above 0 and at most 65536.")
        service.seams.preprocess.append(self._leak)

    async def stop(self, service: Service) -> None:
        """Frees what was leaked."""
        service.seams.preprocess.remove(self._leak)
        self._kept.clear()

    async def _leak(self, incoming: Incoming) -> None:  # noqa: ARG002 - every request leaks
        if (len(self._kept) + 1) * self.mib_per_request <= self.limit_mib:
            # Bytes other than zero, so that the pages are really there.
            self._kept.append(b"\x01" * int(self.mib_per_request * _MIB))
