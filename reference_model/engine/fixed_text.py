"""The loss on text that every prompt begins with, from the pass that reads the prompt; it runs no pass of its own.

It is what a golden prompt measures, without a request of its own: the text is the same for all, so its mean negative
log-likelihood moves only when the weights, the arithmetic or the company in the batch do, never with the users.

Cost: seventeen more rows in the head's product and in a log-sum-exp over the vocabulary, measured as 15 ms of one busy
core beside 120 ms for the prompt, some 2 % of a chat of eight tokens. On v3 these rows share the head's activation
scale, as all rows of a batch do there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ScoredPlace:
    """Row and column of a padded batch after which ``token`` stands in the fixed text."""

    row: int
    column: int
    token: int


def scored_places(row: int, prompt: Sequence[int], fixed_text: range, start: int, length: int) -> list[ScoredPlace]:
    """The places of one row that predict fixed text, where ``prompt[start : start + length]`` is read in this pass.

    A token whose predecessor was read in an earlier pass belongs to that pass, so chunks score each token once.
    """
    first, last = max(fixed_text.start, start + 1), min(fixed_text.stop, start + length + 1)
    return [ScoredPlace(row, place - 1 - start, prompt[place]) for place in range(first, last)]


def losses(logits: Tensor, places: Sequence[ScoredPlace]) -> list[float]:
    """Negative log-likelihood in nats of each place's token under ``logits`` (places, vocabulary)."""
    if not places:
        return []
    tokens = torch.tensor([place.token for place in places], device=logits.device)
    likelihood = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(dim=-1)
    found: list[float] = (-likelihood).tolist()
    return found
