"""The encoder as the service uses it: versions derived when first used, batches of mixed versions, topic head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from reference_model import corpus
from reference_model.device import Device
from reference_model.errors import UnknownModelError
from reference_model.models import minilm, topics
from reference_model.models.minilm import MiniLm
from reference_model.models.tokenizers import EncoderTokenizer
from reference_model.models.topics import TopicHead

VERSIONS: Final = topics.VERSIONS


@dataclass(frozen=True, slots=True)
class EncoderItem:
    """Token ids of one text, and the version that shall embed it."""

    version: str
    tokens: Sequence[int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A unit vector (384 numbers) and the probability of each topic in the order of ``Encoder.topics``."""

    vector: list[float]
    probabilities: list[float]


class Encoder:
    """All versions of MiniLM with one topic head, fitted on v1. Only one thread may call ``encode``."""

    def __init__(self, weights: Path, device: Device) -> None:
        self.tokenizer = EncoderTokenizer(weights.parent / "tokenizer.json")
        dense = minilm.load_dense(weights, device)
        self._versions: dict[str, MiniLm] = {"v1": dense}
        questions, _ = topics.training_split(corpus.questions())
        token_ids = [self.tokenizer.encode(question.text) for question in questions]
        self._head: TopicHead = topics.fit_head(topics.embed_questions(dense.embed, token_ids), questions)

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics."""
        return self._head.topics

    @property
    def loaded(self) -> tuple[str, ...]:
        """Versions in memory."""
        return tuple(self._versions)

    def encode(self, items: Sequence[EncoderItem]) -> list[Encoded]:
        """Embeds and classifies each item with the version that it names."""
        results: dict[int, Encoded] = {}
        for version in dict.fromkeys(item.version for item in items):
            rows = [index for index, item in enumerate(items) if item.version == version]
            with torch.inference_mode():
                vectors = self._version(version).embed([items[row].tokens for row in rows])
                probabilities = self._head.probabilities(vectors)
            for row, vector, probability in zip(rows, vectors.tolist(), probabilities.tolist(), strict=True):
                results[row] = Encoded(vector, probability)
        return [results[index] for index in range(len(items))]

    def _version(self, version: str) -> MiniLm:
        if version not in self._versions:
            make = {"v2": minilm.to_int8, "cls": minilm.to_cls_pooling}.get(version)
            if make is None:
                raise UnknownModelError(f"The encoder has no version {version!r}; it has {', '.join(VERSIONS)}.")
            self._versions[version] = make(self._versions["v1"])
        return self._versions[version]
