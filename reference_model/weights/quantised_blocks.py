"""Dequantises the GGUF block formats Q4_1 and Q8_0 (and F32) with NumPy; other formats are refused, not guessed.

A row is cut into blocks of 32 weights. Formats as defined by ggml (``ggml/src/ggml-common.h``):

- Q8_0, 34 bytes: fp16 scale d, then 32 int8 q; weight = d q.
- Q4_1, 20 bytes: fp16 scale d, fp16 minimum m, then 16 bytes of which byte i holds weight i in its low and
  weight i + 16 in its high nibble; weight = d q + m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference_model.errors import WeightsError

BLOCK_WEIGHTS = 32
F32, Q4_1, Q8_0 = 0, 3, 8
"""Codes of the tensor formats in a GGUF file (``enum ggml_type``)."""

BLOCK_BYTES = {Q4_1: 20, Q8_0: 34}


def stored_bytes(kind: int, weights: int) -> int:
    """Bytes that ``weights`` values take in format ``kind``. Raises WeightsError for another format."""
    if kind == F32:
        return 4 * weights
    if kind not in BLOCK_BYTES:
        raise WeightsError(f"GGUF tensor format {kind} is not supported; F32, Q4_1 and Q8_0 are.")
    if weights % BLOCK_WEIGHTS:
        raise WeightsError(f"A quantised GGUF tensor has {weights} weights, not a multiple of {BLOCK_WEIGHTS}.")
    return weights // BLOCK_WEIGHTS * BLOCK_BYTES[kind]


def dequantise(raw: NDArray[np.uint8], kind: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Weights as float32 of ``shape`` (rows first) from the stored bytes ``raw``."""
    if kind == F32:
        return raw.view(np.float32).reshape(shape)
    blocks = raw.reshape(-1, BLOCK_BYTES[kind])
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    if kind == Q8_0:
        return (blocks[:, 2:].view(np.int8) * scale).reshape(shape)
    minimum = blocks[:, 2:4].copy().view(np.float16).astype(np.float32)
    nibbles = blocks[:, 4:]
    weights = np.empty((len(blocks), BLOCK_WEIGHTS), dtype=np.float32)
    half = BLOCK_WEIGHTS // 2
    weights[:, :half] = nibbles & 0x0F
    weights[:, half:] = nibbles >> 4
    weights *= scale
    weights += minimum
    return weights.reshape(shape)
