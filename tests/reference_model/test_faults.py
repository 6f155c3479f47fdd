"""Every fault really happens: a client, or the operating system, sees it, and sees it end."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import median

import httpx
import psutil

from tests.reference_model.conftest import Running

CHAT_MODEL = "smollm2-135m-instruct"


def _start(service: Running, name: str, **parameters: object) -> None:
    answer = service.client.post("/admin/faults", json={"name": name, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    assert answer.json()["active"][name].items() >= parameters.items()


def _stop(service: Running, name: str) -> None:
    assert service.client.delete(f"/admin/faults/{name}").json() == {"stopped": True, "active": {}}


def _state(service: Running) -> dict[str, object]:
    document: dict[str, object] = service.client.get("/admin/state").json()
    return document


def test_every_fault_is_listed_with_its_parameters(service: Running) -> None:
    document = service.client.get("/admin/faults").json()
    assert document["active"] == {}
    listed = {fault["name"]: fault["parameters"] for fault in document["faults"]}
    assert listed["tail-spike"]["share"] == 0.02
    assert {"errors-by-input-type", "queue-saturation", "cost-explosion", "bad-canary"} <= set(listed)


def test_stopping_what_is_not_active_says_so(service: Running) -> None:
    assert service.client.delete("/admin/faults/tail-spike").json() == {"stopped": False, "active": {}}


def test_tail_spike_delays_its_operation_only(service: Running) -> None:
    _start(service, "tail-spike", share=1.0, delay_s=0.4)
    slow = service.classify("Is this request a slow one?")
    # A sleep of 0.4 s cannot be over sooner; the embedding's own trace shows that it was not delayed.
    assert slow.elapsed.total_seconds() >= 0.4
    embedded = service.client.post("/v1/embeddings", json={"input": "x"}, headers={"x-tenant": "not-delayed"})
    assert embedded.status_code == 200
    span = service.telemetry.wait_for_span(lambda span: span.attributes.get("tailwatch.tenant") == "not-delayed")
    parts = sum(span.attributes[f"tailwatch.{part}.duration"] for part in ("queue", "prefill"))
    assert span.duration_s - parts < 0.4


def test_errors_by_input_type_fail_that_type_only_and_name_the_cause(service: Running) -> None:
    _start(service, "errors-by-input-type")
    failed = service.classify("def add(a, b): return a + b", x_input_type="code")
    assert failed.status_code == 500
    assert failed.json()["error"]["code"] == "preprocessing_error"
    assert "WordLevel" in failed.json()["error"]["message"]
    assert service.classify("def add(a, b): return a + b", x_input_type="chat").status_code == 200
    assert service.chat("def f(): pass", stream=True, headers={"x-input-type": "code"}).status_code == 500
    _stop(service, "errors-by-input-type")
    assert service.classify("def sub(a, b): return a - b", x_input_type="code").status_code == 200


def test_queue_saturation_ends_in_429_with_retry_after(service: Running) -> None:
    _start(service, "queue-saturation", seconds_per_item=0.01)

    def send(index: int) -> httpx.Response:
        return service.classify(f"Question number {index}?", x_tenant="acme", cache_control="no-cache")

    with ThreadPoolExecutor(110) as pool:
        answers = list(pool.map(send, range(220)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["error"]["type"] == "rate_limit_error"


def test_cost_explosion_writes_more_than_was_asked_for(service: Running) -> None:
    _start(service, "cost-explosion", tokens=20)
    answer = service.chat("What is the capital of Norway?", max_tokens=4).json()
    assert answer["usage"]["completion_tokens"] == 20
    _stop(service, "cost-explosion")
    answer = service.chat("What is the capital of Denmark?", max_tokens=4).json()
    assert answer["usage"]["completion_tokens"] == 4


def test_bad_canary_answers_its_share_and_is_rolled_back(service: Running) -> None:
    _start(service, "bad-canary", share=1.0)
    assert service.chat("Say something wise.", max_tokens=2).headers["x-model-version"] == "v3"
    assert _state(service)["models"][CHAT_MODEL]["shares"] == {"v3": 1.0}  # type: ignore[index]
    _stop(service, "bad-canary")
    assert service.chat("Say something wise.", max_tokens=2).headers["x-model-version"] == "v1"


def test_broken_canary_changes_what_is_classified(service: Running) -> None:
    texts = ["Which planet is the largest?", "How do I restart my computer?", "Do you like sports?", "Tell me a joke"]
    before = [service.classify(text).json()["score"] for text in texts]
    _start(service, "broken-canary", share=1.0)
    broken = [service.classify(text) for text in texts]
    assert {answer.headers["x-model-version"] for answer in broken} == {"cls"}
    assert sum(answer.json()["score"] for answer in broken) < 0.8 * sum(before)


def test_error_burst_is_a_refused_connection(service: Running) -> None:
    _start(service, "error-burst", share=1.0)
    failed = service.classify("Is anybody there?")
    assert failed.status_code == 502
    assert failed.json()["error"]["code"] == "dependency_unavailable"
    _stop(service, "error-burst")
    assert service.classify("Is anybody there now?").status_code == 200


def test_cache_loss_computes_repeats_again(service: Running) -> None:
    service.classify("This is asked twice.")
    _start(service, "cache-loss")
    repeated = [service.classify("This is asked twice.").headers["x-cache"] for _ in range(2)]
    assert repeated == ["miss", "miss"]
    _stop(service, "cache-loss")
    assert [service.classify("This is asked twice.").headers["x-cache"] for _ in range(2)] == ["miss", "hit"]


def test_cold_start_makes_a_request_load_the_model(service: Running) -> None:
    _start(service, "cold-start", every=1)
    answer = service.chat("What is the capital of Peru?", max_tokens=2, headers={"x-tenant": "cold"})
    assert answer.status_code == 200
    span = service.telemetry.wait_for_span(lambda span: span.attributes.get("tailwatch.tenant") == "cold")
    assert span.attributes["tailwatch.warmup"] is True


def _resident(service: Running) -> int:
    return int(_state(service)["resident_bytes"])  # type: ignore[call-overload]


def test_memory_leak_grows_the_process_and_gives_back(service: Running) -> None:
    _start(service, "memory-leak", mib_per_request=32.0)
    readings = [_resident(service)]
    for index in range(7):
        service.classify(f"Leak number {index}")
        readings.append(_resident(service))
    _stop(service, "memory-leak")
    # The median, since the garbage of a model that an earlier test evicted (half a GiB) may go in any one step.
    assert median(after - before for before, after in pairwise(readings)) > 30 * 2**20
    assert _resident(service) < readings[-1] - 60 * 2**20


def test_gpu_contention_is_a_second_process_that_ends(service: Running) -> None:
    process = psutil.Process(service.process.pid)
    _start(service, "gpu-contention", threads=1)
    (neighbour,) = process.children()
    assert neighbour.is_running()
    _stop(service, "gpu-contention")
    assert process.children() == []
