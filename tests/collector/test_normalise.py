from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.pipeline import Pipeline
from collector.request import Prepared, Request
from telemetry.columns import Columns
from telemetry.matchers import parse_matchers
from telemetry.prices import Price, PriceTable
from telemetry.rules import SERIES_RULE, NoError, Present, RollupRule
from tests.collector.messages import NOW_NS, log, logs, span, traces


def prepare(pipeline: Pipeline, request: Request, now_ns: int = NOW_NS) -> Prepared:
    return pipeline.prepare(request.kind, [pipeline.unpack(request)], now_ns)


def columns_of_span(pipeline: Pipeline | None = None, **values: Any) -> Columns:
    return columns_of_request(traces([span(**values)]), pipeline)


def columns_of_request(message: Any, pipeline: Pipeline | None = None) -> Columns:
    signal = "span" if hasattr(message, "resource_spans") else "log"
    prepared = prepare(pipeline or Pipeline(), Request(signal, "protobuf", message.SerializeToString()))  # type: ignore[arg-type]
    assert prepared.payload is not None
    return prepared.payload.columns[0]


def text(columns: Columns, name: str) -> str:
    return columns.string(name).tolist()[0]


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ("operation", {"gen_ai.operation.name": "embeddings"}, "embeddings"),
        ("operation", {"gen_ai.operation.name": "", "openinference.span.kind": "LLM"}, "chat"),
        ("operation", {"gen_ai.operation.name": "", "openinference.span.kind": "embedding"}, "embeddings"),
        ("provider", {"gen_ai.system": "vertex_ai"}, "gcp.vertex_ai"),
        ("provider", {"gen_ai.system": "gemini"}, "gcp.gemini"),
        ("provider", {"gen_ai.system": "az.ai.inference"}, "azure.ai.inference"),
        ("provider", {"gen_ai.system": "az.ai.openai"}, "azure.ai.openai"),
        ("provider", {"gen_ai.system": "xai"}, "x_ai"),
        ("provider", {"gen_ai.system": "xai", "gen_ai.provider.name": "openai"}, "openai"),
        ("provider", {"llm.system": "openai"}, "openai"),
        ("model", {"gen_ai.request.model": "asked"}, "asked"),
        ("model", {"gen_ai.request.model": "asked", "gen_ai.response.model": "got"}, "got"),
        ("model", {"embedding.model_name": "e"}, "e"),
        ("model_version", {"tailwatch.model.version": "v2"}, "v2"),
        ("model_version", {}, "from-resource"),
        ("service", {}, "svc"),
        ("environment", {}, "prod"),
        ("tenant", {"tailwatch.tenant": 42}, "42"),
        ("tenant", {"tailwatch.tenant": 1.5}, "1.5"),
        ("user", {"enduser.id": "u"}, "u"),
        ("session", {"gen_ai.conversation.id": "s"}, "s"),
        ("finish_reason", {"gen_ai.response.finish_reasons": ["length", "stop"]}, "length"),
        ("finish_reason", {"gen_ai.response.finish_reasons": "stop"}, "stop"),
        ("streaming", {"gen_ai.request.stream": True}, "true"),
        ("cache_hit", {"tailwatch.cache.hit": "False"}, "false"),
        ("warmup", {"tailwatch.warmup": False}, "false"),
        ("error_type", {}, ""),
        ("error_type", {"error.type": "timeout"}, "timeout"),
        ("error_type", {"http.response.status_code": 500}, ""),
        ("error_type", {"http.response.status_code": 429, "error.type": "RateLimitError"}, "429"),
        ("error_type", {"http.status_code": "503"}, "503"),
        ("tenant", {"tailwatch.tenant": "a\0b"}, "ab"),
        ("tenant", {"tailwatch.tenant": "x" * 1000}, "x" * 512),
    ],
)
def test_a_text_field_is_read_from_the_first_source(field: str, values: dict[str, Any], expected: str) -> None:
    message = traces(
        [span(values=values)], service__version="from-resource", deployment__environment="old",
        deployment__environment__name="prod",
    )  # fmt: skip
    assert text(columns_of_request(message), field) == expected


