"""A random two-layer decoder in float32, and the same arithmetic written naively in NumPy to check it against."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reference_model.models.linear import DenseLinear
from reference_model.models.llama import Llama, LlamaLayer, LlamaShape

SHAPE = LlamaShape(layers=2, width=32, heads=4, kv_heads=2, rope_base=10000.0, norm_epsilon=1e-5, context=64)
VOCABULARY = 50
HIDDEN = 48


def tiny_llama(seed: int = 0) -> Llama:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    def layer() -> LlamaLayer:
        kv_width = SHAPE.kv_heads * SHAPE.head_dim
        return LlamaLayer(
            attention_norm=1 + random(SHAPE.width),
            qkv=DenseLinear(random(SHAPE.width + 2 * kv_width, SHAPE.width)),
            attention_out=DenseLinear(random(SHAPE.width, SHAPE.width)),
            feed_forward_norm=1 + random(SHAPE.width),
            gate_up=DenseLinear(random(2 * HIDDEN, SHAPE.width)),
            down=DenseLinear(random(SHAPE.width, HIDDEN)),
        )

    table = random(VOCABULARY, SHAPE.width)
    return Llama(
        SHAPE, table, (layer(), layer()), 1 + random(SHAPE.width), DenseLinear(random(VOCABULARY, SHAPE.width))
    )


def naive_logits(model: Llama, tokens: list[int]) -> NDArray[np.float64]:
    """(t, vocabulary): one token, one head, one position at a time, without cache, batch or fused matrices."""
    s = model.shape
    x = model.token_embedding.double().numpy()[tokens]
    for layer in model.layers:
        weights = _weights(layer)
        x = x + _attention(s, weights, _norm(x, layer.attention_norm, s.norm_epsilon))
        normed = _norm(x, layer.feed_forward_norm, s.norm_epsilon)
        gate, up = np.split(normed @ weights["gate_up"].T, 2, axis=1)
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weights["down"].T
    return _norm(x, model.out_norm, s.norm_epsilon) @ model.head.weight.double().numpy().T  # type: ignore[attr-defined]


def _weights(layer: LlamaLayer) -> dict[str, NDArray[np.float64]]:
    names = ("qkv", "attention_out", "gate_up", "down")
    return {name: getattr(layer, name).weight.double().numpy() for name in names}


def _norm(x: NDArray[np.float64], weight: torch.Tensor, epsilon: float) -> NDArray[np.float64]:
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon) * weight.double().numpy()


def _turn(vector: NDArray[np.float64], position: int, base: float) -> NDArray[np.float64]:
    half = len(vector) // 2
    turned = vector.copy()
    for i in range(half):
        angle = position * base ** (-i / half)
        a, b = vector[i], vector[i + half]
        turned[i] = a * np.cos(angle) - b * np.sin(angle)
        turned[i + half] = b * np.cos(angle) + a * np.sin(angle)
    return turned


def _attention(s: LlamaShape, weights: dict[str, NDArray[np.float64]], x: NDArray[np.float64]) -> NDArray[np.float64]:
    projected = (x @ weights["qkv"].T).reshape(len(x), s.heads + 2 * s.kv_heads, s.head_dim)
    out = np.zeros((len(x), s.heads, s.head_dim))
    for head in range(s.heads):
        shared = head // (s.heads // s.kv_heads)
        keys = [_turn(projected[t, s.heads + shared], t, s.rope_base) for t in range(len(x))]
        for t in range(len(x)):
            query = _turn(projected[t, head], t, s.rope_base)
            scores = np.array([query @ keys[u] for u in range(t + 1)]) / np.sqrt(s.head_dim)
            share = np.exp(scores - scores.max())
            share /= share.sum()
            out[t, head] = sum(share[u] * projected[u, s.heads + s.kv_heads + shared] for u in range(t + 1))
    return out.reshape(len(x), -1) @ weights["attention_out"].T
