"""MiniLM's real weights: meaning is near meaning, padding changes nothing, CLS pooling breaks the classifier."""

from __future__ import annotations

import pytest
import torch

from reference_model import corpus
from reference_model.device import choose_device
from reference_model.encoder import Encoder, EncoderItem
from reference_model.errors import UnknownModelError
from reference_model.models.topics import training_split
from reference_model.weights.packages import MINILM

SENTENCES = ("A man is eating food.", "A man eats something.", "The girl plays the guitar in a small band.")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(MINILM.locate(), choose_device(1))


def _vectors(encoder: Encoder, version: str, texts: tuple[str, ...]) -> torch.Tensor:
    items = [EncoderItem(version, encoder.tokenizer.encode(text)) for text in texts]
    return torch.tensor([encoded.vector for encoded in encoder.encode(items)])


@pytest.mark.parametrize("version", ["v1", "v2", "cls"])
def test_vectors_have_length_one(encoder: Encoder, version: str) -> None:
    torch.testing.assert_close(_vectors(encoder, version, SENTENCES).norm(dim=1), torch.ones(3))


def test_alike_sentences_are_nearer_as_published(encoder: Encoder) -> None:
    cosines = _vectors(encoder, "v1", SENTENCES) @ _vectors(encoder, "v1", SENTENCES).T
    # Sentence-BERT's own example pair; the model card's model gives 0.75 and more for paraphrases.
    assert cosines[0, 1] > 0.75
    assert cosines[0, 2] < 0.2


def test_company_in_the_batch_changes_nothing(encoder: Encoder) -> None:
    together = _vectors(encoder, "v1", SENTENCES)
    alone = torch.cat([_vectors(encoder, "v1", (sentence,)) for sentence in SENTENCES])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_int8_is_near_and_cls_pooling_is_not(encoder: Encoder) -> None:
    exact = _vectors(encoder, "v1", SENTENCES)
    assert (exact * _vectors(encoder, "v2", SENTENCES)).sum(dim=1).min() > 0.98
    assert (exact * _vectors(encoder, "cls", SENTENCES)).sum(dim=1).max() < 0.9


def test_held_out_accuracy_tells_the_broken_release(encoder: Encoder) -> None:
    _, held_out = training_split(corpus.questions())
    sample = held_out[::3]

    def accuracy(version: str) -> float:
        encoded = encoder.encode([EncoderItem(version, encoder.tokenizer.encode(q.text)) for q in sample])
        best = [max(range(len(e.probabilities)), key=e.probabilities.__getitem__) for e in encoded]
        return sum(encoder.topics[i] == q.topic for i, q in zip(best, sample, strict=True)) / len(sample)

    assert len(sample) > 100
    assert accuracy("v1") > 0.75
    assert abs(accuracy("v2") - accuracy("v1")) < 0.05
    assert accuracy("cls") < 0.35


def test_versions_can_share_a_batch(encoder: Encoder) -> None:
    tokens = encoder.tokenizer.encode(SENTENCES[0])
    mixed = encoder.encode([EncoderItem(version, tokens) for version in ("cls", "v1", "cls", "v2")])
    assert mixed[0] == mixed[2]
    assert len({tuple(encoded.vector) for encoded in mixed}) == 3
    assert all(abs(sum(encoded.probabilities) - 1) < 1e-4 for encoded in mixed)


def test_unknown_versions_are_refused(encoder: Encoder) -> None:
    with pytest.raises(UnknownModelError, match="it has v1, v2, cls"):
        encoder.encode([EncoderItem("v7", [101, 102])])
