"""Picks the next token of each sequence; it reports the model's own log-probability whatever the temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """Temperature 0 is greedy. ``top_p`` keeps the smallest set of tokens with at least that probability."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


class Sampler:
    """One sequence's choice of tokens; repeatable for the same seed, whoever shares the batch."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator: torch.Generator | None = None

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken."""
        return self._sampling.temperature <= 0

    def pick(self, logits: Tensor) -> int:
        """A token for ``logits`` (vocabulary,)."""
        if self._generator is None:
            self._generator = torch.Generator().manual_seed(self._sampling.seed)
        probabilities = (logits.cpu() / self._sampling.temperature).softmax(dim=-1)
        if self._sampling.top_p < 1:
            ordered, order = probabilities.sort(descending=True)
            before = ordered.cumsum(dim=0) - ordered
            probabilities = torch.zeros_like(probabilities)
            probabilities[order] = torch.where(before < self._sampling.top_p, ordered, 0.0)
        return int(torch.multinomial(probabilities, 1, generator=self._generator))


def choose(logits: Tensor, samplers: Sequence[Sampler]) -> tuple[list[int], list[float]]:
    """Tokens and their log-probabilities at temperature 1 for ``logits`` (n, vocabulary)."""
    log_probabilities = logits.log_softmax(dim=-1)
    best, tokens = log_probabilities.max(dim=-1)
    picked: list[int] = tokens.tolist()
    confidence: list[float] = best.tolist()
    for row, sampler in enumerate(samplers):
        if not sampler.greedy:
            picked[row] = sampler.pick(logits[row])
            confidence[row] = float(log_probabilities[row, picked[row]])
    return picked, confidence
