"""POST /v1/chat/completions and /v1/completions, whole or streamed as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from reference_model.api.failures import error_body
from reference_model.api.schemas import ChatBody, CompletionBody
from reference_model.caller import Caller, read_caller
from reference_model.engine.sampling import Sampling
from reference_model.operations.own_task import in_own_task
from reference_model.operations.shadow import shadow_text
from reference_model.operations.text import Answer, Started, TextEvent, TextRequest, answer_text
from reference_model.service import Service

router = APIRouter()
_DONE: Final = "data: [DONE]\n\n"


@router.post("/v1/chat/completions")
async def chat(body: ChatBody, http: Request) -> Response:
    """OpenAI's chat completions."""
    turns = tuple((message.role, message.content) for message in body.messages)
    return await _answer(body, http, _request(body, "chat", turns))


@router.post("/v1/completions")
async def complete(body: CompletionBody, http: Request) -> Response:
    """OpenAI's (legacy) text completions, with one prompt."""
    return await _answer(body, http, _request(body, "text_completion", (("", body.prompt),)))


def _request(body: ChatBody | CompletionBody, operation: Any, turns: tuple[tuple[str, str], ...]) -> TextRequest:
    sampling = Sampling(body.temperature, body.top_p, body.seed)
    return TextRequest(operation, body.model, turns, body.max_tokens, sampling, tuple(body.stop), body.stream)


async def _answer(body: ChatBody | CompletionBody, http: Request, request: TextRequest) -> Response:
    service: Service = http.app.state.service
    caller: Caller = read_caller(http.headers, body.metadata, body.user)
    events = in_own_task(answer_text(service, request, caller))
    # What can be refused is refused before the first event, while the status line can still say so.
    started = await anext(events)
    if not isinstance(started, Started):
        raise TypeError("a generation begins with Started")
    shadow_text(service, request, caller)
    reply = _Reply(request, started, body.stream_options.include_usage)
    if body.stream:
        first = await anext(events)
        return StreamingResponse(reply.stream(first, events), media_type="text/event-stream", headers=reply.headers())
    async for event in events:
        if isinstance(event, Answer):
            return JSONResponse(reply.whole(event), headers=reply.headers(event))
    raise TypeError("a generation ends with an Answer")


class _Reply:
    """Words one answer as OpenAI does."""

    def __init__(self, request: TextRequest, started: Started, include_usage: bool) -> None:
        self._chat = request.operation == "chat"
        self._started = started
        self._include_usage = include_usage
        self._created = int(time.time())  # a label in the answer, nothing is decided by it

    def headers(self, answer: Answer | None = None) -> dict[str, str]:
        headers = {
            "x-model-version": self._started.version,
            "x-trace-id": self._started.trace_id,
            "x-span-id": self._started.span_id,
        }
        if answer is not None:
            headers["x-cache"] = "hit" if answer.cache_hit else "miss"
        return headers

    def whole(self, answer: Answer) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": answer.text}} if self._chat else {"text": answer.text}
        choice = {"index": 0, "finish_reason": answer.finish_reason, "logprobs": None, **said}
        kind = "chat.completion" if self._chat else "text_completion"
        return {**self._envelope(kind), "choices": [choice], "usage": _usage(answer)}

    async def stream(self, first: TextEvent, rest: AsyncIterator[TextEvent]) -> AsyncIterator[str]:
        if self._chat:
            yield self._chunk({"delta": {"role": "assistant", "content": ""}})
        try:
            async for event in _chain(first, rest):
                if isinstance(event, str):
                    yield self._chunk({"delta": {"content": event}} if self._chat else {"text": event})
                elif isinstance(event, Answer):
                    end: dict[str, Any] = {"delta": {}} if self._chat else {"text": ""}
                    yield self._chunk(end, event.finish_reason)
                    if self._include_usage:
                        yield _event({**self._envelope(self._kind), "choices": [], "usage": _usage(event)})
        except Exception as error:  # noqa: BLE001 - the status line is out; the stream itself must say it failed
            yield _event(error_body(error))
            return
        yield _DONE

    @property
    def _kind(self) -> str:
        return "chat.completion.chunk" if self._chat else "text_completion"

    def _chunk(self, said: dict[str, Any], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "finish_reason": finish_reason, "logprobs": None, **said}
        return _event({**self._envelope(self._kind), "choices": [choice]})

    def _envelope(self, kind: str) -> dict[str, Any]:
        prefix = "chatcmpl" if self._chat else "cmpl"
        return {
            "id": f"{prefix}-{self._started.span_id}",
            "object": kind,
            "created": self._created,
            "model": self._started.model,
            "system_fingerprint": self._started.version,
        }


async def _chain(first: TextEvent, rest: AsyncIterator[TextEvent]) -> AsyncIterator[TextEvent]:
    yield first
    async for event in rest:
        yield event


def _event(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document, separators=(',', ':'))}\n\n"


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
