"""Decorated functions and streams: kinds are kept, first items are first tokens, spans last as long as the stream."""

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import tailwatch_sdk as tailwatch
from opentelemetry import trace

from tests.sdk.receiver import Receiver

TTFT = "gen_ai.response.time_to_first_chunk"
FINISH = "gen_ai.response.finish_reasons"


@tailwatch.inference("chat", model="m")
def tokens(count: int, fail_at: int | None = None) -> Iterator[int]:
    """Count up."""
    for number in range(count):
        if number == fail_at:
            raise ConnectionError
        tailwatch.current_call().output_tokens = number + 1
        yield number


@tailwatch.inference("chat", model="m")
async def async_tokens(count: int, fail_at: int | None = None) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        if number == fail_at:
            raise ConnectionError
        tailwatch.current_call().output_tokens = number + 1
        yield number


def test_decorated_functions_stay_what_they_are() -> None:
    @tailwatch.inference("classify")
    def plain(x: int) -> int:
        return x

    @tailwatch.inference("classify")
    async def coroutine(x: int) -> int:
        return x

    assert inspect.isgeneratorfunction(tokens)
    assert inspect.isasyncgenfunction(async_tokens)
    assert inspect.iscoroutinefunction(coroutine)
    assert not inspect.iscoroutinefunction(plain)
    assert (tokens.__name__, tokens.__doc__) == ("tokens", "Count up.")
    assert str(inspect.signature(plain)) == "(x: int) -> int"


async def test_plain_functions_and_coroutines_are_measured_call_by_call(sdk: Receiver) -> None:
    @tailwatch.inference("classify", model="c", provider="p", tenant="acme")
    def plain(x: int) -> int:
        tailwatch.current_call().output_tokens = x
        return x

    @tailwatch.inference("embeddings")
    async def coroutine(x: int) -> int:
        await asyncio.sleep(0)
        tailwatch.current_call().input_tokens = x
        return x

    assert (plain(1), plain(2)) == (1, 2)
    assert await coroutine(3) == 3
    with pytest.raises(TypeError):
        plain()
    tailwatch.flush()
    assert [span.name for span in sdk.spans] == ["classify c", "classify c", "embeddings", "classify c"]
    assert [span.attributes.get("gen_ai.usage.output_tokens") for span in sdk.spans] == [1, 2, None, None]
    assert sdk.spans[2].attributes["gen_ai.usage.input_tokens"] == 3
    assert sdk.spans[3].attributes["error.type"] == "TypeError"
    assert TTFT not in sdk.spans[0].attributes


def test_a_generator_is_open_from_its_first_item_to_its_last(sdk: Receiver) -> None:
    stream = tokens(3)
    assert next(stream) == 0
    tailwatch.flush()
    assert sdk.spans == []
    assert list(stream) == [1, 2]
    tailwatch.flush()
    span = sdk.span()
    assert span.attributes["gen_ai.usage.output_tokens"] == 3
    assert span.attributes["gen_ai.request.stream"] is True
    assert span.attributes[TTFT] >= 0
    assert FINISH not in span.attributes
    assert "error.type" not in span.attributes


async def test_an_async_generator_likewise(sdk: Receiver) -> None:
    assert [number async for number in async_tokens(3)] == [0, 1, 2]
    tailwatch.flush()
    assert sdk.span().attributes["gen_ai.usage.output_tokens"] == 3
    assert TTFT in sdk.span().attributes


def test_a_stream_that_fails_keeps_its_first_token_and_its_error(sdk: Receiver) -> None:
    with pytest.raises(ConnectionError):
        list(tokens(3, fail_at=1))
    with pytest.raises(ConnectionError):
        list(tokens(3, fail_at=0))
    tailwatch.flush()
    assert [span.attributes["error.type"] for span in sdk.spans] == ["ConnectionError"] * 2
    assert [TTFT in span.attributes for span in sdk.spans] == [True, False]


async def test_an_async_stream_that_fails_likewise(sdk: Receiver) -> None:
    with pytest.raises(ConnectionError):
        [number async for number in async_tokens(3, fail_at=1)]
    tailwatch.flush()
    assert sdk.span().attributes["error.type"] == "ConnectionError"


def test_a_consumer_that_stops_reading_is_no_error(sdk: Receiver) -> None:
    closed, dropped = tokens(9), tokens(9)
    next(closed)
    closed.close()
    next(dropped)
    del dropped
    gc.collect()
    tailwatch.flush()
    assert [span.attributes[FINISH] for span in sdk.spans] == [["cancelled"], ["cancelled"]]
    assert not any("error.type" in span.attributes for span in sdk.spans)


