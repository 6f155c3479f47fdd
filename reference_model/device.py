"""Chooses where and in which precision torch computes, and says so; it never changes the choice while running."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Device:
    """Where tensors live and the dense precision of the generator."""

    torch_device: torch.device
    dense_dtype: torch.dtype
    description: str

    @property
    def name(self) -> str:
        """``cuda`` or ``cpu``."""
        return str(self.torch_device.type)


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; without it, bfloat16 is slower than float32."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def choose_device(threads: int) -> Device:
    """CUDA when there is one, else the CPU with ``threads`` threads for each operation.

    The encoder and the generator each have a thread of their own that calls torch, so ``threads=1`` on a machine
    with two cores still uses both of them and leaves neither over-subscribed.
    """
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        device = torch.device("cuda")
        return Device(device, torch.bfloat16, torch.cuda.get_device_name(device))
    dtype = torch.bfloat16 if cpu_has_bfloat16() else torch.float32
    return Device(torch.device("cpu"), dtype, f"CPU, {threads} thread(s) an operation, {dtype}")
