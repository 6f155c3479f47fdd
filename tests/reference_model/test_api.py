"""The HTTP API as OpenAI's clients see it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.reference_model.conftest import Running


def _events(body: str) -> list[Any]:
    lines = [line for line in body.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line[6:]) for line in lines[:-1]]


def test_it_says_where_it_listens_and_on_what_device(running: Running) -> None:
    assert running.ready_line.split()[-1] in {"device=cpu", "device=cuda"}
    assert running.client.get("/healthz").json() == {"status": "ok"}
    assert running.client.get("/readyz").json() == {"ready": True}


def test_a_chat_is_answered_with_its_accounting(running: Running) -> None:
    answer = running.chat("What is the capital of France?", max_tokens=16)
    document = answer.json()
    assert document["choices"][0]["message"] == {"role": "assistant", "content": "The capital of France is Paris."}
    assert document["choices"][0]["finish_reason"] == "stop"
    assert document["usage"] == {"prompt_tokens": 39, "completion_tokens": 8, "total_tokens": 47}
    assert answer.headers["x-model-version"] == "v1"
    assert len(answer.headers["x-trace-id"]) == 32


def test_a_stream_says_the_same_as_a_whole_answer(running: Running) -> None:
    fields = {"max_tokens": 12, "headers": {"cache-control": "no-cache"}}
    whole = running.chat("Name three colours.", **fields).json()
    streamed = running.chat("Name three colours.", stream=True, stream_options={"include_usage": True}, **fields)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = _events(streamed.text)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(event["object"] == "chat.completion.chunk" for event in events)
    pieces = [event["choices"][0]["delta"].get("content", "") for event in events if event["choices"]]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert len(pieces) > 4
    assert events[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert events[-1]["usage"] == whole["usage"]


def test_a_completion_continues_its_prompt_and_stops_where_told(running: Running) -> None:
    body = {"prompt": "one, two, three, four,", "max_tokens": 12}
    free = running.client.post("/v1/completions", json=body).json()
    assert free["object"] == "text_completion"
    assert free["choices"][0]["text"].startswith(" five,")
    stopped = running.client.post("/v1/completions", json={**body, "stop": [" six"]}).json()
    assert stopped["choices"][0]["text"] == " five,"
    assert stopped["choices"][0]["finish_reason"] == "stop"
    streamed = running.client.post("/v1/completions", json={**body, "stop": " six", "stream": True})
    assert "".join(event["choices"][0]["text"] for event in _events(streamed.text)) == " five,"


def test_many_at_once_get_what_each_gets_alone(running: Running) -> None:
    def ask(country: str) -> str:
        answer = running.chat(f"What is the capital of {country}?", headers={"cache-control": "no-cache"}, max_tokens=6)
        text: str = answer.json()["choices"][0]["message"]["content"]
        return text

    countries = ("France", "Germany", "Japan", "Egypt", "Russia")
    with ThreadPoolExecutor(len(countries)) as pool:
        together = list(pool.map(ask, countries))
    assert [text.split(" is")[0] for text in together] == [f"The capital of {country}" for country in countries]


def test_a_repeated_request_comes_from_the_cache_unless_it_asks_not_to(running: Running) -> None:
    text = "Who wrote the play Hamlet, and when?"
    answers = [running.classify(text), running.classify(text), running.classify(text, cache_control="no-cache")]
    assert [answer.headers["x-cache"] for answer in answers] == ["miss", "hit", "miss"]
    assert answers[0].json() == answers[1].json()
    said = [running.chat(text) for _ in range(2)]
    assert [answer.headers["x-cache"] for answer in said] == ["miss", "hit"]
    assert said[0].json()["choices"] == said[1].json()["choices"]


def test_a_classification_names_a_topic_and_its_probability(running: Running) -> None:
    document = running.classify("Which team won the cricket world cup?").json()
    assert document["label"] == "sports"
    assert document["labels"][0] == {"label": "sports", "score": document["score"]}
    assert 0.3 < document["score"] <= 1


def test_embeddings_come_in_order_with_length_one(running: Running) -> None:
    texts = ["A man is eating food.", "A man eats something.", "Stars collapse."]
    data = running.client.post("/v1/embeddings", json={"input": texts}).json()["data"]
    vectors = [item["embedding"] for item in data]
    assert [item["index"] for item in data] == [0, 1, 2]
    assert all(sum(x * x for x in vector) == pytest.approx(1, abs=1e-4) for vector in vectors)

    def cosine(a: int, b: int) -> float:
        return float(sum(x * y for x, y in zip(vectors[a], vectors[b], strict=True)))

    assert cosine(0, 1) > cosine(0, 2) + 0.3


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/v1/chat/completions", {"messages": []}, 400, "messages"),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "x"}], "temperature": 9},
            400,
            "temperature",
        ),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "model": "gpt-9"}, 404, "model"),
        ("/v1/completions", {"prompt": "word " * 2000}, 400, "max_tokens"),
        ("/v1/completions", {"prompt": "x", "model": "smollm2-135m-instruct@v8"}, 404, "model"),
        ("/v1/classify", {"input": ""}, 400, "input"),
        ("/v1/classify", {"input": "word " * 400}, 400, "input"),
        ("/v1/embeddings", {"input": []}, 400, None),
        ("/admin/faults", {"name": "no-such-fault"}, 400, "name"),
        ("/admin/faults", {"name": "tail-spike", "parameters": {"share": 7}}, 400, "parameters"),
        ("/admin/faults", {"name": "tail-spike", "parameters": {"wings": 2}}, 400, "parameters.wings"),
        ("/admin/faults", {"name": "tail-spike", "parameters": {"share": "all"}}, 400, "parameters.share"),
        ("/admin/split", {"model": "smollm2-135m-instruct", "shares": {"v7": 1}}, 404, "model"),
        ("/admin/rollback", {"model": "all-minilm-l6-v2"}, 400, None),
    ],
)
def test_bad_input_is_one_sentence_in_openais_form(
    running: Running, path: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    answer = running.client.post(path, json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")
    if param is not None:
        assert error["param"] == param


def test_unknown_paths_and_broken_json_are_errors_in_the_same_form(running: Running) -> None:
    assert running.client.get("/v1/nothing").json()["error"]["type"] == "invalid_request_error"
    broken = running.client.post("/v1/classify", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 400
    assert "error" in broken.json()


def test_state_tells_models_queues_and_memory(running: Running) -> None:
    state = running.client.get("/admin/state").json()
    assert state["models"]["smollm2-135m-instruct"]["shares"] == {"v1": 1.0}
    assert state["queues"]["generation"]["limit"] == 32
    assert state["resident_bytes"] < 2_000_000_000
    listed = running.client.get("/v1/models").json()["data"]
    assert [model["id"] for model in listed] == sorted(state["models"])
