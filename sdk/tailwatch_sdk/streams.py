"""Keeps a call open while a generator streams: first item to last, close, abort, or garbage collection.

The span is the current one only while the generator itself runs, never while its consumer does: it is attached before
each resumption and detached after it, so contexts cannot leak from one into the other. `send`, `throw`, `close` and
return values pass through (PEP 380).
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from opentelemetry import context as otel_context

from tailwatch_sdk.call import InferenceCall


def stream(
    function: Callable[..., Generator[Any, Any, Any]], new_call: Callable[[], InferenceCall]
) -> Callable[..., Any]:
    """A generator function that measures each run of `function` with a call from `new_call`."""

    @functools.wraps(function)
    def measured(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        source = function(*args, **kwargs)
        call = _open(new_call)
        context = call.context or otel_context.get_current()
        resume: Callable[[], Any] = functools.partial(next, source)
        try:
            while True:
                token = otel_context.attach(context)
                try:
                    item = resume()
                except StopIteration as stop:
                    return stop.value
                finally:
                    context = otel_context.get_current()
                    otel_context.detach(token)
                call.first_token()
                try:
                    sent = yield item
                except GeneratorExit:
                    _close_in(context, source)
                    raise
                except BaseException as thrown:  # noqa: BLE001  # it belongs to the source, which decides
                    resume = functools.partial(source.throw, thrown)
                else:
                    resume = functools.partial(source.send, sent)
        except GeneratorExit:
            call.abandon()
            raise
        except BaseException as error:
            call.end(error)
            raise
        finally:
            call.end()

    return measured


def stream_async(
    function: Callable[..., AsyncGenerator[Any, Any]], new_call: Callable[[], InferenceCall]
) -> Callable[..., Any]:
    """An async generator function that measures each run of `function` with a call from `new_call`."""

    @functools.wraps(function)
    async def measured(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        source = function(*args, **kwargs)
        call = _open(new_call)
        context = call.context or otel_context.get_current()
        resume: Callable[[], Awaitable[Any]] = source.__anext__
        try:
            while True:
                token = otel_context.attach(context)
                try:
                    item = await resume()
                except StopAsyncIteration:
                    return
                finally:
                    context = otel_context.get_current()
                    otel_context.detach(token)
                call.first_token()
                try:
                    sent = yield item
                except GeneratorExit:
                    await _aclose_in(context, source)
                    raise
                except BaseException as thrown:  # noqa: BLE001  # it belongs to the source, which decides
                    resume = functools.partial(source.athrow, thrown)
                else:
                    resume = functools.partial(source.asend, sent)
        except GeneratorExit:
            call.abandon()
            raise
        except BaseException as error:
            call.end(error)
            raise
        finally:
            call.end()

    return measured


def adopt(result: Any, call: InferenceCall) -> Any:
    """What a measured function shall return: its result, or a stream that keeps the open call open until it ends."""
    if isinstance(result, GeneratorType):
        adopted = stream(lambda: result, lambda: call)()
    elif isinstance(result, AsyncGeneratorType):
        adopted = stream_async(lambda: result, lambda: call)()
    else:
        return result
    call.hand_over()
    # A generator that nobody ever starts runs none of its code when it is collected.
    weakref.finalize(adopted, call.abandon)
    return adopted


def _open(new_call: Callable[[], InferenceCall]) -> InferenceCall:
    call = new_call()
    if not call.started:
        call.start()
    call.stream = True
    return call


def _close_in(context: otel_context.Context, source: Generator[Any, Any, Any]) -> None:
    token = otel_context.attach(context)
    try:
        source.close()
    finally:
        otel_context.detach(token)


async def _aclose_in(context: otel_context.Context, source: AsyncGenerator[Any, Any]) -> None:
    token = otel_context.attach(context)
    try:
        await source.aclose()
    finally:
        otel_context.detach(token)
