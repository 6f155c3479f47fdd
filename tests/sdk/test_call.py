"""What a measured block sends."""

import asyncio
import concurrent.futures
import re

import numpy as np
import pytest
import tailwatch_sdk as tailwatch
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from telemetry import schema
from tests.sdk.receiver import Receiver


def test_a_block_becomes_a_span_with_every_field_under_its_conventional_name(sdk: Receiver) -> None:
    with tailwatch.inference_span(
        "chat",
        model="m",
        provider="p",
        model_version="v2",
        tenant="acme",
        input_type="code",
        user="u",
        session="s",
        attributes={"cloud.region": "eu"},
    ) as call:
        call.first_token()
        call.response_model = "m-2"
        call.input_tokens = 12
        call.output_tokens = 3
        call.cached_tokens = 4
        call.cache_write_tokens = 5
        call.reasoning_tokens = 1
        call.queue_duration = 0.1
        call.prefill_duration = 0.2
        call.decode_duration = 1
        call.gpu_duration = 0.05
        call.batch_size = 8
        call.cache_hit = False
        call.cost_usd = 0.002
        call.finish_reason = "stop"
        call.stream = True
        call.warmup = True
        call.prompt_hash = "abc"
        call.set("app.route", "/chat")
    assert tailwatch.flush()

    span = sdk.span()
    ttft = span.attributes.pop("gen_ai.response.time_to_first_chunk")
    assert 0 <= ttft <= (span.raw.end_time_unix_nano - span.raw.start_time_unix_nano) / 1e9
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-2",
        "gen_ai.provider.name": "p",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "user.id": "u",
        "session.id": "s",
        "cloud.region": "eu",
        "app.route": "/chat",
        "tailwatch.model.version": "v2",
        "tailwatch.tenant": "acme",
        "tailwatch.input.type": "code",
        "tailwatch.queue.duration": 0.1,
        "tailwatch.prefill.duration": 0.2,
        "tailwatch.decode.duration": 1.0,
        "tailwatch.gpu.duration": 0.05,
        "tailwatch.batch.size": 8,
        "tailwatch.cache.hit": False,
        "tailwatch.cost.usd": 0.002,
        "tailwatch.warmup": True,
        "tailwatch.prompt.hash": "abc",
    }
    assert span.name == "chat m"
    assert span.raw.kind == Span.SPAN_KIND_CLIENT
    assert span.raw.status.code == Status.STATUS_CODE_UNSET
    assert span.resource["service.name"] == "chat"
    assert span.resource["telemetry.distro.name"] == "tailwatch-sdk"
    assert (call.trace_id, call.span_id) == (span.trace_id, span.span_id)


def test_every_attribute_that_a_call_sends_is_one_that_the_collector_reads() -> None:
    read = {source for canonical in schema.FIELDS for source in canonical.sources}
    sent = {
        declared.attribute
        for declared in vars(tailwatch.InferenceCall).values()
        if isinstance(declared, type(tailwatch.InferenceCall.tenant))
    }
    assert len(sent) > 15
    assert sent <= read