def test_a_status_without_a_named_error_is_other() -> None:
    message = traces([span(1, error=True), span(2, error=True, error__type="timeout"), span(3)])
    assert columns_of_request(message).string("error_type").tolist() == ["_OTHER", "timeout", ""]


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ("tokens_in", {"gen_ai.usage.prompt_tokens": 7}, 7),
        ("tokens_in", {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.input_tokens": 9}, 9),
        ("tokens_in", {"gen_ai.usage.input_tokens": "12"}, 12),
        ("tokens_in", {"gen_ai.usage.input_tokens": "many"}, np.nan),
        ("tokens_in", {"gen_ai.usage.input_tokens": -4}, np.nan),
        ("tokens_out", {"llm.token_count.completion": 3}, 3),
        ("tokens_cached", {"llm.token_count.prompt_details.cache_read": 2}, 2),
        ("tokens_cache_write", {"gen_ai.usage.cache_creation.input_tokens": 2}, 2),
        ("ttft", {"gen_ai.latency.time_to_first_token": 0.2}, 0.2),
        ("queue", {"gen_ai.latency.time_in_queue": 0.3}, 0.3),
        ("queue", {"gen_ai.latency.time_in_queue": -0.3}, np.nan),
        ("confidence", {"tailwatch.confidence": -1.1}, -1.1),
        ("duration", {}, 1.0),
        ("tpot", {"gen_ai.response.time_to_first_chunk": 0.2, "gen_ai.usage.output_tokens": 5}, 0.2),
        ("tpot", {"gen_ai.response.time_to_first_chunk": 0.2, "gen_ai.usage.output_tokens": 1}, np.nan),
        ("tpot", {"gen_ai.response.time_to_first_chunk": 1.2, "gen_ai.usage.output_tokens": 5}, np.nan),
        ("tpot", {"gen_ai.usage.output_tokens": 5}, np.nan),
        ("tokens_total", {"gen_ai.usage.input_tokens": 5}, 5),
        ("tokens_total", {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 2}, 7),
        ("cost", {"llm.cost.total": 0.5}, 0.5),
        ("cost_per_1k_tokens", {"llm.cost.total": 0.5, "gen_ai.usage.input_tokens": 250}, 2.0),
    ],
)
def test_a_number_is_read_or_derived(field: str, values: dict[str, Any], expected: float) -> None:
    np.testing.assert_allclose(columns_of_span(values=values).number(field), [expected])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"gen_ai.operation.name": "", "gen_ai.request.model": "m"}, True),
        ({"gen_ai.operation.name": "classify"}, True),
        ({"gen_ai.operation.name": "execute_tool"}, False),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, False),
        ({"gen_ai.operation.name": "", "openinference.span.kind": "CHAIN"}, False),
        ({"gen_ai.operation.name": "", "openinference.span.kind": "UNKNOWN"}, False),
        ({"gen_ai.operation.name": "", "http.response.status_code": 429}, False),
    ],
)
def test_only_the_models_own_work_is_an_inference(values: dict[str, Any], expected: bool) -> None:
    assert columns_of_span(values=values).is_inference.tolist() == [expected]


def test_inference_logs_bring_features_prediction_and_embedding() -> None:
    message = logs([
        log(1, tailwatch__feature__topic="news", tailwatch__prediction="a", tailwatch__confidence=0.5),
        log(2, tailwatch__feature__topic=True, tailwatch__feature__length=9, tailwatch__embedding=[3.0, 4.0]),
        log(3, event="app.started"),
    ])  # fmt: skip
    columns = columns_of_request(message)
    assert len(columns) == 2
    assert columns.string("feature.topic").tolist() == ["news", "true"]
    np.testing.assert_array_equal(columns.number("feature.length"), [np.nan, 9])
    np.testing.assert_array_equal(columns.number("confidence"), [0.5, np.nan])
    np.testing.assert_array_equal(columns.number("embedding_norm"), [np.nan, 5])
    assert np.isnan(columns.number("duration")).all()


def test_logs_that_nobody_asked_for_are_counted_not_kept() -> None:
    message = logs(
        [log(1), log(2, event="app.started"), log(3, event="tailwatch.feedback", tailwatch__feedback__label="x")]
    )
    prepared = prepare(Pipeline(), Request("log", "protobuf", message.SerializeToString()))
    (tally,) = prepared.tallies
    assert (tally.records, tally.feedback, tally.passed_over) == (1, 1, 1)


@pytest.mark.parametrize(
    ("correct", "expected"), [(True, True), (False, False), (1, True), ("false", False), ("maybe", None), (None, None)]
)
def test_feedback_is_a_label_for_its_request(correct: object, expected: bool | None) -> None:
    values = {"tailwatch.feedback.label": "cat", "tailwatch.feedback.score": 0.5}
    if correct is not None:
        values["tailwatch.feedback.correct"] = correct  # type: ignore[assignment]
    nameless = log(2, event="tailwatch.feedback")
    nameless.span_id = b""
    message = logs([log(1, event="tailwatch.feedback", values=values), nameless])
    prepared = prepare(Pipeline(), Request("log", "protobuf", message.SerializeToString()))
    assert prepared.payload is not None
    (row,) = prepared.payload.feedback
    assert (row.label, row.correct, row.score) == ("cat", expected, 0.5)
    assert (row.trace_id[-1], row.span_id[-1], row.time_ns) == (1, 1, NOW_NS)
    assert prepared.tallies[0].report.rejections.reasons == {"feedback_without_request": 1}


