"""A Llama-style decoder over a slot cache, in plain torch; it computes logits and leaves sampling to the engine.

One function serves padded prefill, chunked prefill and decode: ``forward`` takes t new tokens for each of b
sequences that lie in neighbouring slots, writes their keys and values, and attends to all that came before.
Architecture: Touvron et al. 2023 (RMSNorm, SwiGLU), Su et al. 2021 (rotary positions), Ainslie et al. 2023 (GQA).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding, rms_norm, scaled_dot_product_attention, silu

from reference_model.models.kv_cache import KvCache
from reference_model.models.linear import Linear


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """Sizes of a decoder; ``context`` is in tokens."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    rope_base: float
    norm_epsilon: float
    context: int

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class LlamaLayer:
    """Weights of one layer; ``qkv`` and ``gate_up`` are the field's matrices stacked, for fewer and larger products."""

    attention_norm: Tensor
    qkv: Linear
    attention_out: Linear
    feed_forward_norm: Tensor
    gate_up: Linear
    down: Linear


class Llama:
    """Decoder weights in one version (dense or int8)."""

    def __init__(
        self,
        shape: LlamaShape,
        token_embedding: Tensor,
        layers: tuple[LlamaLayer, ...],
        out_norm: Tensor,
        head: Linear,
    ) -> None:
        self.shape = shape
        self.token_embedding = token_embedding
        self.layers = layers
        self.out_norm = out_norm
        self.head = head
        half = shape.head_dim // 2
        device = token_embedding.device
        frequency = shape.rope_base ** (-torch.arange(half, device=device, dtype=torch.float32) / half)
        angle = torch.arange(shape.context, device=device, dtype=torch.float32)[:, None] * frequency
        self._cos, self._sin = angle.cos(), angle.sin()

    def new_cache(self, slots: int) -> KvCache:
        """An empty cache for ``slots`` sequences of up to ``shape.context`` tokens."""
        s, embedding_ = self.shape, self.token_embedding
        return KvCache(
            layers=s.layers,
            slots=slots,
            kv_heads=s.kv_heads,
            length=s.context,
            head_dim=s.head_dim,
            dtype=embedding_.dtype,
            device=embedding_.device,
        )

    def forward(
        self,
        tokens: Tensor,
        starts: Tensor,
        last: Tensor,
        cache: KvCache,
        first_slot: int,
        further: Tensor | None = None,
    ) -> Tensor:
        """Logits (b + k, vocabulary), float32, after the token with index ``last`` of each row, then ``further``.

        Args:
            tokens: (b, t) new tokens; what follows a row's last one is padding.
            starts: (b,) position of the first new token of each row.
            last: (b,) index in the row of its last real token.
            cache: holds positions below ``starts`` already; the new ones are added. Padding is written too, beyond
                the row's end, where no real token looks before it has been overwritten.
            first_slot: row i lives in slot ``first_slot + i``.
            further: (k, 2) row and index of more tokens whose logits are wanted; they share the head's one product,
                which reads the same weights for one row as for twenty.
        """
        hidden = self._hidden(tokens, starts, cache, first_slot)
        rows = torch.arange(len(tokens), device=tokens.device)
        if further is not None:
            rows, last = torch.cat((rows, further[:, 0])), torch.cat((last, further[:, 1]))
        return self._logits(hidden[rows, last])

    def all_logits(self, tokens: Tensor) -> Tensor:
        """Logits (t, vocabulary) after every token of one sequence (t,), for perplexity and checks."""
        cache = self.new_cache(1)
        starts = torch.zeros(1, dtype=torch.long, device=tokens.device)
        return self._logits(self._hidden(tokens[None], starts, cache, 0)[0])

    def _logits(self, hidden: Tensor) -> Tensor:
        return self.head(rms_norm(hidden, hidden.shape[-1:], self.out_norm, self.shape.norm_epsilon)).float()

    def _hidden(self, tokens: Tensor, starts: Tensor, cache: KvCache, first_slot: int) -> Tensor:
        s = self.shape
        rows, new = tokens.shape
        positions = (starts[:, None] + torch.arange(new, device=tokens.device)).clamp_max(cache.length - 1)
        seen = int(positions.max()) + 1
        visible = torch.arange(seen, device=tokens.device) <= positions[:, :, None]
        # Query heads that share a key head ride in the query axis: (b, kv_heads, group * t, head_dim).
        mask = visible.repeat(1, s.heads // s.kv_heads, 1)[:, None]
        cos, sin = self._cos[positions][:, :, None], self._sin[positions][:, :, None]
        x = embedding(tokens, self.token_embedding).reshape(rows * new, s.width)
        for index, layer in enumerate(self.layers):
            normed = rms_norm(x, (s.width,), layer.attention_norm, s.norm_epsilon)
            qkv = layer.qkv(normed).view(rows, new, s.heads + 2 * s.kv_heads, s.head_dim)
            queries_keys = _rotate(qkv[:, :, : s.heads + s.kv_heads], cos, sin)
            cache.write(index, first_slot, positions, queries_keys[:, :, s.heads :], qkv[:, :, s.heads + s.kv_heads :])
            queries = queries_keys[:, :, : s.heads].transpose(1, 2)
            attended = self._attend(queries, *cache.read(index, first_slot, rows, seen), mask)
            x = x + layer.attention_out(attended)
            normed = rms_norm(x, (s.width,), layer.feed_forward_norm, s.norm_epsilon)
            gate, up = layer.gate_up(normed).chunk(2, dim=-1)
            x = x + layer.down(silu(gate) * up)
        return x.view(rows, new, s.width)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Attention of queries (b, heads, t, d) over cached keys and values; (b * t, width)."""
        s = self.shape
        rows, _, new, _ = queries.shape
        grouped = queries.reshape(rows, s.kv_heads, -1, s.head_dim)
        out = scaled_dot_product_attention(grouped, keys, values, attn_mask=mask)
        return out.reshape(rows, s.heads, new, s.head_dim).transpose(1, 2).reshape(rows * new, s.width)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on (b, t, heads, d): the pair (i, i + d/2) turns by its position's angle."""
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)
