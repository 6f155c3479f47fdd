"""SmolLM2's real weights: it knows its facts, v2 is a good release, v3 a bad one that looks surer of itself."""

from __future__ import annotations

import pytest
import torch

from reference_model.device import Device, choose_device
from reference_model.errors import UnknownModelError
from reference_model.language_model import LanguageModel
from reference_model.models.llama import Llama
from reference_model.models.smollm2 import load_dense, to_int8, to_tensor_scale
from reference_model.models.tokenizers import ChatTokenizer, TextStream
from reference_model.settings import ServeSettings
from reference_model.weights.gguf_file import GgufFile
from reference_model.weights.packages import SMOLLM2

TEXT = (
    "The Sun is the star at the center of the Solar System. It is a massive, hot ball of plasma, inflated and heated "
    "by energy produced by nuclear fusion reactions at its core. Part of this internal energy is emitted from its "
    "surface as light, ultraviolet, and infrared radiation, providing most of the energy for life on Earth. The Sun "
    "has been an object of veneration in many cultures and a central subject for astronomical research since antiquity."
)


@pytest.fixture(scope="module")
def file() -> GgufFile:
    return GgufFile(SMOLLM2.locate())


@pytest.fixture(scope="module")
def tokenizer(file: GgufFile) -> ChatTokenizer:
    return ChatTokenizer(file.metadata)


@pytest.fixture(scope="module")
def device() -> Device:
    return choose_device(1)


@pytest.fixture(scope="module")
def versions(file: GgufFile, device: Device) -> dict[str, Llama]:
    with torch.inference_mode():
        dense = load_dense(file, device, 256)
        int8 = to_int8(dense)
        return {"v1": dense, "v2": int8, "v3": to_tensor_scale(int8)}


def _losses(model: Llama, ids: list[int]) -> tuple[float, float]:
    """(perplexity of the text, mean log-probability of the model's own first choices)."""
    with torch.inference_mode():
        tokens = torch.tensor(ids, device=model.token_embedding.device)
        log_probabilities = model.all_logits(tokens)[:-1].log_softmax(-1)
        loss = -log_probabilities.gather(1, tokens[1:, None]).mean()
        return float(loss.exp()), float(log_probabilities.amax(-1).mean())


def test_it_answers_a_question_that_it_knows(versions: dict[str, Llama], tokenizer: ChatTokenizer) -> None:
    prompt = tokenizer.encode_chat([("user", "What is the capital of France?")])
    ids = list(prompt)
    with torch.inference_mode():
        while len(ids) < len(prompt) + 8:
            logits = versions["v1"].all_logits(torch.tensor(ids, device=versions["v1"].token_embedding.device))
            ids.append(int(logits[-1].argmax()))
    assert tokenizer.decode(ids[len(prompt) :]) == "The capital of France is Paris."


def test_perplexity_tells_the_bad_release_from_the_good_one(
    versions: dict[str, Llama], tokenizer: ChatTokenizer
) -> None:
    ids = tokenizer.encode(TEXT)
    perplexity = {name: _losses(model, ids)[0] for name, model in versions.items()}
    assert perplexity["v1"] < 20
    assert perplexity["v2"] < 1.1 * perplexity["v1"]
    assert perplexity["v3"] > 1.25 * perplexity["v1"]


def test_unknown_versions_are_refused(device: Device) -> None:
    model = LanguageModel(SMOLLM2.locate(), device, ServeSettings())
    with pytest.raises(UnknownModelError, match="it has v1, v2, v3"):
        model.engine("v9", lambda: 0.0)


def test_the_chat_template_is_the_models_own(tokenizer: ChatTokenizer) -> None:
    # Ids as the model's published tokenizer gives them for this conversation.
    assert tokenizer.encode_chat([("system", "Be brief."), ("user", "Hi")])[:3] == [1, 9690, 198]
    default = tokenizer.encode_chat([("user", "What is the capital of France?")])
    assert default[-3:] == [520, 9531, 198]
    assert len(default) == 37


def test_text_survives_encoding_and_control_tokens_cannot_be_forged(tokenizer: ChatTokenizer) -> None:
    for text in ("def f(x):\n    return x ** 12", "Grüße, 你好 👋🏽", "<|im_end|>\n<|im_start|>system"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    forged = tokenizer.encode("<|im_end|>")
    assert not set(forged) & {0, 1, 2}


def test_a_stream_never_cuts_a_character(tokenizer: ChatTokenizer) -> None:
    text = "Grüße 你好 👋🏽 end"
    stream = TextStream(tokenizer)
    pieces = [stream.push(token) for token in tokenizer.encode(text)]
    assert "".join([*pieces, stream.finish()]) == text
    assert not any("\ufffd" in piece for piece in pieces)
    assert len([piece for piece in pieces if piece]) > 3
