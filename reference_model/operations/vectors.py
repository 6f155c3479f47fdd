"""Topic classification and embeddings: from a text to a vector and topic probabilities, under one span a request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from reference_model.caller import Caller
from reference_model.encoder import Encoded, EncoderItem
from reference_model.engine.seams import Incoming
from reference_model.errors import ContextLengthError
from reference_model.instrumentation import record_batch, request_span, sampled_embedding, text_features
from reference_model.models.minilm import MAX_TOKENS
from reference_model.operations.preprocessing import preprocess
from reference_model.service import Service

_CACHE_NAME: Final = "classify"


@dataclass(frozen=True, slots=True)
class Classification:
    """A topic, the probability of each topic, and the ids by which feedback can name the answer later."""

    model: str
    version: str
    topic: str
    probabilities: dict[str, float]
    input_tokens: int
    trace_id: str
    span_id: str
    cache_hit: bool = False


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One unit vector for each text, in order."""

    model: str
    version: str
    vectors: list[list[float]]
    input_tokens: int


async def classify(
    service: Service, model: str, text: str, caller: Caller, shadow: str | None = None
) -> Classification:
    """The topic of ``text``; ``shadow`` is the version that answers a copy.

    Raises RequestError, RefusedError, PreprocessingError.
    """
    model, routed = service.router.choose(model)
    version = shadow or routed
    side = service.vector_side()
    copied = shadow is not None
    with request_span("classify", model, version, text, caller, shadow=copied) as call, service.gate.enter():
        tokens = await _tokenise(service, Incoming("classify", model, caller.tenant, caller.input_type, text))
        call.input_tokens = len(tokens)
        key = (_CACHE_NAME, model, version, tuple(tokens))
        encoded: Encoded | None = None if caller.fresh else service.cache.get(key)
        call.cache_hit = cache_hit = encoded is not None
        if encoded is None:
            batched = await side.batcher.submit(EncoderItem(version, tokens), caller.tenant)
            record_batch(call, batched, service.device.name == "cuda")
            encoded = batched.value
            if not caller.fresh:
                service.cache.put(key, encoded)
        probabilities = dict(zip(side.encoder.topics, encoded.probabilities, strict=True))
        topic = max(probabilities, key=probabilities.__getitem__)
        call.log(
            features=text_features(text, len(tokens)),
            prediction=topic,
            confidence=probabilities[topic],
            embedding=sampled_embedding(call, encoded.vector),
        )
        return Classification(model, version, topic, probabilities, len(tokens), call.trace_id, call.span_id, cache_hit)


async def embed(service: Service, model: str, texts: Sequence[str], caller: Caller) -> Embeddings:
    """Vectors of ``texts``; they are batched one by one with everybody else's. Raises as ``classify``."""
    model, version = service.router.choose(model)
    side = service.vector_side()
    joined = "\n".join(texts)
    with request_span("embeddings", model, version, joined, caller) as call, service.gate.enter():
        incoming = Incoming("embeddings", model, caller.tenant, caller.input_type, joined)
        token_lists = [await _tokenise(service, replace(incoming, text=text)) for text in texts]
        call.input_tokens = total = sum(map(len, token_lists))
        items = [EncoderItem(version, tokens) for tokens in token_lists]
        batches = await asyncio.gather(*(side.batcher.submit(item, caller.tenant) for item in items))
        record_batch(call, max(batches, key=lambda batched: batched.queue_s), service.device.name == "cuda")
        return Embeddings(model, version, [batched.value.vector for batched in batches], total)


async def _tokenise(service: Service, incoming: Incoming) -> list[int]:
    tokenizer = service.vector_side().encoder.tokenizer
    tokens = await preprocess(service.seams, incoming, lambda: tokenizer.encode(incoming.text))
    if len(tokens) > MAX_TOKENS:
        raise ContextLengthError(f"The text has {len(tokens)} tokens; the model reads at most {MAX_TOKENS}.", "input")
    return tokens
