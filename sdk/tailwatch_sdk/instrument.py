"""The two ways to measure inference: `inference_span` around a block and `@inference` on a function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar, cast

from tailwatch_sdk import fields, semantics, streams, values
from tailwatch_sdk.call import InferenceCall

P = ParamSpec("P")
R = TypeVar("R")

_NAMED: Final = (
    semantics.OPERATION,
    semantics.REQUEST_MODEL,
    semantics.PROVIDER,
    semantics.MODEL_VERSION,
    semantics.TENANT,
    semantics.INPUT_TYPE,
)


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
    return _new_call(user, session, attributes, (operation, model, provider, model_version, tenant, input_type))


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
    named = (operation, model, provider, model_version, tenant, input_type)
    new_call = functools.partial(_new_call, user, session, attributes, named)

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


def _new_call(
    user: str | None,
    session: str | None,
    attributes: Mapping[str, object] | None,
    named: tuple[object, ...],
) -> InferenceCall:
    try:
        name, described = _describe(*named)
    except TypeError:  # not hashable, so not text either: described without the cache, which reports it
        name, described = _describe.__wrapped__(*named)
    if user is not None or session is not None or attributes is not None:
        described = dict(described)
        fields.put(described, semantics.USER, user, values.text)
        fields.put(described, semantics.SESSION, session, values.text)
        if attributes is not None:
            fields.put_all(described, "", attributes)
    return InferenceCall(name, described)


# The same few descriptions come again and again; cleaning them anew was a tenth of a call's cost.
@functools.lru_cache(maxsize=1024, typed=True)
def _describe(*named: object) -> tuple[str, dict[str, Any]]:
    """The span's name, `{operation} {model}` as the GenAI conventions have it, and its first attributes.

    The dictionary is shared by all calls of this description: nobody may change it.
    """
    described: dict[str, Any] = {}
    for attribute, value in zip(_NAMED, named, strict=True):
        fields.put(described, attribute, value, values.text)
    operation = described.get(semantics.OPERATION, "inference")
    model = described.get(semantics.REQUEST_MODEL)
    return (operation if model is None else f"{operation} {model}"), described
