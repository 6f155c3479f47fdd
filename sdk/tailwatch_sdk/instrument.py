"""The two ways to measure inference: `inference_span` around a block and `@inference` on a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from tailwatch_sdk import fields, semantics, streams, values
from tailwatch_sdk.call import InferenceCall

P = ParamSpec("P")
R = TypeVar("R")


def inference_span(
    operation: str,
    *,
    model: str | None = None,
    provider: str | None = None,
    model_version: str | None = None,
    tenant: str | None = None,
    input_type: str | None = None,
    user: str | None = None,
    session: str | None = None,
    attributes: Mapping[str, object] | None = None,
) -> InferenceCall:
    """Measure a block: `with` or `async with` over what this returns.

    The span starts when the block is entered, below the span that is current there, and ends with the block. An
    exception that leaves the block sets `error.type` and passes on unchanged.

    Args:
        operation: `chat`, `text_completion`, `embeddings`, `classify`, ... (`gen_ai.operation.name`).
        model: The model that is asked for.
        provider: `openai`, `anthropic`, `aws.bedrock`, your own service's name, ...
        model_version: The deployed version; canaries are told apart by it.
        tenant: On whose behalf.
        input_type: A kind of input that should be watched apart (`code`, `long`, ...).
        user: A pseudonymous user id.
        session: The conversation.
        attributes: Any further attributes.
    """
    return InferenceCall(
        *_describe(operation, model, provider, model_version, tenant, input_type, user, session, attributes)
    )


def inference(
    operation: str,
    *,
    model: str | None = None,
    provider: str | None = None,
    model_version: str | None = None,
    tenant: str | None = None,
    input_type: str | None = None,
    user: str | None = None,
    session: str | None = None,
    attributes: Mapping[str, object] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Measure every call of a function; the arguments are those of `inference_span`.

    Functions, coroutine functions, generators and async generators stay what they are. For a stream, also one that a
    plain function or a coroutine returns, the first item marks the first token, and the span stays open until the
    stream ends, fails, is closed or is garbage collected. Inside the function, `current_call()` is the call.
    """
    description = _describe(operation, model, provider, model_version, tenant, input_type, user, session, attributes)
    new_call = functools.partial(InferenceCall, *description)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isasyncgenfunction(function):
            return cast("Callable[P, R]", streams.stream_async(function, new_call))
        if inspect.isgeneratorfunction(function):
            return cast("Callable[P, R]", streams.stream(function, new_call))
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", _coroutine(function, new_call))
        return _plain(function, new_call)

    return decorate


def _plain(function: Callable[P, R], new_call: Callable[[], InferenceCall]) -> Callable[P, R]:
    @functools.wraps(function)
    def measured(*args: P.args, **kwargs: P.kwargs) -> R:
        with new_call() as call:
            return cast("R", streams.adopt(function(*args, **kwargs), call))

    return measured


def _coroutine(function: Callable[..., Any], new_call: Callable[[], InferenceCall]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def measured(*args: Any, **kwargs: Any) -> Any:
        with new_call() as call:
            return streams.adopt(await function(*args, **kwargs), call)

    return measured


def _describe(  # noqa: PLR0917  # mirrors the two public signatures above, where all are keywords
    operation: str,
    model: str | None,
    provider: str | None,
    model_version: str | None,
    tenant: str | None,
    input_type: str | None,
    user: str | None,
    session: str | None,
    attributes: Mapping[str, object] | None,
) -> tuple[str, dict[str, Any]]:
    """The span's name, `{operation} {model}` as the GenAI conventions have it, and its first attributes."""
    described: dict[str, Any] = {}
    if attributes is not None:
        fields.put_all(described, "", attributes)
    fields.put(described, semantics.OPERATION, operation, values.text)
    fields.put(described, semantics.REQUEST_MODEL, model, values.text)
    fields.put(described, semantics.PROVIDER, provider, values.text)
    fields.put(described, semantics.MODEL_VERSION, model_version, values.text)
    fields.put(described, semantics.TENANT, tenant, values.text)
    fields.put(described, semantics.INPUT_TYPE, input_type, values.text)
    fields.put(described, semantics.USER, user, values.text)
    fields.put(described, semantics.SESSION, session, values.text)
    name = described.get(semantics.OPERATION, "inference")
    named = described.get(semantics.REQUEST_MODEL)
    return (name if named is None else f"{name} {named}"), described
