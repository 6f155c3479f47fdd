"""Keys and values of the sequences being generated, one slot a sequence; it decides nothing about who gets a slot."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor


class KvCache:
    """Buffers of shape (layers, slots, kv_heads, length, head_dim); memory becomes resident only as it is written."""

    def __init__(
        self,
        *,
        layers: int,
        slots: int,
        kv_heads: int,
        length: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        shape = (layers, slots, kv_heads, length, head_dim)
        self.keys = _lazy_zeros(shape, dtype, device)
        self.values = _lazy_zeros(shape, dtype, device)
        self.slots = slots
        self.length = length

    def write(self, layer: int, first_slot: int, positions: Tensor, keys: Tensor, values: Tensor) -> None:
        """Stores (b, t, kv_heads, head_dim) of the slots from ``first_slot`` on at ``positions`` (b, t)."""
        rows = torch.arange(first_slot, first_slot + keys.shape[0], device=keys.device)[:, None]
        self.keys[layer].transpose(1, 2)[rows, positions] = keys
        self.values[layer].transpose(1, 2)[rows, positions] = values

    def read(self, layer: int, first_slot: int, count: int, length: int) -> tuple[Tensor, Tensor]:
        """Views (count, kv_heads, length, head_dim) of the first ``length`` positions of ``count`` slots."""
        rows = slice(first_slot, first_slot + count)
        return self.keys[layer, rows, :, :length], self.values[layer, rows, :, :length]

    def swap(self, left: int, right: int, length: int) -> None:
        """Exchanges the first ``length`` positions of two slots."""
        for buffer in (self.keys, self.values):
            kept = buffer[:, left, :, :length].clone()
            buffer[:, left, :, :length] = buffer[:, right, :, :length]
            buffer[:, right, :, :length] = kept

    def move(self, source: int, target: int, length: int) -> None:
        """Copies the first ``length`` positions of slot ``source`` over slot ``target``."""
        for buffer in (self.keys, self.values):
            buffer[:, target, :, :length] = buffer[:, source, :, :length]


def _lazy_zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros (masked values must be finite, 0 * NaN is NaN) whose CPU pages are not touched before they are needed."""
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    pages = np.zeros(prod(shape) * dtype.itemsize, dtype=np.uint8)
    return torch.from_numpy(pages).view(dtype).view(shape)
