"""all-MiniLM-L6-v2, a six-layer BERT encoder in plain torch; it embeds texts and knows nothing of topics.

Versions: v1 float32; v2 int8 with one activation scale a row; ``cls`` is v1 that returns the first token's state
where every head and index expects the mean, the classic mistake of a re-written serving path.
Model: Wang et al. 2020 (MiniLM); Reimers and Gurevych 2019 (mean pooling, unit norm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import embedding, gelu, layer_norm, normalize, pad, scaled_dot_product_attention

from reference_model.device import Device
from reference_model.models.linear import DenseLinear, Int8Linear, Linear

NAME: Final = "all-minilm-l6-v2"
LAYERS, WIDTH, HEADS = 6, 384, 12
NORM_EPSILON = 1e-12
MAX_TOKENS: Final = 256
"""Sequence length that the model was tuned for (``sentence_bert_config.json``)."""

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class Norm:
    """Scale and shift of a layer normalisation."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Normalised over the last axis."""
        return layer_norm(x, (WIDTH,), self.weight, self.bias, NORM_EPSILON)


@dataclass(frozen=True, slots=True)
class EncoderLayer:
    """Weights of one layer; ``qkv`` is the three input matrices stacked."""

    qkv: Linear
    attention_out: Linear
    attention_norm: Norm
    intermediate: Linear
    out: Linear
    out_norm: Norm


@dataclass(frozen=True, slots=True)
class MiniLm:
    """Encoder weights in one version and the way in which a text's token states become one vector."""

    word: Tensor
    position: Tensor
    segment: Tensor
    embedding_norm: Norm
    layers: tuple[EncoderLayer, ...]
    pooling: Pooling = "mean"

    def embed(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Unit vectors (n, 384), float32, of n token id lists of at most MAX_TOKENS."""
        device = self.word.device
        lengths = torch.tensor([len(ids) for ids in texts], device=device)
        longest = int(lengths.max())
        tokens = torch.stack([pad(torch.tensor(ids), (0, longest - len(ids))) for ids in texts]).to(device)
        present = torch.arange(longest, device=device) < lengths[:, None]
        states = self._states(tokens, present)
        if self.pooling == "cls":
            return normalize(states[:, 0], dim=-1)
        weight = present[:, :, None].float()
        return normalize((states * weight).sum(dim=1) / weight.sum(dim=1), dim=-1)

    def _states(self, tokens: Tensor, present: Tensor) -> Tensor:
        rows, length = tokens.shape
        x = embedding(tokens, self.word) + self.position[:length] + self.segment[0]
        x = self.embedding_norm(x).reshape(rows * length, WIDTH)
        mask = present[:, None, None, :]
        for layer in self.layers:
            q, k, v = layer.qkv(x).view(rows, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
            attended = scaled_dot_product_attention(q, k, v, attn_mask=mask)
            attended = attended.transpose(1, 2).reshape(rows * length, WIDTH)
            x = layer.attention_norm(x + layer.attention_out(attended))
            x = layer.out_norm(x + layer.out(gelu(layer.intermediate(x))))
        return x.view(rows, length, WIDTH)


def load_dense(path: Path, device: Device) -> MiniLm:
    """Version v1 from the safetensors file."""
    tensors = load_file(str(path), device=str(device.torch_device))

    def linear(*names: str) -> DenseLinear:
        weight = torch.cat([tensors[f"{name}.weight"] for name in names])
        return DenseLinear(weight, torch.cat([tensors[f"{name}.bias"] for name in names]))

    def norm(name: str) -> Norm:
        return Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def layer(prefix: str) -> EncoderLayer:
        attention = f"{prefix}.attention"
        return EncoderLayer(
            qkv=linear(*(f"{attention}.self.{part}" for part in ("query", "key", "value"))),
            attention_out=linear(f"{attention}.output.dense"),
            attention_norm=norm(f"{attention}.output.LayerNorm"),
            intermediate=linear(f"{prefix}.intermediate.dense"),
            out=linear(f"{prefix}.output.dense"),
            out_norm=norm(f"{prefix}.output.LayerNorm"),
        )

    return MiniLm(
        word=tensors["embeddings.word_embeddings.weight"],
        position=tensors["embeddings.position_embeddings.weight"],
        segment=tensors["embeddings.token_type_embeddings.weight"],
        embedding_norm=norm("embeddings.LayerNorm"),
        layers=tuple(layer(f"encoder.layer.{index}") for index in range(LAYERS)),
    )


def to_int8(dense: MiniLm) -> MiniLm:
    """Version v2 from v1."""
    layers = tuple(
        replace(
            layer,
            qkv=_quantise(layer.qkv),
            attention_out=_quantise(layer.attention_out),
            intermediate=_quantise(layer.intermediate),
            out=_quantise(layer.out),
        )
        for layer in dense.layers
    )
    return replace(dense, layers=layers)


def to_cls_pooling(dense: MiniLm) -> MiniLm:
    """Version ``cls`` from v1; all weights are shared."""
    return replace(dense, pooling="cls")


def _quantise(linear: Linear) -> Int8Linear:
    if not isinstance(linear, DenseLinear):
        raise TypeError("int8 weights are made from the dense version")
    return Int8Linear.from_dense(linear, "row")
