"""Inference logs and feedback, and the span that each names."""

import numpy as np
import pytest
import tailwatch_sdk as tailwatch

from telemetry import schema
from tests.sdk.receiver import Receiver


def test_an_inference_log_carries_the_data_and_the_identity_of_its_call(sdk: Receiver) -> None:
    with tailwatch.inference_span("classify", model="c", tenant="acme", input_type="code") as call:
        call.model_version = "v3"
        call.log(
            features={"length": 12, "language": "en", "urgent": True},
            prediction="a",
            confidence=0.9,
            embedding=[0.5, 1],
        )
    assert tailwatch.flush()
    log = sdk.log()
    assert log.name == "tailwatch.inference"
    assert log.name in schema.INFERENCE_EVENTS
    assert log.attributes == {
        "tailwatch.feature.length": 12,
        "tailwatch.feature.language": "en",
        "tailwatch.feature.urgent": True,
        "tailwatch.prediction": "a",
        "tailwatch.confidence": 0.9,
        "tailwatch.embedding": [0.5, 1.0],
        "gen_ai.operation.name": "classify",
        "gen_ai.request.model": "c",
        "tailwatch.model.version": "v3",
        "tailwatch.tenant": "acme",
        "tailwatch.input.type": "code",
    }
    assert (log.trace_id, log.span_id) == (call.trace_id, call.span_id)
    assert log.resource["service.name"] == "chat"
    span = sdk.span().raw
    assert span.start_time_unix_nano <= log.raw.time_unix_nano


def test_a_log_may_follow_its_call(sdk: Receiver) -> None:
    with tailwatch.inference_span("classify") as call:
        pass
    call.log(prediction=1)
    tailwatch.flush()
    assert sdk.log().span_id == call.span_id
    assert sdk.log().attributes["tailwatch.prediction"] == 1


def test_log_inference_takes_what_it_is_not_told_from_the_open_call(sdk: Receiver) -> None:
    with tailwatch.inference_span("classify", model="c", tenant="acme") as call:
        tailwatch.log_inference(model="other", prediction="a")
    tailwatch.flush()
    assert sdk.log().span_id == call.span_id
    assert sdk.log().attributes == {
        "gen_ai.operation.name": "classify",
        "gen_ai.request.model": "other",
        "tailwatch.tenant": "acme",
        "tailwatch.prediction": "a",
    }


def test_log_inference_outside_any_call_and_for_a_call_named_by_its_ids(sdk: Receiver, notes) -> None:
    tailwatch.log_inference(
        "classify", model="c", provider="p", model_version="v", tenant="t", input_type="i", confidence=np.float32(0.5)
    )
    tailwatch.log_inference("classify", prediction="a", trace_id="ab" * 16, span_id="CD" * 8)
    tailwatch.log_inference("classify", prediction="a", trace_id="nonsense", span_id="cd" * 8)
    tailwatch.flush()
    alone, named = sdk.logs
    assert (alone.trace_id, alone.span_id) == ("", "")
    assert alone.attributes["tailwatch.confidence"] == 0.5
    assert (named.trace_id, named.span_id) == ("ab" * 16, "cd" * 8)
    assert sum("32 and span_id 16 hexadecimal" in line for line in notes()) == 1


def test_feedback_names_the_span_of_the_call_that_it_judges(sdk: Receiver) -> None:
    with tailwatch.inference_span("classify") as call:
        pass
    with tailwatch.inference_span("another"):
        tailwatch.feedback(trace_id=call.trace_id, span_id=call.span_id, label="b", correct=False, score=0.25)
    tailwatch.flush()
    log = sdk.log()
    assert log.name == schema.FEEDBACK_EVENT
    assert (log.trace_id, log.span_id) == (call.trace_id, call.span_id)
    assert log.attributes == {
        "tailwatch.feedback.label": "b",
        "tailwatch.feedback.correct": False,
        "tailwatch.feedback.score": 0.25,
    }


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [("", ""), ("0" * 32, "0" * 16), ("a" * 32, "0" * 16), ("g" * 32, "a" * 16), ("a" * 31, "a" * 16), (None, 3)],
)
def test_feedback_for_ids_that_are_none_is_dropped_with_a_notice(sdk: Receiver, notes, trace_id, span_id) -> None:
    for _ in range(2):
        tailwatch.feedback(trace_id=trace_id, span_id=span_id, correct=True)
    tailwatch.flush()
    assert sdk.logs == []
    assert sum("hexadecimal digits" in line for line in notes()) == 1


def test_feedback_without_content_is_dropped_with_a_notice(sdk: Receiver, notes) -> None:
    tailwatch.feedback(trace_id="a" * 32, span_id="b" * 16)
    tailwatch.feedback(trace_id="a" * 32, span_id="b" * 16, score=float("inf"))
    tailwatch.flush()
    assert sdk.logs == []
    assert any("needs a label" in line for line in notes())


@pytest.mark.parametrize("embedding", [[], "abc", [[1.0]], [1.0, float("nan")], [None], 5, {"a": 1}])
def test_a_bad_embedding_is_dropped_and_the_log_is_kept(sdk: Receiver, notes, embedding) -> None:
    tailwatch.log_inference("classify", prediction="a", embedding=embedding)
    tailwatch.flush()
    assert sdk.log().attributes == {"gen_ai.operation.name": "classify", "tailwatch.prediction": "a"}
    assert any(line.startswith("tailwatch.embedding must") for line in notes())


def test_arrays_are_embeddings_of_doubles(sdk: Receiver) -> None:
    tailwatch.log_inference("embeddings", embedding=np.array([1, 0.5], dtype=np.float16))
    tailwatch.flush()
    assert sdk.log().attributes["tailwatch.embedding"] == [1.0, 0.5]


def test_a_log_takes_a_thousand_features_and_drops_the_rest_with_one_notice(sdk: Receiver, notes) -> None:
    for _ in range(2):
        features = {f"f{number}": number for number in range(2000)}
        tailwatch.log_inference("classify", model="c", features=features, prediction="a")
    tailwatch.flush()
    for log in sdk.logs:
        assert (log.attributes["gen_ai.operation.name"], log.attributes["tailwatch.prediction"]) == ("classify", "a")
        assert sum(name.startswith("tailwatch.feature.") for name in log.attributes) == 1024
    assert notes() == ["tailwatch.feature.f1024 is dropped, as is whatever else exceeds 1024 attributes."]


def test_a_limit_of_the_environment_costs_features_before_the_owner(collector: Receiver, monkeypatch) -> None:
    monkeypatch.setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "3")
    tailwatch.configure(endpoint=collector.url)
    with pytest.warns(UserWarning, match="dropped due to limits"):
        tailwatch.log_inference("classify", model="c", features={"a": 1, "b": 2})
    tailwatch.flush()
    assert collector.log().attributes == {
        "tailwatch.feature.b": 2,
        "gen_ai.operation.name": "classify",
        "gen_ai.request.model": "c",
    }
