"""What the service tells Tailwatch about a request, through the SDK alone; it never invents telemetry.

One span a request, and one inference log with features of the input. Texts never leave the process, only their
lengths, shares of character classes, and a digest that tells repeated prompts. Embeddings go with one classification
in ten: a vector of 384 numbers is 4 kB and some 1.5 ms to write, and drift of embeddings is judged on a sample of a few
hundred anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
import string
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import tailwatch_sdk as tailwatch
from tailwatch_sdk.call import InferenceCall

from reference_model.caller import Caller
from reference_model.engine.batcher import Batched
from reference_model.engine.sequence import Timings
from reference_model.errors import ReferenceModelError, RefusedError

SERVICE_NAME: Final = "reference-inference"
PROVIDER: Final = "reference"
EMBEDDINGS_ONE_IN: Final = 10
_PUNCTUATION = frozenset(string.punctuation)


@contextmanager
def request_span(
    operation: str, model: str, version: str, text: str, caller: Caller, *, shadow: bool = False
) -> Iterator[InferenceCall]:
    """The span of one request, with an ``error.type`` that says what kind of failure left the block.

    Refusals are ``429`` and ``503``, as over HTTP, so that they are told apart from failures.
    """
    with tailwatch.inference_span(
        operation,
        model=model,
        provider=PROVIDER,
        model_version=version,
        tenant=caller.tenant,
        input_type=caller.input_type,
        user=caller.user,
        session=caller.session,
    ) as call:
        if shadow:
            call.set("tailwatch.shadow", True)  # noqa: FBT003 - an attribute's value
        call.prompt_hash = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        try:
            yield call
        except RefusedError as error:
            call.fail(str(error.status))
            raise
        except ReferenceModelError as error:
            call.fail(error.code)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            call.abandon()
            raise


def record_generation(call: InferenceCall, timings: Timings, on_gpu: bool) -> None:
    """Where a generation's time went."""
    call.queue_duration = timings.queue_s
    call.prefill_duration = timings.prefill_s
    call.decode_duration = timings.decode_s
    call.batch_size = timings.batch_size
    if on_gpu:
        call.gpu_duration = timings.prefill_s + timings.decode_s / timings.batch_size


def record_batch(call: InferenceCall, batched: Batched[Any], on_gpu: bool) -> None:
    """Where an encoder request's time went; its whole computation counts as prefill."""
    call.queue_duration = batched.queue_s
    call.prefill_duration = batched.compute_s
    call.batch_size = batched.batch_size
    call.cache_hit = False
    if on_gpu:
        call.gpu_duration = batched.compute_s / batched.batch_size


def sampled_embedding(call: InferenceCall, vector: list[float]) -> list[float] | None:
    """``vector`` for one trace in ten, chosen by its random id, else None."""
    return vector if int(call.trace_id, 16) % EMBEDDINGS_ONE_IN == 0 else None


def text_features(text: str, tokens: int) -> dict[str, float]:
    """Numbers whose distribution shows what kind of text comes in."""
    length = max(len(text), 1)
    words = text.split()
    return {
        "prompt_length": len(text),
        "prompt_tokens": tokens,
        "words": len(words),
        "word_length": sum(map(len, words)) / max(len(words), 1),
        "punctuation_share": sum(character in _PUNCTUATION for character in text) / length,
        "digit_share": sum(character.isdigit() for character in text) / length,
        "uppercase_share": sum(character.isupper() for character in text) / length,
    }
