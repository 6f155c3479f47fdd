"""What arrives at a collector: one span and one inference log a request, with what Tailwatch needs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.reference_model.conftest import Running
from tests.reference_model.otlp_receiver import Record

HEADERS = {"x-tenant": "globex", "x-input-type": "code"}


def _span(running: Running, trace_id: str) -> Record:
    return running.telemetry.wait_for_span(lambda record: record.trace_id == trace_id)


def _log(running: Running, trace_id: str) -> Record:
    return running.telemetry.wait_for_log(lambda record: record.trace_id == trace_id)


def test_a_chat_is_one_span_with_tokens_and_parts(running: Running) -> None:
    answer = running.chat("def area(r):", max_tokens=5, headers=HEADERS)
    span = _span(running, answer.headers["x-trace-id"])
    told = span.attributes
    assert span.resource["service.name"] == "reference-inference"
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.request.model"] == "smollm2-135m-instruct"
    assert (told["tailwatch.model.version"], told["tailwatch.tenant"], told["tailwatch.input.type"]) == (
        "v1",
        "globex",
        "code",
    )
    assert told["gen_ai.usage.input_tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert told["gen_ai.usage.output_tokens"] == 5
    assert told["gen_ai.response.finish_reasons"] == ["length"]
    assert told["tailwatch.cache.hit"] is False
    parts = [told[f"tailwatch.{part}.duration"] for part in ("queue", "prefill", "decode")]
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= span.duration_s
    assert 0 < told["gen_ai.response.time_to_first_chunk"] <= span.duration_s
    assert told["tailwatch.batch.size"] >= 1
    assert len([s for s in running.telemetry.spans if s.trace_id == span.trace_id]) == 1


def test_a_streamed_chat_is_one_span_too(running: Running) -> None:
    answer = running.chat("Say hi to everybody.", stream=True, max_tokens=4)
    span = _span(running, answer.headers["x-trace-id"])
    assert span.attributes["gen_ai.request.stream"] is True
    assert span.attributes["gen_ai.usage.output_tokens"] == 4
    assert "error.type" not in span.attributes


def test_a_chats_log_has_features_and_the_mean_log_probability(running: Running) -> None:
    text = "Tell me 2 jokes!"
    log = _log(running, running.chat(text, max_tokens=5).headers["x-trace-id"])
    assert log.name == "tailwatch.inference"
    assert log.attributes["tailwatch.feature.prompt_length"] == len(text)
    assert log.attributes["tailwatch.feature.words"] == 4
    assert log.attributes["tailwatch.feature.digit_share"] == 1 / len(text)
    assert -10 < log.attributes["tailwatch.confidence"] < 0


def test_a_chats_log_has_the_loss_on_the_system_prompt_when_a_model_read_it(running: Running) -> None:
    name = "tailwatch.feature.fixed_text_loss"
    first, repeated = (running.chat("Is the loss the same for this text?", max_tokens=3) for _ in range(2))
    assert 1 < _log(running, first.headers["x-trace-id"]).attributes[name] < 3
    assert repeated.headers["x-cache"] == "hit"
    assert name not in _log(running, repeated.headers["x-trace-id"]).attributes
    own = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it there?"}]
    answer = running.client.post("/v1/chat/completions", json={"messages": own, "max_tokens": 2})
    assert name not in _log(running, answer.headers["x-trace-id"]).attributes


def test_one_classification_in_ten_logs_its_embedding(running: Running) -> None:
    traces = [running.classify(f"Question {index}").headers["x-trace-id"] for index in range(60)]
    lengths = {len(_log(running, trace).attributes.get("tailwatch.embedding", ())) for trace in traces}
    # None of 60 at one in ten: 0.2 %; so more are sent until one has it, at most 260 (1e-12).
    for index in range(200):
        if 384 in lengths:
            break
        trace = running.classify(f"Further question {index}").headers["x-trace-id"]
        lengths.add(len(_log(running, trace).attributes.get("tailwatch.embedding", ())))
    assert lengths == {0, 384}


def test_a_classification_logs_prediction_and_confidence(running: Running) -> None:
    answer = running.classify("Which team won the football cup final?", x_tenant="initech")
    log = _log(running, answer.headers["x-trace-id"])
    assert log.span_id == answer.headers["x-span-id"]
    assert log.attributes["tailwatch.prediction"] == answer.json()["label"]
    assert log.attributes["tailwatch.confidence"] == answer.json()["score"]
    assert log.attributes["tailwatch.tenant"] == "initech"
    span = _span(running, answer.headers["x-trace-id"])
    assert span.attributes["gen_ai.operation.name"] == "classify"
    assert span.attributes["gen_ai.usage.input_tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert "gen_ai.usage.output_tokens" not in span.attributes


def test_no_text_of_a_prompt_leaves_the_process(running: Running) -> None:
    secret = "xylophone zeppelin"
    answer = running.chat(f"Keep this to yourself: {secret}")
    span = _span(running, answer.headers["x-trace-id"])
    log = _log(running, answer.headers["x-trace-id"])
    assert secret not in repr((span.attributes, log.attributes))
    assert len(span.attributes["tailwatch.prompt.hash"]) == 16


def test_a_failure_is_named_and_a_refusal_is_told_apart(service: Running) -> None:
    service.client.post("/admin/faults", json={"name": "errors-by-input-type"}).raise_for_status()
    service.classify("x = lambda: 0", x_input_type="code", x_tenant="failing")
    failed = service.telemetry.wait_for_span(lambda span: span.attributes.get("tailwatch.tenant") == "failing")
    assert failed.attributes["error.type"] == "preprocessing_error"
    service.client.post("/admin/faults", json={"name": "queue-saturation", "parameters": {"seconds_per_item": 0.01}})
    with ThreadPoolExecutor(100) as pool:
        list(pool.map(lambda i: service.classify(f"Too many: {i}"), range(130)))
    refused = service.telemetry.wait_for_span(lambda span: span.attributes.get("error.type") == "429")
    assert refused.attributes["gen_ai.operation.name"] == "classify"


def test_metadata_in_the_body_names_tenant_and_input_type_too(running: Running) -> None:
    body = {"input": "hello there", "metadata": {"tenant": "from-body", "input_type": "long", "session": "s1"}}
    running.client.post("/v1/classify", json=body).raise_for_status()
    span = running.telemetry.wait_for_span(lambda span: span.attributes.get("tailwatch.tenant") == "from-body")
    assert span.attributes["tailwatch.input.type"] == "long"
    assert span.attributes["session.id"] == "s1"


def test_a_shadow_version_answers_a_copy_that_nobody_sees(service: Running) -> None:
    model = "minilm-topic-classifier"
    split = {"model": model, "shares": {"v1": 1}, "shadow": "v2"}
    service.client.post("/admin/split", json=split).raise_for_status()
    answer = service.classify("Do shadows talk?", x_tenant="shadowed")
    assert answer.headers["x-model-version"] == "v1"

    def copied(span: Record) -> bool:
        told = span.attributes
        return told.get("tailwatch.tenant") == "shadowed" and told["tailwatch.model.version"] == "v2"

    assert service.telemetry.wait_for_span(copied).attributes["tailwatch.shadow"] is True
    service.client.post("/admin/rollback", json={"model": model}).raise_for_status()


def test_gauges_say_how_full_the_queues_are_and_empty_they_are_in_the_end(running: Running) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(running.chat, f"Count to {i}.", max_tokens=40) for i in range(12)]
        seen = running.telemetry.wait_for_gauges(
            lambda gauges: gauges.get(("tailwatch.requests.running", "generation"), 0) > 1
        )
        assert seen["tailwatch.batch.size", "generation"] >= 1
        assert all(answer.result().status_code == 200 for answer in answers)
    names = ("tailwatch.queue.depth", "tailwatch.requests.running")
    running.telemetry.wait_for_gauges(
        lambda gauges: all(gauges[name, queue] == 0 for name in names for queue in ("generation", "encoding"))
    )
    running.classify("A cat sat on the mat.").raise_for_status()
    running.telemetry.wait_for_gauges(lambda gauges: gauges["tailwatch.batch.size", "encoding"] >= 1)
