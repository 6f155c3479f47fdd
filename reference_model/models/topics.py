"""The topic classifier's head: a multinomial logistic regression over MiniLM vectors, fitted at start.

It is fitted on the corpus questions' own v1 embeddings (21 topics, about 1 s on one core) and then put on
top of whichever encoder version serves, which is how a changed encoder under an unchanged head becomes a bad release.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from reference_model.corpus import Question

NAME: Final = "minilm-topic-classifier"
VERSIONS: Final = ("v1", "v2", "cls")
_INVERSE_TEMPERATURE = 8.0
"""Unit vectors have cosines in a narrow band; this factor lets the softmax reach both sure and unsure."""
_STEPS, _RATE, _MOMENTUM, _PENALTY = 150, 2.0, 0.9, 1e-3
_BATCH = 64
_PER_TOPIC = 32
"""Training questions a topic at most: trivia has 261 of the 749, and what is left out measures the accuracy."""


@dataclass(frozen=True, slots=True)
class TopicHead:
    """``weight`` (topics, width) and ``bias`` (topics,) over unit vectors."""

    topics: tuple[str, ...]
    weight: Tensor
    bias: Tensor

    def probabilities(self, vectors: Tensor) -> Tensor:
        """(n, topics), rows sum to 1."""
        return (_INVERSE_TEMPERATURE * vectors @ self.weight.T + self.bias).softmax(dim=-1)


def embed_questions(embed: Callable[[Sequence[Sequence[int]]], Tensor], token_ids: Sequence[Sequence[int]]) -> Tensor:
    """Vectors (n, width) in the order given; batches hold texts of like length, so that little is padding."""
    order = sorted(range(len(token_ids)), key=lambda index: len(token_ids[index]))
    parts = [embed([token_ids[index] for index in order[at : at + _BATCH]]) for at in range(0, len(order), _BATCH)]
    vectors = torch.cat(parts)
    restored = torch.empty_like(vectors)
    restored[torch.tensor(order, device=vectors.device)] = vectors
    return restored


def training_split(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """(to fit on, held out): evenly spaced questions of each topic, at most 32, are fitted on."""
    by_topic: dict[str, list[Question]] = {}
    for question in questions:
        by_topic.setdefault(question.topic, []).append(question)
    fitted: list[Question] = []
    held_out: list[Question] = []
    for group in by_topic.values():
        count = min(len(group), _PER_TOPIC)
        picked = {index * len(group) // count for index in range(count)}
        for index, question in enumerate(group):
            (fitted if index in picked else held_out).append(question)
    return fitted, held_out


def fit_head(vectors: Tensor, questions: Sequence[Question]) -> TopicHead:
    """Fits by gradient descent with momentum on the ridge-penalised cross-entropy, from zero.

    The problem is convex, so the outcome depends on no seed. The gradient is written out because torch.optim costs
    1.5 s to import.
    """
    topics = tuple(sorted({question.topic for question in questions}))
    targets = torch.tensor([topics.index(question.topic) for question in questions], device=vectors.device)
    truth = torch.nn.functional.one_hot(targets, len(topics)).float()
    weight = torch.zeros(len(topics), vectors.shape[1], device=vectors.device)
    bias = torch.zeros(len(topics), device=vectors.device)
    weight_step, bias_step = torch.zeros_like(weight), torch.zeros_like(bias)
    for _ in range(_STEPS):
        excess = (TopicHead(topics, weight, bias).probabilities(vectors) - truth) / len(vectors)
        weight_step = _MOMENTUM * weight_step - _RATE * (_INVERSE_TEMPERATURE * excess.T @ vectors + _PENALTY * weight)
        bias_step = _MOMENTUM * bias_step - _RATE * excess.sum(dim=0)
        weight, bias = weight + weight_step, bias + bias_step
    return TopicHead(topics, weight, bias)