def test_attributes_that_rules_name_are_read_from_records_and_resources() -> None:
    rule = RollupRule("r", parse_matchers(['k8s.pod="p"']), ("custom",), NoError(), ("gen_ai.request.model",))
    message = traces([span(custom=8, values={"gen_ai.request.model": "m"})], k8s__pod="p")
    columns = columns_of_request(message, Pipeline(rules=(rule,)))
    assert text(columns, "k8s.pod") == "p"
    assert columns.number("custom").tolist() == [8]
    assert text(columns, "gen_ai.request.model") == "m"
    assert "custom" not in columns_of_request(message).numbers


PRICES = PriceTable((Price(parse_matchers(['model="m"']), 0, input_token=1.0, output_token=2.0, cached_token=0.5),))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1}, 5.0),
        ({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3,
          "gen_ai.usage.cache_read.input_tokens": 2, "llm.cost.total": 99}, 2.0),
        ({"gen_ai.request.model": "other", "gen_ai.usage.input_tokens": 3, "llm.cost.total": 99}, 99.0),
        ({"gen_ai.request.model": "other", "gen_ai.usage.input_tokens": 3}, np.nan),
        ({"gen_ai.request.model": "m"}, np.nan),
    ],
)  # fmt: skip
def test_cost_is_the_price_tables_else_the_senders_and_never_a_made_up_zero(
    values: dict[str, Any], expected: float
) -> None:
    columns = columns_of_span(Pipeline(prices=PRICES), values=values)
    np.testing.assert_array_equal(columns.number("cost"), [expected])


def test_spans_without_a_price_are_counted_by_model() -> None:
    message = traces([
        span(1, gen_ai__request__model="dear", gen_ai__usage__input_tokens=3),
        span(2, gen_ai__request__model="dear", gen_ai__usage__input_tokens=3),
        span(3, gen_ai__request__model="m", gen_ai__usage__input_tokens=3),
        span(4, gen_ai__request__model="unused"),
    ])  # fmt: skip
    prepared = prepare(Pipeline(prices=PRICES), Request("span", "protobuf", message.SerializeToString()))
    assert prepared.unpriced == {"dear": 2}


def test_prompts_leave_a_keyed_fingerprint_and_nothing_else() -> None:
    messages = [[{"role": "user", "content": "hello"}], [{"role": "user", "content": "hello"}], [{"role": "system"}]]
    request = traces([span(i + 1, values={"gen_ai.input.messages": m}) for i, m in enumerate(messages)])
    one = columns_of_request(request, Pipeline(fingerprint_key=b"k1")).string("prompt_hash").tolist()
    other = columns_of_request(request, Pipeline(fingerprint_key=b"k2")).string("prompt_hash").tolist()
    assert one[0] == one[1] != one[2]
    assert one[0] != other[0]
    assert [len(text) for text in one] == [16, 16, 16]
    without_key = columns_of_request(request)
    assert "prompt_hash" not in without_key.strings
    assert not [name for name in without_key.strings if "messages" in name]


def test_a_stated_prompt_hash_wins() -> None:
    values = {"tailwatch.prompt.hash": "mine", "input.value": "hello"}
    assert text(columns_of_span(Pipeline(fingerprint_key=b"k"), values=values), "prompt_hash") == "mine"


def test_the_digest_tells_signals_and_bodies_apart_and_is_blind_to_compression() -> None:
    body = logs([log(1), log(2, event="tailwatch.feedback")]).SerializeToString()
    pipeline = Pipeline(rules=(SERIES_RULE, RollupRule("p", parse_matchers([]), (), Present(("prediction",)))))
    first = prepare(pipeline, Request("log", "protobuf", body)).payload
    again = prepare(pipeline, Request("log", "protobuf", body), NOW_NS + 5).payload
    assert first is not None
    assert again is not None
    assert first.digests == again.digests
    other = prepare(pipeline, Request("span", "protobuf", traces([span()]).SerializeToString())).payload
    assert other is not None
    assert other.digests != first.digests


def test_warm_up_calls_count_unless_the_documented_condition_leaves_them_out() -> None:
    readme = (Path(__file__).parents[2] / "sdk" / "README.md").read_text("utf-8")
    found = re.search(r"warmup.*`where: \['(.+?)'\]`", readme)
    assert found is not None
    rules = tuple(RollupRule(name, parse_matchers(where), (), NoError()) for name, where in [
        ("all", []), ("served", [found[1]]),
    ])  # fmt: skip
    request = traces([span(1, tailwatch__warmup=True), span(2, tailwatch__warmup=False), span(3)])
    prepared = prepare(Pipeline(rules=rules), Request("span", "protobuf", request.SerializeToString()))
    assert prepared.payload is not None
    assert {delta.rule: delta.total for delta in prepared.payload.sli} == {"all": 3, "served": 2}
