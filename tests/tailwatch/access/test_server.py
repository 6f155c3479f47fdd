"""A real server that asks for tokens, as exporters, people, amtool and pages meet it; and no secret leaves it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import tailwatch_sdk
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from storage import tokens
from storage.database import Database
from tailwatch.access.scopes import SCOPES
from tailwatch.access.secret import digest_of, new_secret
from tests.external import require_program
from tests.tailwatch.access.house import House, exported, wait_for
from tests.tailwatch.running import command, refused_start, serving, traces, write_config


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("tokens")
    config = write_config(folder, {"evaluation_interval": "200ms"})
    with Database(f"sqlite:///{folder / 'data' / 'tailwatch.db'}") as database:
        database.upgrade()
        with serving(config) as running:
            made = House(running, database)
            assert made.ask("GET", "/api/v1/slos").status_code == 200, "open while there is no token"
            for scope in SCOPES:
                made.make(scope, scope)
            wait_for(lambda: made.ask("GET", "/api/v1/slos").status_code, 401)
            yield made
    for path in [running.log, *(folder / "data").glob("tailwatch.db*")]:
        found = path.read_bytes()
        assert found or path.suffix == ".lock"
        for name, secret in made.secrets.items():
            assert secret.encode() not in found, f"the secret of {name} is in {path.name}"


def test_scopes_over_http(house: House) -> None:
    wanted = {
        ("GET", "/api/v1/status"): ["read", "respond", "admin"],
        ("GET", "/metrics"): ["read", "respond", "admin"],
        ("GET", "/api/v2/status"): ["read", "respond", "admin"],
        ("POST", "/api/v1/config/reload"): ["admin"],
    }
    assert {asked: [scope for scope in SCOPES if house.ask(*asked, scope).is_success] for asked in wanted} == wanted
    assert house.ask("GET", "/healthz").json() == {"status": "ok"}
    assert house.ask("GET", "/openapi.json").is_success


def test_a_refusal_says_what_where_and_what_to_do(house: House) -> None:
    none = house.ask("GET", "/api/v1/slos")
    assert (none.status_code, none.headers["www-authenticate"]) == (401, 'Bearer realm="tailwatch"')
    assert none.json()["error"] == {
        "what": "this needs a token", "where": "Authorization",
        "remedy": "make one with: tailwatch token create NAME --scope read, "
        "and send it as Authorization: Bearer tw_...",
    }  # fmt: skip
    less = house.ask("POST", "/api/v1/config/reload", "respond")
    assert less.status_code == 403
    assert less.headers["www-authenticate"] == 'Bearer realm="tailwatch", error="insufficient_scope", scope="admin"'
    assert less.json()["error"]["what"] == "the token respond may not do this: it has no scope admin"


def test_stock_exporters_send_the_token_in_a_header_and_do_not_retry_without(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def over_http() -> SpanExporter:
        return HttpExporter(endpoint=f"{house.running.url}/v1/traces", timeout=60)

    def over_grpc() -> SpanExporter:
        return GrpcExporter(endpoint=house.running.grpc, insecure=True, timeout=60)

    before = house.ask("GET", "/api/v1/status", "read").json()["counters"]
    for make in (over_http, over_grpc):
        assert exported(make()) is SpanExportResult.FAILURE
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{house.secrets['ingest']}")
    for make in (over_http, over_grpc):
        assert exported(make()) is SpanExportResult.SUCCESS
    after = house.ask("GET", "/api/v1/status", "read").json()["counters"]
    assert after["spans"] - before["spans"] == 2
    refused = [counters["requests_invalid"].get("401", 0) for counters in (before, after)]
    assert refused[1] - refused[0] == 2, "each was sent once"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_sdk_sends_the_token_that_it_is_configured_with(house: House, protocol: str) -> None:
    def spans() -> int:
        return house.ask("GET", "/api/v1/status", "read").json()["counters"]["spans"]

    before = spans()
    endpoint = house.running.url if protocol != "grpc" else f"http://{house.running.grpc}"
    headers = {"Authorization": f"Bearer {house.secrets['ingest']}"}
    tailwatch_sdk.configure(service_name="chat", endpoint=endpoint, protocol=protocol, headers=headers)
    try:
        with tailwatch_sdk.inference_span("chat", model="m"):
            pass
        assert tailwatch_sdk.flush(timeout_s=60)
    finally:
        tailwatch_sdk.shutdown()
    assert spans() - before == 1


def test_what_exporters_are_answered(house: House) -> None:
    body, kind = traces(1, end_ns=time.time_ns()), {"Content-Type": "application/x-protobuf"}
    none = house.ask("POST", "/v1/traces", content=body, headers=kind)
    less = house.ask("POST", "/v1/traces", "read", content=body, headers=kind)
    assert [(one.status_code, Status.FromString(one.content).code) for one in (none, less)] == [(401, 16), (403, 7)]
    assert none.headers["content-type"] == "application/x-protobuf"
    assert "retry-after" not in none.headers
    as_json = house.ask("POST", "/v1/logs", content=b"{}", headers={"Content-Type": "application/json"}).json()
    assert as_json["code"] == 16
    assert "tailwatch token create NAME --scope ingest" in as_json["message"]
    with grpc.insecure_channel(house.running.grpc) as channel:
        export = TraceServiceStub(channel).Export
        request = ExportTraceServiceRequest.FromString(body)
        for metadata, code in (
            ((), grpc.StatusCode.UNAUTHENTICATED),
            ((("authorization", f"Bearer {house.secrets['read']}"),), grpc.StatusCode.PERMISSION_DENIED),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                export(request, metadata=metadata, timeout=60)
            assert caught.value.code() is code
            assert "token" in caught.value.details()


def test_a_token_is_renewed_and_revoked_under_a_running_server(house: House) -> None:
    house.make("short", "read")
    wait_for(lambda: house.ask("GET", "/metrics", "short").status_code, 200)
    renewed = house.secrets["renewed"] = new_secret()
    now_ns = time.time_ns()
    tokens.rotate(
        house.database, "short", digest_of(renewed), overlap_ns=3600 * 10**9, lifetime_ns=None, now_ns=now_ns,
        actor="tests",
    )  # fmt: skip
    wait_for(lambda: house.ask("GET", "/metrics", "renewed").status_code, 200)
    assert house.ask("GET", "/metrics", "short").status_code == 200, "both count for the overlap"
    tokens.revoke(house.database, "short", now_ns=now_ns + 1, actor="tests")
    wait_for(lambda: [house.ask("GET", "/metrics", name).status_code for name in ("short", "renewed")], [401, 401])


def test_amtool_with_a_token(house: House, tmp_path: Path) -> None:
    program = require_program("amtool", "prometheus-alertmanager")

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        config = tmp_path / f"{name}.yaml"
        config.write_text(json.dumps({"authorization": {"type": "Bearer", "credentials": house.secrets[name]}}))
        base = [program, f"--alertmanager.url={house.running.url}", f"--http.config.file={config}"]
        return subprocess.run(
            [*base, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
        )

    made = run("respond", "silence", "add", "service=chat", "-c", "new tokenizer", "-a", "ada", "-d", "1h")
    assert made.returncode == 0, made.stderr
    silence = made.stdout.strip()
    assert silence in run("read", "silence", "query").stdout
    refused = run("read", "silence", "expire", silence)
    assert refused.returncode != 0
    assert "403" in refused.stderr + refused.stdout, "amtool tells the status, and no more of such an answer"
    (entry,) = house.ask("GET", "/api/v1/audit", "read", params={"action": "silence"}).json()["entries"]
    assert (entry["actor"], entry["address"], entry["action"]) == ("respond", "127.0.0.1", "silence.create")
    for _ in range(2):
        assert run("ingest", "alert", "add", "alertname=DiskFull", "service=db").returncode == 0
    (entry,) = house.ask("GET", "/api/v1/audit", "read", params={"action": "alert"}).json()["entries"]
    assert (entry["actor"], entry["action"], entry["subject"]) == ("ingest", "alert.begin", "DiskFull")


def test_the_audit_log_names_the_token_and_the_timeline_the_person(house: House) -> None:
    alert = [{"labels": {"alertname": "Audited", "service": "audit", "severity": "page"}}]
    assert house.ask("POST", "/api/v2/alerts", "ingest", json=alert).is_success

    def found() -> list[str]:
        incidents = house.ask("GET", "/api/v1/incidents", "read").json()["incidents"]
        return [one["id"] for one in incidents if one["service"] == "audit"]

    wait_for(lambda: len(found()), 1)
    (incident,) = found()
    said = {"author": "maria", "comment": "mine"}
    assert house.ask("POST", f"/api/v1/incidents/{incident}/acknowledge", "read", json=said).status_code == 403
    assert house.ask("POST", f"/api/v1/incidents/{incident}/acknowledge", "respond", json=said).is_success
    house.ask("POST", "/api/v1/config/reload", "admin")
    reload, acknowledged = house.ask("GET", "/api/v1/audit", "read", params={"limit": 2}).json()["entries"]
    assert (reload["actor"], reload["action"], reload["subject"]) == ("admin", "config.reload", "tailwatch.yaml")
    assert (acknowledged["actor"], acknowledged["subject"]) == ("respond", incident)
    assert acknowledged["action"] == "incident.acknowledge"
    assert acknowledged["detail"]["author"] == "maria"
    timeline = house.ask("GET", f"/api/v1/incidents/{incident}", "read").json()["timeline"]
    assert "maria" in [event["author"] for event in timeline]
    page = house.ask("GET", "/api/v1/audit", "read", params={"limit": 1}).json()
    older = house.ask("GET", "/api/v1/audit", "read", params={"limit": 1, "before": page["next"]}).json()
    assert older["entries"] == [acknowledged]


def test_who_may_only_post_alerts_commands_nobodys_terminal(house: House) -> None:
    bad = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp\nINC-0 resolved"
    alert = {"labels": {"alertname": bad, "service": "terminal"}, "annotations": {"summary": bad}}
    assert house.ask("POST", "/api/v2/alerts", "ingest", json=[alert]).is_success

    def found() -> list[str]:
        incidents = house.ask("GET", "/api/v1/incidents", "read").json()["incidents"]
        return [one["id"] for one in incidents if one["service"] == "terminal"]

    wait_for(lambda: len(found()), 1)
    environment = {**os.environ, "TAILWATCH_TOKEN": house.secrets["read"]}
    config, url = house.running.log.with_suffix(".yaml"), ("--url", house.running.url)
    for arguments in (("audit",), ("incident", "list", *url), ("incident", "show", found()[0], *url)):
        done = subprocess.run(
            command("--config", config, *arguments), capture_output=True, text=True, check=True, timeout=120,
            env=environment,
        )  # fmt: skip
        assert "owned" in done.stdout, arguments
        assert not set("\x1b\x07\x9b\u202e") & set(done.stdout), arguments
        assert "\nINC-0" not in done.stdout


def test_no_secret_is_told_by_any_page(house: House) -> None:
    """The fixture looks through log and database when all is over."""
    for path in ("/metrics", "/api/v1/status", "/api/v1/audit", "/api/v1/config", "/openapi.json"):
        text = house.ask("GET", path, "admin").text
        assert not any(secret in text for secret in house.secrets.values()), path
    for path in (f"/api/v1/slos?token={new_secret()}", f"/v1/traces?access_token={house.secrets['ingest']}"):
        assert house.ask("POST", path).status_code == 401, "a token in a URL is none"


def test_a_server_for_others_does_not_start_without_a_token(tmp_path: Path) -> None:
    said = refused_start(tmp_path, http="0.0.0.0:0")
    assert said.startswith("tailwatch: http: 0.0.0.0:0: other machines can connect there, and there is no token")
    assert "tailwatch token create NAME --scope admin" in said
    assert "TAILWATCH_ANONYMOUS_ACCESS=all" in said
