"""gpu-contention: a second process multiplies matrices on the same device (the CPU where there is no GPU)."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import ClassVar

from reference_model.faults.fault import Fault, require
from reference_model.service import Service

_NEIGHBOUR = """
import sys, torch
torch.set_num_threads(int(sys.argv[2]))
a = torch.rand(2048, 2048, device=sys.argv[1])
while True:
    b = a @ a
    if a.is_cuda:
        torch.cuda.synchronize()
"""


@dataclass
class GpuContention(Fault):
    """``processes`` neighbours, each with ``threads`` CPU threads where there is no GPU."""

    name: ClassVar[str] = "gpu-contention"
    summary: ClassVar[str] = "another process keeps the same device busy"

    processes: int = 1
    threads: int = 2
    _neighbours: list[asyncio.subprocess.Process] = field(default_factory=list, init=False, repr=False)

    async def start(self, service: Service) -> None:
        """Starts the neighbours."""
        require(1 <= self.processes <= 8, "processes must be from 1 to 8.")
        require(1 <= self.threads <= 64, "threads must be from 1 to 64.")
        for _ in range(self.processes):
            self._neighbours.append(
                await asyncio.create_subprocess_exec(
                    sys.executable, "-c", _NEIGHBOUR, service.device.name, str(self.threads)
                )
            )

    async def stop(self, service: Service) -> None:  # noqa: ARG002 - the neighbours are this fault's own
        """Ends them."""
        for neighbour in self._neighbours:
            if neighbour.returncode is None:
                neighbour.kill()
            await neighbour.wait()
        self._neighbours.clear()
