"""Linear layers, dense and int8, that map (n, in) to (n, out); they hold weights and never train them.

An int8 layer keeps each output row of its weight on its own scale. Its activations are quantised when they arrive,
on one scale a row (a request cannot touch another's numbers) or on one scale for the whole tensor (cheaper, and
wrong for language models: a single outlier channel, or a neighbour in the batch, coarsens everybody's grid;
Dettmers et al. 2022, "LLM.int8()", section 3).
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

ActivationScale = Literal["row", "tensor"]
_INT8_MAX = 127.0
_CUDA_ROWS = 32
"""cuBLAS multiplies int8 only for more than 16 rows, in multiples of 8; smaller batches are padded."""


class Linear(Protocol):
    """What the models need from a layer."""

    def __call__(self, x: Tensor) -> Tensor:
        """(n, in) to (n, out), in the dtype of ``x``."""


class DenseLinear:
    """x W' + b in the weight's own precision."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight = weight
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """(n, in) to (n, out)."""
        return torch.nn.functional.linear(x, self.weight, self.bias)


class Int8Linear:
    """x W' + b with int8 weights and int8 activations, accumulated in int32."""

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None, activation_scale: ActivationScale) -> None:
        self.weight = weight
        self.scale = scale
        self.bias = bias
        self.activation_scale = activation_scale

    @classmethod
    def from_dense(cls, dense: DenseLinear, activation_scale: ActivationScale) -> Int8Linear:
        """Quantises ``dense`` symmetrically, one scale for each output row."""
        weight = dense.weight.float()
        scale = (weight.abs().amax(dim=1) / _INT8_MAX).clamp_min(1e-12)
        quantised = (weight / scale[:, None]).round().to(torch.int8)
        bias = None if dense.bias is None else dense.bias.float()
        return cls(quantised, scale, bias, activation_scale)

    def with_activation_scale(self, activation_scale: ActivationScale) -> Int8Linear:
        """The same weights (shared, not copied) with other activation scales."""
        return Int8Linear(self.weight, self.scale, self.bias, activation_scale)

    def __call__(self, x: Tensor) -> Tensor:
        """(n, in) to (n, out)."""
        rows = x.shape[0]
        x32 = x.float()
        largest = x32.abs().amax(dim=-1, keepdim=True)
        if self.activation_scale == "tensor":
            largest = largest.max()
        scale = (largest / _INT8_MAX).clamp_min(1e-12)
        quantised = (x32 / scale).round_().to(torch.int8)
        if x.is_cuda and (rows < _CUDA_ROWS or rows % 8):
            padded = max(_CUDA_ROWS, -(-rows // 8) * 8)
            quantised = torch.nn.functional.pad(quantised, (0, 0, 0, padded - rows))
        product = torch._int_mm(quantised, self.weight.t())[:rows]
        out = product.float().mul_(scale).mul_(self.scale)
        if self.bias is not None:
            out += self.bias
        return out.to(x.dtype)
