"""SmolLM2-135M-Instruct in three versions, built from the packaged GGUF file; nothing is downloaded.

- v1: bfloat16 (float32 where the CPU lacks it), the reference.
- v2: int8, one activation scale a row: a good release.
- v3: the same int8 weights, one activation scale a tensor: a bad release. Its perplexity is far worse and an answer
  depends on who shares the batch, while the log-probability of its own answers hardly differs from v1's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from reference_model.device import Device
from reference_model.models.linear import ActivationScale, DenseLinear, Int8Linear, Linear
from reference_model.models.llama import Llama, LlamaLayer, LlamaShape
from reference_model.weights.gguf_file import GgufFile

NAME: Final = "smollm2-135m-instruct"
VERSIONS: Final = ("v1", "v2", "v3")


def load_dense(file: GgufFile, device: Device, context: int, dtype: torch.dtype | None = None) -> Llama:
    """Version v1. ``context``: tokens of prompt and answer together (the model itself allows 8192)."""
    meta = file.metadata
    shape = LlamaShape(
        layers=meta["llama.block_count"],
        width=meta["llama.embedding_length"],
        heads=meta["llama.attention.head_count"],
        kv_heads=meta["llama.attention.head_count_kv"],
        rope_base=meta["llama.rope.freq_base"],
        norm_epsilon=meta["llama.attention.layer_norm_rms_epsilon"],
        context=min(context, meta["llama.context_length"]),
    )
    reader = _TensorReader(file, device.torch_device, dtype or device.dense_dtype)
    table = reader.read("token_embd.weight")
    layers = tuple(_read_layer(reader, f"blk.{index}.", shape) for index in range(shape.layers))
    # The file has no output matrix: SmolLM2 ties it to the token embedding.
    return Llama(shape, table, layers, reader.read("output_norm.weight"), DenseLinear(table))


def to_int8(dense: Llama) -> Llama:
    """Version v2 from v1."""
    return _with_linears(dense, lambda linear: Int8Linear.from_dense(_dense(linear), "row"))


def to_tensor_scale(int8: Llama) -> Llama:
    """Version v3 from v2; the weights are shared, not copied."""
    scale: ActivationScale = "tensor"
    return _with_linears(int8, lambda linear: _int8(linear).with_activation_scale(scale))


class _TensorReader:
    def __init__(self, file: GgufFile, device: torch.device, dtype: torch.dtype) -> None:
        self._file = file
        self._device = device
        self._dtype = dtype

    def read(self, name: str) -> Tensor:
        # A copy in any case: the array may be a read-only view of the mapped file.
        return torch.tensor(self._file.tensor(name)).to(self._device, self._dtype)


def _read_layer(reader: _TensorReader, prefix: str, shape: LlamaShape) -> LlamaLayer:
    queries = _split_pairs(reader.read(prefix + "attn_q.weight"), shape.heads)
    keys = _split_pairs(reader.read(prefix + "attn_k.weight"), shape.kv_heads)
    values = reader.read(prefix + "attn_v.weight")
    gate_up = torch.cat((reader.read(prefix + "ffn_gate.weight"), reader.read(prefix + "ffn_up.weight")))
    return LlamaLayer(
        attention_norm=reader.read(prefix + "attn_norm.weight"),
        qkv=DenseLinear(torch.cat((queries, keys, values))),
        attention_out=DenseLinear(reader.read(prefix + "attn_output.weight")),
        feed_forward_norm=reader.read(prefix + "ffn_norm.weight"),
        gate_up=DenseLinear(gate_up),
        down=DenseLinear(reader.read(prefix + "ffn_down.weight")),
    )


def _split_pairs(weight: Tensor, heads: int) -> Tensor:
    """Reorders rows from GGUF's rotary pairs (2i, 2i + 1) to the pairs (i, i + d/2) that the decoder turns."""
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def _with_linears(model: Llama, convert: Callable[[Linear], Linear]) -> Llama:
    layers = tuple(
        replace(
            layer,
            qkv=convert(layer.qkv),
            attention_out=convert(layer.attention_out),
            gate_up=convert(layer.gate_up),
            down=convert(layer.down),
        )
        for layer in model.layers
    )
    return Llama(model.shape, model.token_embedding, layers, model.out_norm, convert(model.head))


def _dense(linear: Linear) -> DenseLinear:
    if not isinstance(linear, DenseLinear):
        raise TypeError("int8 weights are made from the dense version")
    return linear


def _int8(linear: Linear) -> Int8Linear:
    if not isinstance(linear, Int8Linear):
        raise TypeError("another activation scale needs the int8 version")
    return linear
