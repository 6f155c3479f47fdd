"""Chat and text completion: from messages to a stream of text pieces, under one span. It knows no JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from tailwatch_sdk.call import InferenceCall

from reference_model.caller import Caller
from reference_model.engine.sampling import Sampling
from reference_model.engine.seams import Incoming
from reference_model.engine.sequence import FinishedEvent, GenerationRequest, TokenEvent
from reference_model.errors import ContextLengthError
from reference_model.instrumentation import record_generation, request_span, text_features
from reference_model.models.tokenizers import ChatTokenizer, TextStream
from reference_model.operations.preprocessing import preprocess
from reference_model.service import Service

Operation = Literal["chat", "text_completion"]
_CACHE_NAME: Final = "text"


@dataclass(frozen=True, slots=True)
class TextRequest:
    """``turns`` are (role, content); a plain completion has one, whose role is empty."""

    operation: Operation
    model: str
    turns: tuple[tuple[str, str], ...]
    max_tokens: int
    sampling: Sampling
    stop: tuple[str, ...]
    stream: bool

    @property
    def text(self) -> str:
        """All that the caller wrote."""
        return "\n".join(content for _, content in self.turns)


@dataclass(frozen=True, slots=True)
class Started:
    """First of a request's events: who answers, and the ids by which feedback can name the answer later."""

    model: str
    version: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Last of a request's events: the whole text with its accounting.

    ``confidence``: mean token log-probability. ``fixed_text_loss``: nats a token on the system prompt, see
    ``engine/fixed_text.py``; None without one, and for an answer from the cache, which no model computed.
    """

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    confidence: float
    fixed_text_loss: float | None = None
    cache_hit: bool = False


TextEvent = Started | str | Answer


async def answer_text(
    service: Service, request: TextRequest, caller: Caller, shadow: str | None = None
) -> AsyncGenerator[TextEvent, None]:
    """Started, then text pieces, then the Answer. ``shadow`` is the version that answers a copy.

    Raises RequestError, RefusedError and PreprocessingError before the first piece.
    """
    side = service.text_side()
    model, routed = service.router.choose(request.model)
    version = shadow or routed
    copied = shadow is not None
    with (
        request_span(request.operation, model, version, request.text, caller, shadow=copied) as call,
        service.gate.enter(),
    ):
        call.stream = request.stream
        incoming = Incoming(request.operation, model, caller.tenant, caller.input_type, request.text)
        tokenizer = side.model.tokenizer
        prompt = await preprocess(service.seams, incoming, lambda: _encode(tokenizer, request))
        call.input_tokens = len(prompt)
        _check_context(len(prompt), request.max_tokens, service.settings.context)
        yield Started(model, version, call.trace_id, call.span_id)
        key = (_CACHE_NAME, model, version, tuple(prompt), request.max_tokens, request.stop)
        cacheable = request.sampling.temperature <= 0 and not caller.fresh
        answer: Answer | None = service.cache.get(key) if cacheable else None
        if answer is not None:
            call.first_token()
            yield answer.text
            answer = replace(answer, fixed_text_loss=None, cache_hit=True)
        else:
            if version not in side.generator.loaded:
                call.warmup = True
            writer = _Writer(tokenizer, request.stop)
            events = side.generator.generate(version, _generation(tokenizer, request, prompt), caller.tenant)
            async for piece in _write(events, writer, call, service.device.name == "cuda"):
                yield piece
            answer = writer.answer(len(prompt))
            if cacheable:
                service.cache.put(key, answer)
        _record(call, answer, request)
        yield answer


async def _write(
    events: AsyncIterator[TokenEvent | FinishedEvent], writer: _Writer, call: InferenceCall, on_gpu: bool
) -> AsyncIterator[str]:
    async for event in events:
        if isinstance(event, FinishedEvent):
            writer.finish(event)
            record_generation(call, event.timings, on_gpu)
            if tail := writer.take():
                yield tail
            return
        call.first_token()
        if writer.finish_reason is None:
            writer.push(event)
            if piece := writer.take():
                yield piece


class _Writer:
    """Collects tokens into text, watches for stop strings, and accounts for what was said."""

    def __init__(self, tokenizer: ChatTokenizer, stop: Sequence[str]) -> None:
        self._stream = TextStream(tokenizer)
        self._stop_tokens = tokenizer.stop_tokens
        self._stop = stop
        self._held = max((len(text) for text in stop), default=1) - 1
        self._text = ""
        self._given = 0
        self._tokens = 0
        self._log_probability = 0.0
        self._fixed_text_loss: float | None = None
        self.finish_reason: str | None = None

    def push(self, event: TokenEvent) -> None:
        self._tokens += 1
        self._log_probability += event.log_probability
        if event.token not in self._stop_tokens:
            self._text += self._stream.push(event.token)
        found = [at for at in (self._text.find(text) for text in self._stop) if at >= 0]
        if found:
            self._text = self._text[: min(found)]
            self.finish_reason = "stop"

    def finish(self, event: FinishedEvent) -> None:
        self._fixed_text_loss = event.fixed_text_loss
        if self.finish_reason is None:
            self._text += self._stream.finish()
            self.finish_reason = event.reason

    def take(self) -> str:
        """Text not given yet; what might be the beginning of a stop string is held back until it is known."""
        end = len(self._text) if self.finish_reason else max(self._given, len(self._text) - self._held)
        piece, self._given = self._text[self._given : end], end
        return piece

    def answer(self, input_tokens: int) -> Answer:
        confidence = self._log_probability / max(self._tokens, 1)
        reason = self.finish_reason or "length"
        return Answer(self._text, reason, input_tokens, self._tokens, confidence, self._fixed_text_loss)


def _encode(tokenizer: ChatTokenizer, request: TextRequest) -> list[int]:
    if request.operation == "chat":
        return tokenizer.encode_chat(request.turns)
    return tokenizer.encode(request.text)


def _check_context(prompt: int, max_tokens: int, context: int) -> None:
    # One position stays free: padding of a shorter row may be written to the last one.
    if prompt + max_tokens >= context:
        raise ContextLengthError(
            f"The prompt has {prompt} tokens and max_tokens is {max_tokens}; together they must be below {context}.",
            "max_tokens",
        )
    if not prompt:
        raise ContextLengthError("The prompt is empty.", "prompt")


def _generation(tokenizer: ChatTokenizer, request: TextRequest, prompt: list[int]) -> GenerationRequest:
    return GenerationRequest(
        tuple(prompt),
        request.max_tokens,
        tokenizer.stop_tokens,
        request.sampling,
        fixed_text=tokenizer.fixed_text(prompt),
    )


def _record(call: InferenceCall, answer: Answer, request: TextRequest) -> None:
    call.output_tokens = answer.output_tokens
    call.finish_reason = answer.finish_reason
    call.cache_hit = answer.cache_hit
    features: dict[str, float] = {**text_features(request.text, answer.input_tokens), "turns": len(request.turns)}
    if answer.fixed_text_loss is not None:
        features["fixed_text_loss"] = answer.fixed_text_loss
    call.log(
        features=features,
        prediction=answer.finish_reason,
        confidence=answer.confidence,
    )
