"""The HTTP client: what it sends, and the one sentence that each failure becomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from dashboard.client import Client, ServiceError
from dashboard.documents.status import LastEvaluation
from dashboard.settings import Settings, SettingsError, from_environment
from tests.dashboard import recorded

URL = "http://127.0.0.1:4318"


def client(answer: Callable[[httpx.Request], httpx.Response], token: str | None = None) -> Client:
    return Client(Settings(URL, token), httpx.MockTransport(answer))


def answering(body: object, code: int = 200) -> Client:
    text = body if isinstance(body, str) else json.dumps(body)
    return client(lambda _: httpx.Response(code, text=text))


def said(call: Callable[[], object]) -> str:
    with pytest.raises(ServiceError) as failure:
        call()
    sentence = str(failure.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def test_reads_what_was_recorded() -> None:
    assert len(answering({"slos": recorded.slos()}).slos()) == 7
    incident = answering(recorded.incidents()["inc-0042"]).incident("inc-0042")
    assert incident.evidence.attribution[0].excess_share == 0.93
    assert answering(recorded.trace()).trace("x").spans[1].attributes["gen_ai.usage.input_tokens"] == 812
    assert answering(recorded.status()).status().last_evaluation == LastEvaluation(
        at=recorded.NOW - 4, duration_s=0.038
    )


def test_ignores_fields_that_a_newer_service_adds() -> None:
    assert answering({**recorded.status(), "leader": True}).status().version == "0.1.0"


def test_sends_token_and_parameters() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"points": []})

    client(answer, token="t0p").history("a/b ü", start=1.5, end=1_790_000_000.0, step=30, group={"y": "2", "x": "ä&"})
    request = seen[0]
    assert request.headers["authorization"] == "Bearer t0p"
    assert request.url.raw_path.startswith(b"/api/v1/slos/a%2Fb%20%C3%BC/history?")
    assert dict(request.url.params) == {
        "start": "1.5",
        "end": "1790000000",
        "step": "30",
        "group": '{"x": "\\u00e4&", "y": "2"}',
    }


def test_leaves_absent_parameters_out_and_writes_booleans_small() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"traces": []})

    client(answer).traces(service=None, error=True, min_duration=0.25, limit=200)
    assert dict(seen[0].url.params) == {"error": "true", "min_duration": "0.25", "limit": "200"}


def test_an_action_posts_author_and_comment() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=recorded.incidents()["inc-0042"])

    client(answer).act("inc-0042", "acknowledge", author="Ada", comment="on it")
    assert seen[0].method == "POST"
    assert seen[0].url.path == "/api/v1/incidents/inc-0042/acknowledge"
    assert json.loads(seen[0].content) == {"author": "Ada", "comment": "on it"}


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "the connection was refused"),
        (httpx.ConnectError("Name or service not known"), "it cannot be reached"),
        (httpx.ReadError("reset"), "the connection broke off"),
        (httpx.RemoteProtocolError("eof"), "the connection broke off"),
        (httpx.ReadTimeout("slow"), "did not answer /api/v1/status within 10 s"),
    ],
)
def test_an_unreachable_service(error: Exception, part: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    sentence = said(client(fail).status)
    assert part in sentence
    assert URL in sentence


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://127.0.0.1", "nonsense", "http://[::1"])
def test_an_address_that_is_none(url: str) -> None:
    sentence = said(Client(Settings(url)).status)
    assert f"TAILWATCH_URL is '{url}', which is not an http address" in sentence


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (
            503,
            {
                "error": {
                    "what": "the database is locked.",
                    "where": "tailwatch.db",
                    "remedy": "stop the other process.",
                }
            },
            "the database is locked (tailwatch.db); stop the other process.",
        ),
        (404, {"error": {"what": "no SLO is named x", "where": "", "remedy": ""}}, "no SLO is named x."),
        (404, {"error": {"what": "no SLO is named x", "where": None}}, "no SLO is named x."),
        (
            500,
            "Internal Server Error",
            f"The Tailwatch service at {URL} answered /api/v1/status with HTTP 500; its log says why.",
        ),
        (
            502,
            {"error": "gone"},
            f"The Tailwatch service at {URL} answered /api/v1/status with HTTP 502; its log says why.",
        ),
        (500, [], f"The Tailwatch service at {URL} answered /api/v1/status with HTTP 500; its log says why."),
        (302, "", f"The Tailwatch service at {URL} answered /api/v1/status with HTTP 302; its log says why."),
    ],
)
def test_a_refusal(code: int, body: object, expected: str) -> None:
    assert said(answering(body, code).status) == expected


@pytest.mark.parametrize("code", [401, 403])
def test_a_missing_token_never_shows_the_one_it_has(code: int) -> None:
    sentence = said(client(lambda _: httpx.Response(code), token="hunter2").status)
    assert "set TAILWATCH_TOKEN" in sentence
    assert "hunter2" not in sentence


def test_a_token_that_may_not_hears_why() -> None:
    error = {"what": "the token reader may not do this: it has no scope respond", "remedy": "use another"}
    sentence = said(answering({"error": error}, 403).status)
    assert "(HTTP 403): the token reader may not do this: it has no scope respond; set TAILWATCH_TOKEN" in sentence
    assert "hunter2" not in repr(Settings(URL, "hunter2"))


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("<html>", "(Invalid JSON"),
        ("[]", "(Input should be an object)"),
        ({"version": "1"}, "(now: Field required)"),
        ({"now": "noon"}, "(now: Input should be a valid number"),
        ('{"now": NaN}', "(now: Input should be a finite number)"),
    ],
)
def test_a_malformed_answer(body: object, part: str) -> None:
    sentence = said(answering(body).status)
    assert part in sentence
    assert "/api/v1/status" in sentence


def test_a_malformed_part_is_named_by_its_place() -> None:
    slos = recorded.slos()
    slos[4]["groups"][1]["state"] = "melting"
    assert "slos[4].groups[1].state: Input should be 'ok'" in said(answering({"slos": slos}).slos)


def test_settings_come_from_the_environment() -> None:
    assert from_environment({}) == Settings("http://127.0.0.1:4318", None, 10)
    given = {"TAILWATCH_URL": " http://h:1/ ", "TAILWATCH_TOKEN": "t", "TAILWATCH_REFRESH_S": "30"}
    assert from_environment(given) == Settings("http://h:1", "t", 30)
    with pytest.raises(SettingsError):
        from_environment({"TAILWATCH_REFRESH_S": "x"})


def test_a_rotated_token_file_counts_at_once(tmp_path: Path) -> None:
    file, sent = tmp_path / "token", []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"entries": []})

    asking = Client(from_environment({"TAILWATCH_TOKEN_FILE": str(file)}), httpx.MockTransport(answer))
    assert said(lambda: asking.audit(10)).startswith(f"TAILWATCH_TOKEN_FILE, {file}, cannot be read: No such file")
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert asking.audit(10) == []
    assert sent == ["Bearer one", "Bearer two"]


def test_two_tokens_are_one_too_many() -> None:
    with pytest.raises(SettingsError, match="exclude each other"):
        from_environment({"TAILWATCH_TOKEN": "a", "TAILWATCH_TOKEN_FILE": "b"})
    assert from_environment({"TAILWATCH_USER_HEADER": " X-Forwarded-User "}).user_header == "X-Forwarded-User"
