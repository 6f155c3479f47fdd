"""SmolLM2's real weights: it knows its facts, v2 is a good release, v3 a bad one, and its fixed-text loss tells."""

from __future__ import annotations

from time import perf_counter

import pytest
import torch

from reference_model.device import Device, choose_device
from reference_model.engine.sequence import FinishedEvent, GenerationEvent, GenerationRequest, Sequence
from reference_model.engine.slots import SlotEngine
from reference_model.errors import UnknownModelError
from reference_model.language_model import LanguageModel
from reference_model.models.llama import Llama
from reference_model.models.smollm2 import load_dense, to_int8, to_tensor_scale
from reference_model.models.tokenizers import SYSTEM_PROMPT, ChatTokenizer, TextStream
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


def _text_losses(model: Llama, ids: list[int]) -> list[float]:
    """Negative log-likelihood of each token but the first, computed outside the service's path."""
    with torch.inference_mode():
        tokens = torch.tensor(ids, device=model.token_embedding.device)
        losses = torch.nn.functional.cross_entropy(model.all_logits(tokens)[:-1], tokens[1:], reduction="none")
        return [float(loss) for loss in losses]


QUESTIONS = ("Hi", "What is the capital of France?", "def add(a, b):\n    return", "Tell me about the sea. " * 3)


def _served_losses(model: Llama, tokenizer: ChatTokenizer, questions: tuple[str, ...]) -> list[float]:
    """What the engine reports for chats that share its batches."""
    engine = SlotEngine(model, 4, 128, 256, perf_counter)
    events: list[GenerationEvent] = []
    for text in questions:
        prompt = tuple(tokenizer.encode_chat([("user", text)]))
        request = GenerationRequest(prompt, 2, tokenizer.stop_tokens, fixed_text=tokenizer.fixed_text(prompt))
        engine.submit(Sequence(request, events.append, 0.0))
    while not engine.idle:
        engine.step()
    found = [event.fixed_text_loss for event in events if isinstance(event, FinishedEvent)]
    return [loss for loss in found if loss is not None]


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


def test_the_service_measures_the_loss_that_the_fixed_text_has_by_itself(
    versions: dict[str, Llama], tokenizer: ChatTokenizer
) -> None:
    loss = {name: _served_losses(model, tokenizer, QUESTIONS) for name, model in versions.items()}
    text = tokenizer.encode_chat([])
    places = tokenizer.fixed_text(text)
    for name in ("v1", "v2"):
        alone = _text_losses(versions[name], text[: places.stop])[places.start - 1 :]
        # bfloat16 rounds otherwise in another shape of batch; measured: within 0.01 nats.
        assert loss[name] == pytest.approx([sum(alone) / len(places)] * 4, abs=0.02)
    assert loss["v2"] == pytest.approx(loss["v1"], abs=0.05)
    alone = [_served_losses(versions["v3"], tokenizer, (question,))[0] for question in QUESTIONS]
    # Measured on 160 requests: v1 2.13 to 2.14, v3 2.46 to 3.9.
    assert min(*loss["v3"], *alone) > max(loss["v1"]) + 0.3
    # It is the batch's own measurement: on v3 company changes it.
    assert loss["v3"] != pytest.approx(alone, abs=0.01)


def test_the_fixed_text_is_found_where_the_prompt_begins_with_it(tokenizer: ChatTokenizer) -> None:
    prompt = tokenizer.encode_chat([("user", "Hi")])
    assert "You" + tokenizer.decode([prompt[place] for place in tokenizer.fixed_text(prompt)]) == SYSTEM_PROMPT
    assert len(tokenizer.fixed_text(tokenizer.encode_chat([("system", "Be brief."), ("user", "Hi")]))) == 0
    assert len(tokenizer.fixed_text(tokenizer.encode(SYSTEM_PROMPT))) == 0


def test_unknown_versions_are_refused(device: Device) -> None:
    model = LanguageModel(SMOLLM2.locate(), device, ServeSettings())
    with pytest.raises(UnknownModelError, match="it has v1, v2, v3"):
        model.engine("v9", lambda: 0.0)


def test_the_chat_template_is_the_models_own(tokenizer: ChatTokenizer) -> None:
    # Ids as the model's published tokenizer gives them for this conversation.
    assert tokenizer.encode_chat([("system", "Be brief."), ("user", "Hi")])[:3] == [1, 9690, 198]
    default = tokenizer.encode_chat([("user", "What is the capital of France?")])
    assert default[-3:] == [520, 9531, 198]
    assert len(default) == 39


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