async def test_an_async_consumer_that_stops_reading_is_no_error(sdk: Receiver) -> None:
    stream = async_tokens(9)
    async for _ in stream:
        break
    await stream.aclose()
    dropped = async_tokens(9)
    await anext(dropped)
    del dropped
    gc.collect()
    await asyncio.sleep(0.01)  # the loop closes a collected stream in a task of its own
    tailwatch.flush()
    assert [span.attributes[FINISH] for span in sdk.spans] == [["cancelled"], ["cancelled"]]


async def test_a_cancelled_task_ends_its_stream_as_cancelled(sdk: Receiver) -> None:
    reached = asyncio.Event()

    @tailwatch.inference("chat")
    async def slow() -> AsyncIterator[int]:
        yield 1
        reached.set()
        await asyncio.Event().wait()

    async def read() -> None:
        async for _ in slow():
            pass

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tailwatch.flush()
    assert sdk.span().attributes["error.type"] == "cancelled"


def test_send_throw_and_return_values_pass_through(sdk: Receiver) -> None:
    closed = []

    @tailwatch.inference("chat")
    def echo() -> Iterator[object]:
        got: object = None
        try:
            while got != "end":
                try:
                    got = yield got
                except LookupError:
                    got = "caught"
        finally:
            closed.append(tailwatch.current_call().span_id)
        return "result"

    def outer() -> Iterator[object]:
        return (yield from echo())

    stream = outer()
    assert next(stream) is None
    assert stream.send("hello") == "hello"
    assert stream.throw(LookupError()) == "caught"
    with pytest.raises(StopIteration) as stop:
        stream.send("end")
    assert stop.value.value == "result"
    tailwatch.flush()
    assert closed == [sdk.span().span_id]
    assert "error.type" not in sdk.span().attributes


async def test_asend_and_athrow_pass_through(sdk: Receiver) -> None:
    @tailwatch.inference("chat")
    async def echo() -> AsyncIterator[object]:
        got: object = None
        while got != "end":
            try:
                got = yield got
            except LookupError:
                got = "caught"

    stream = echo()
    assert await anext(stream) is None
    assert await stream.asend("hello") == "hello"
    assert await stream.athrow(LookupError()) == "caught"
    with pytest.raises(StopAsyncIteration):
        await stream.asend("end")
    with pytest.raises(LookupError):
        await echo().athrow(LookupError())
    tailwatch.flush()
    assert "error.type" not in sdk.span().attributes


def test_the_span_is_current_inside_the_generator_and_not_in_its_consumer(sdk: Receiver) -> None:
    inside = []

    @tailwatch.inference("chat")
    def generate() -> Iterator[int]:
        for number in range(3):
            inside.append(trace.get_current_span().get_span_context().span_id)
            with tailwatch.inference_span("embeddings"):
                yield number

    with tailwatch.inference_span("agent") as consumer:
        for _ in generate():
            assert format(trace.get_current_span().get_span_context().span_id, "016x") == consumer.span_id
    tailwatch.flush()
    stream = next(span for span in sdk.spans if span.name == "chat")
    assert {format(span_id, "016x") for span_id in inside} == {stream.span_id}
    children = [span for span in sdk.spans if span.name == "embeddings"]
    assert len(children) == 3
    assert {span.raw.parent_span_id.hex() for span in children} == {stream.span_id}
    assert stream.raw.parent_span_id.hex() == consumer.span_id


async def test_a_stream_that_a_function_returns_keeps_its_call_open(sdk: Receiver) -> None:
    @tailwatch.inference("chat", model="sync")
    def start() -> Iterator[int]:
        return (number for number in range(2))

    @tailwatch.inference("chat", model="async")
    async def start_async() -> AsyncIterator[int]:
        async def stream() -> AsyncIterator[int]:
            yield 1

        return stream()

    stream = start()
    tailwatch.flush()
    assert sdk.spans == []
    assert list(stream) == [0, 1]
    assert [number async for number in await start_async()] == [1]
    never_read = start()
    del never_read
    gc.collect()
    tailwatch.flush()
    assert [span.name for span in sdk.spans] == ["chat sync", "chat async", "chat sync"]
    assert [TTFT in span.attributes for span in sdk.spans] == [True, True, False]
    assert sdk.spans[2].attributes[FINISH] == ["cancelled"]


def test_streams_may_be_read_by_several_threads_in_turn(sdk: Receiver) -> None:
    stream = tokens(4)
    for expected in range(4):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(next, stream).result() == expected
    assert list(stream) == []
    tailwatch.flush()
    assert sdk.span().attributes["gen_ai.usage.output_tokens"] == 4
