"""The faults that exist, and those that are active; nothing registers itself by being imported."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from reference_model.errors import InvalidRequestError
from reference_model.faults.cache_loss import CacheLoss
from reference_model.faults.canary import BadCanary, BrokenCanary
from reference_model.faults.cold_start import ColdStart
from reference_model.faults.cost_explosion import CostExplosion
from reference_model.faults.error_burst import ErrorBurst
from reference_model.faults.errors_by_input_type import ErrorsByInputType
from reference_model.faults.fault import Fault
from reference_model.faults.gpu_contention import GpuContention
from reference_model.faults.memory_leak import MemoryLeak
from reference_model.faults.queue_saturation import QueueSaturation
from reference_model.faults.tail_spike import TailSpike
from reference_model.service import Service

FAULTS: Final[tuple[type[Fault], ...]] = (
    BadCanary,
    BrokenCanary,
    CacheLoss,
    ColdStart,
    CostExplosion,
    ErrorBurst,
    ErrorsByInputType,
    GpuContention,
    MemoryLeak,
    QueueSaturation,
    TailSpike,
)


def parameters_of(fault: type[Fault] | Fault) -> dict[str, Any]:
    """Names and values (defaults, for a class) of a fault's parameters."""
    instance = fault() if isinstance(fault, type) else fault
    return {field.name: getattr(instance, field.name) for field in fields(instance) if field.init}  # type: ignore[arg-type]  # every fault is a dataclass


class FaultBoard:
    """Starts and stops faults on one service; the same fault is active once at most."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._active: dict[str, Fault] = {}
        self._changing = asyncio.Lock()

    def active(self) -> dict[str, dict[str, Any]]:
        """Parameters of each active fault by name."""
        return {name: parameters_of(fault) for name, fault in self._active.items()}

    async def start(self, name: str, parameters: Mapping[str, float | int | str | bool]) -> None:
        """Starts a fault; one that is active is stopped first, so its parameters can be changed.

        Raises InvalidRequestError for an unknown fault or parameter, or a value out of range.
        """
        fault = _build(name, parameters)
        async with self._changing:
            await self._stop(name)
            await fault.start(self._service)
            self._active[name] = fault

    async def stop(self, name: str) -> bool:
        """Stops a fault; False when it was not active."""
        async with self._changing:
            return await self._stop(name)

    async def stop_all(self) -> None:
        """Stops every fault, the latest first, so that rollbacks unwind in order."""
        async with self._changing:
            for name in reversed(list(self._active)):
                await self._stop(name)

    async def _stop(self, name: str) -> bool:
        fault = self._active.pop(name, None)
        if fault is None:
            return False
        await fault.stop(self._service)
        return True


def _build(name: str, parameters: Mapping[str, float | int | str | bool]) -> Fault:
    kind = next((fault for fault in FAULTS if fault.name == name), None)
    if kind is None:
        known = ", ".join(fault.name for fault in FAULTS)
        raise InvalidRequestError(f"There is no fault {name!r}; the service knows {known}.", "name")
    defaults = parameters_of(kind)
    values: dict[str, Any] = {}
    for key, value in parameters.items():
        if key not in defaults:
            allowed = ", ".join(defaults) or "none"
            raise InvalidRequestError(f"{name} has no parameter {key!r}; it has {allowed}.", f"parameters.{key}")
        wanted = type(defaults[key])
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise InvalidRequestError(f"{key} must be of type {wanted.__name__}, not {value!r}.", f"parameters.{key}")
        values[key] = wanted(value)
    return kind(**values)