def test_fields_read_back_and_none_takes_a_value_back(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat", model="m") as call:
        call.input_tokens = 5
        assert (call.model, call.input_tokens, call.output_tokens, call.finish_reason) == ("m", 5, None, None)
        call.input_tokens = None
        call.finish_reason = "stop"
        assert call.finish_reason == "stop"
        call.finish_reason = None
    tailwatch.flush()
    assert sdk.span().attributes == {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def test_only_the_first_of_many_tokens_counts(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat") as call:
        call.first_token()
        first = call._recorded["gen_ai.response.time_to_first_chunk"]
        call.first_token()
    tailwatch.flush()
    assert sdk.span().attributes["gen_ai.response.time_to_first_chunk"] == first
    assert sdk.span().name == "chat"


def test_an_exception_sets_error_type_and_passes_on_unchanged(sdk: Receiver) -> None:
    error = KeyError("prompt")
    with pytest.raises(KeyError) as caught, tailwatch.inference_span("chat"):
        raise error
    assert caught.value is error
    tailwatch.flush()
    span = sdk.span()
    assert span.attributes["error.type"] == "KeyError"
    assert span.raw.status.code == Status.STATUS_CODE_ERROR
    assert [event.name for event in span.raw.events] == ["exception"]


class RateLimitedError(Exception):
    status_code = 429


class AnsweredError(Exception):
    def __init__(self) -> None:
        self.response = type("Response", (), {"status_code": 503})()


class APITimeoutError(Exception):
    pass


class RudeError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    @property
    def status_code(self) -> int:
        raise RuntimeError("no status")


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (TimeoutError(), "timeout"),
        (concurrent.futures.TimeoutError(), "timeout"),
        (APITimeoutError(), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
        (RateLimitedError(), "429"),
        (AnsweredError(), "503"),
        (ValueError("x"), "ValueError"),
        (RudeError(), "RudeError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_error_types_are_few_and_say_what_happened(sdk: Receiver, error: BaseException, named: str) -> None:
    with pytest.raises(type(error)), tailwatch.inference_span("chat"):
        raise error
    tailwatch.flush()
    assert sdk.span().attributes["error.type"] == named
    assert sdk.span().raw.status.code == Status.STATUS_CODE_ERROR


def test_a_call_can_fail_without_an_exception_and_keeps_the_name_it_was_given(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat") as call:
        call.fail("content_filter")
    with tailwatch.inference_span("chat") as call:
        call.fail(TimeoutError("handled"))

    def refuse() -> None:
        with tailwatch.inference_span("chat") as call:
            call.fail("bad_prompt")
            raise ValueError

    with pytest.raises(ValueError):
        refuse()
    tailwatch.flush()
    assert [span.attributes["error.type"] for span in sdk.spans] == ["content_filter", "timeout", "bad_prompt"]
    assert {span.raw.status.code for span in sdk.spans} == {Status.STATUS_CODE_ERROR}


async def test_async_blocks_nest_each_in_its_own_task(sdk: Receiver) -> None:
    async def inner(number: int) -> None:
        async with tailwatch.inference_span("embeddings") as call:
            await asyncio.sleep(0)
            call.input_tokens = number

    async with tailwatch.inference_span("chat") as outer:
        await asyncio.gather(inner(1), inner(2))
    tailwatch.flush()
    children = [span for span in sdk.spans if span.name == "embeddings"]
    assert sorted(span.attributes["gen_ai.usage.input_tokens"] for span in children) == [1, 2]
    assert {span.raw.parent_span_id.hex() for span in children} == {outer.span_id}


def test_fields_may_be_set_from_other_threads(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat") as call, concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: call.set(f"part.{number}", number), range(32)))
    tailwatch.flush()
    assert {key for key in sdk.span().attributes if key.startswith("part.")} == {f"part.{n}" for n in range(32)}


def test_stages_are_child_spans_at_their_place_in_time(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat") as call:
        call.stage("queue", offset_s=0, duration_s=0.25)
        call.stage("prefill", offset_s=0.25, duration_s=0.5)
        call.stage("decode", offset_s=-1, duration_s=0.5)
    tailwatch.flush()
    queue, prefill, parent = sdk.spans
    assert (queue.name, prefill.name, parent.name) == ("queue", "prefill", "chat")
    assert queue.raw.parent_span_id.hex() == parent.span_id
    assert prefill.raw.start_time_unix_nano - parent.raw.start_time_unix_nano == 250_000_000
    assert prefill.raw.end_time_unix_nano - prefill.raw.start_time_unix_nano == 500_000_000
    assert "gen_ai.operation.name" not in queue.attributes


def test_what_is_malformed_is_dropped_with_one_notice_and_the_rest_is_sent(sdk: Receiver, notes) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("secret prompt")

        tolist = __float__ = __index__ = __str__

    for _ in range(3):
        with tailwatch.inference_span(
            "chat", tenant=Hostile(), attributes={"fine": 1, 2: "x", "bad": Hostile()}
        ) as call:
            call.input_tokens = "many"
            call.output_tokens = -1
            call.cached_tokens = 2**70
            call.queue_duration = float("nan")
            call.cost_usd = Hostile()
            call.cache_hit = "yes"
            call.finish_reason = b"stop"
            call.model_version = ["v1"]
            call.set("", 1)
            call.set(None, 1)
            call.set("nested", [[1]])
            call.set("big", 2**64)
            call.set("mapping", {"a": 1})
            call.set("surrogate", "a\ud800b")
            call.fail(None)
            call.stage("queue", offset_s=None, duration_s="x")
            call.log(features=["not", "a", "mapping"])
    tailwatch.flush()
    assert len(sdk.spans) == 3
    assert sdk.spans[0].attributes == {"gen_ai.operation.name": "chat", "fine": 1, "surrogate": "a?b"}
    said = notes()
    assert len(said) == len(set(said))
    assert any("gen_ai.usage.input_tokens must be a whole number, got 'many'" in line for line in said)
    assert any("tailwatch.cost.usd raised RuntimeError when read" in line for line in said)
    assert not any("secret" in line for line in said)


def test_an_endless_supply_of_bad_names_does_not_flood_the_log(sdk: Receiver, notes) -> None:
    for number in range(1000):
        with tailwatch.inference_span("chat") as call:
            call.set(f"bad.{number}", object())
    tailwatch.flush()
    assert len(sdk.spans) == 1000
    assert len(notes()) <= 256


def test_a_call_with_too_many_attributes_keeps_the_known_ones(sdk: Receiver, notes) -> None:
    for _ in range(2):
        with tailwatch.inference_span("chat", attributes={f"a.{number}": number for number in range(300)}) as call:
            for number in range(300):
                call.set(f"b.{number}", number)
            call.output_tokens = 3
    tailwatch.flush()
    for span in sdk.spans:
        assert span.attributes["gen_ai.operation.name"] == "chat"
        assert span.attributes["gen_ai.usage.output_tokens"] == 3
        assert sum(name.startswith("b.") for name in span.attributes) == 240
    assert len(notes()) == 1


def test_a_model_name_that_is_no_text_does_not_reach_the_cache_or_the_caller(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat", model=["unhashable"]):
        pass
    with tailwatch.inference_span("chat", model=7):
        pass
    with tailwatch.inference_span(None):
        pass
    tailwatch.flush()
    assert [span.name for span in sdk.spans] == ["chat", "chat 7", "inference"]


def test_numpy_values_arrive_as_numbers(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat") as call:
        call.input_tokens = np.int64(7)
        call.queue_duration = np.float32(0.5)
        call.cache_hit = np.array([True])[0]
        call.set("vector", np.arange(3))
        call.set("one", np.float64(1.5))
        call.set("whole", np.int32(4))
    tailwatch.flush()
    attributes = sdk.span().attributes
    assert attributes["gen_ai.usage.input_tokens"] == 7
    assert attributes["tailwatch.queue.duration"] == 0.5
    assert attributes["tailwatch.cache.hit"] is True
    assert (attributes["vector"], attributes["one"], attributes["whole"]) == ([0, 1, 2], 1.5, 4)


def test_values_set_after_the_end_are_refused_and_said(sdk: Receiver, notes) -> None:
    with tailwatch.inference_span("chat") as call:
        pass
    call.output_tokens = 3
    call.set("late", 1)
    call.end()
    call.first_token()
    tailwatch.flush()
    assert sdk.span().attributes == {"gen_ai.operation.name": "chat"}
    assert sum("after its call ended" in line for line in notes()) == 2


def test_a_call_used_twice_is_measured_once(sdk: Receiver, notes) -> None:
    call = tailwatch.inference_span("chat")
    for _ in range(2):
        with call:
            pass
    tailwatch.flush()
    assert len(sdk.spans) == 1
    assert any("measured once" in line for line in notes())


def test_ids_before_the_start_and_without_telemetry_are_zero() -> None:
    call = tailwatch.inference_span("chat")
    assert (call.trace_id, call.span_id) == ("0" * 32, "0" * 16)
    with call:
        call.output_tokens = 1
        call.log(prediction="a")
        assert re.fullmatch("0{32}", call.trace_id)


def test_current_call_is_the_innermost_and_harmless_outside(sdk: Receiver) -> None:
    tailwatch.current_call().output_tokens = 3
    with tailwatch.inference_span("chat") as outer:
        with tailwatch.inference_span("embeddings") as inner:
            assert tailwatch.current_call() is inner
        assert tailwatch.current_call() is outer
    tailwatch.flush()
    assert len(sdk.spans) == 2
