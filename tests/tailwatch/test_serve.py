"""The real process: telemetry in, incident and signed webhook out, nothing lost over an end and a new start."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import grpc
import httpx
import pytest

from storage.versions import VERSION_TABLE
from tailwatch.demo.sink import NotificationSink
from tests.external import require_program
from tests.tailwatch.running import command, serving, traces, write_config

SLOS = """
version: 1
slos:
  - name: availability
    service: chat
    sli: {errors: {}}
    per: [model]
    objective: 99.5%
    window: 30d
    alert: page-and-ticket
"""


def test_from_otlp_to_incident_webhook_and_acknowledgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    sink = NotificationSink(tmp_path / "notifications", "s3cret")
    receiver = {"name": "hook", "webhook": {"url": f"{sink.url}/webhook", "secret_env": "HOOK_SECRET"}}
    alerting = {"receivers": [receiver], "route": {"receiver": "hook"}, "allow_private": ["127.0.0.0/8"]}
    config = write_config(tmp_path, {"alerting": alerting}, SLOS)
    try:
        with serving(config) as running:
            now_ns = time.time_ns()
            body = traces(300, end_ns=now_ns, bad=200)
            assert running.send(body).status_code == 200
            assert running.send(body).status_code == 200  # an exporter's repeat
            found = running.wait_for("/api/v1/incidents", lambda answer: answer["incidents"])["incidents"]
            with sink.arrived:
                assert sink.arrived.wait_for(lambda: sink.received, timeout=30)
            sli = running.get("/api/v1/slis/availability")
            assert [(group["group"], group["good"], group["total"]) for group in sli["groups"]] == [
                ({"model": "m"}, 100, 300)
            ]
            assert len(found) == 1
            incident = running.get(f"/api/v1/incidents/{found[0]['id']}")
            assert (incident["slo"], incident["status"], incident["severity"]) == ("availability", "open", "page")
            assert "How to tell" in incident["runbook_markdown"]
            assert incident["evidence"]["exemplars"]
            first = sink.received[0]
            assert first.signed
            assert first.document["version"] == "4"
            assert first.document["alerts"][0]["labels"]["slo"] == "availability"
            trace_id = incident["evidence"]["exemplars"][0]["trace_id"]
            trace = running.get(f"/api/v1/traces/{trace_id}")
            assert trace["spans"][0]["attributes"]["error.type"] == "timeout"
            act = {"author": "sam", "comment": "on it"}
            answer = httpx.post(f"{running.url}/api/v1/incidents/{incident['id']}/acknowledge", json=act)
            assert answer.json()["status"] == "acknowledged"
            assert running.terminate() == 0
        with serving(config) as again:
            known = again.get("/api/v1/incidents")["incidents"]
            assert [one["status"] for one in known] == ["acknowledged"]
            assert again.get("/api/v1/slis/availability")["groups"] == sli["groups"]
            group = again.get("/api/v1/slos/availability")["groups"][0]
            assert (group["good"], group["total"]) == (100, 300)
    finally:
        sink.close()


def test_counts_are_the_same_without_raw_rows(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"raw_retention": 0}, SLOS)
    with serving(config) as running:
        assert running.send(traces(50, end_ns=time.time_ns(), bad=7)).status_code == 200
        groups = running.get("/api/v1/slis/availability")["groups"]
        assert [(group["good"], group["total"]) for group in groups] == [(43, 50)]
        assert running.get("/api/v1/traces")["traces"] == []


def test_grpc_counts_too(tmp_path: Path) -> None:
    with serving(write_config(tmp_path, {}, SLOS)) as running, grpc.insecure_channel(running.grpc) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        export(traces(5, end_ns=time.time_ns()), timeout=30)
        groups = running.get("/api/v1/slis/availability")["groups"]
        assert [(group["good"], group["total"]) for group in groups] == [(5, 5)]


def test_metrics_satisfy_promtool_and_errors_have_one_shape(tmp_path: Path) -> None:
    promtool = require_program("promtool", "prometheus")
    with serving(write_config(tmp_path, {}, SLOS)) as running:
        assert running.send(traces(20, end_ns=time.time_ns(), bad=1)).status_code == 200
        running.wait_for("/api/v1/slos/availability", lambda slo: slo["groups"][0]["total"] == 20)
        text = httpx.get(f"{running.url}/metrics").text
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert checked.stdout + checked.stderr == ""
        labels = 'group="{\\"model\\":\\"m\\"}",service="chat",slo="availability"'
        assert f"tailwatch_slo_sli_ratio{{{labels}}} 0.95" in text
        assert 'tailwatch_records_total{kind="span"} 20.0' in text
        for path, status in (
            ("/api/v1/slos/none", 404),
            ("/api/v1/incidents/INC-9", 404),
            ("/api/v1/traces/xyz", 404),
            ("/api/v1/series?measure=none", 400),
            ("/api/v1/series?by=colour", 400),
            ("/api/v1/series?start=2&end=1", 400),
            ("/api/v1/traces?limit=0", 422),
            ("/nowhere", 404),
        ):
            answer = httpx.get(f"{running.url}{path}")
            assert answer.status_code == status, path
            assert set(answer.json()["error"]) == {"what", "where", "remedy"}


def test_a_new_slo_counts_what_was_stored_before_it(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    with serving(config) as running:
        assert running.send(traces(30, end_ns=time.time_ns(), bad=3)).status_code == 200
        assert running.terminate() == 0
    config = write_config(tmp_path, {}, SLOS)
    for _ in range(2):
        with serving(config) as running:
            groups = running.get("/api/v1/slis/availability")["groups"]
            assert [(group["good"], group["total"]) for group in groups] == [(27, 30)]
            assert running.terminate() == 0


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def fails(result: subprocess.CompletedProcess[str], *expected: str) -> None:
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    for text in expected:
        assert text in result.stderr


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = write_config(tmp_path, {"http": address})
        fails(run("--config", config, "serve", cwd=tmp_path), address, "Address already in use", "TAILWATCH_HTTP")
        config = write_config(tmp_path, {"grpc": address})
        fails(run("--config", config, "serve", cwd=tmp_path), address, "gRPC")


def test_a_second_server_on_the_same_file_is_one_sentence_by_whatever_path(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    database = tmp_path / "data" / "tailwatch.db"
    others = [
        config,
        *(
            write_config(tmp_path / "other", {"database_url": f"sqlite:///{path}"}).rename(tmp_path / f"{place}.yaml")
            for place, path in enumerate([database, tmp_path / "link" / "tailwatch.db"])
        ),
    ]
    with serving(config) as first:
        for other in others:
            fails(run("--config", other, "serve", cwd=tmp_path), "another tailwatch serve", str(database), "PostgreSQL")
        assert first.get("/readyz") == {"status": "ready"}
        first.process.kill()
        first.process.wait()
    with serving(others[1]) as second:
        assert second.get("/readyz") == {"status": "ready"}, "the lock of who was killed holds up nobody"


def test_a_window_longer_than_counters_are_kept_is_one_sentence(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"rollup_retention": "7d"}, SLOS)
    fails(run("--config", config, "serve", cwd=tmp_path), "slos.yaml:9", "availability.window", "rollup_retention")


def test_a_data_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = write_config(tmp_path, {"data_dir": "file/data"})
    fails(run("--config", config, "serve", cwd=tmp_path), str(tmp_path / "file"))


def test_a_database_of_a_newer_schema_is_one_sentence(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    assert run("--config", config, "db", "upgrade", cwd=tmp_path).returncode == 0
    with sqlite3.connect(tmp_path / "data" / "tailwatch.db") as database:
        database.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    fails(run("--config", config, "serve", cwd=tmp_path), "9999", "newer")


def test_faults_in_files_are_all_named(tmp_path: Path) -> None:
    config = write_config(tmp_path, {}, SLOS.replace("objective: 99.5%", "objectiv: 99.5%").replace("30d", "30q"))
    expected = ("slos.yaml:8: slos[0].objectiv", "did you mean objective?", "is missing", "slos.yaml:9", "30q")
    fails(run("--config", config, "serve", cwd=tmp_path), *expected)
    config = write_config(tmp_path, {"colour": "blue"})
    fails(run("--config", config, "serve", cwd=tmp_path), "unknown key colour")
    fails(run("--config", tmp_path / "none.yaml", "serve", cwd=tmp_path), "none.yaml", "does not exist")


def test_lint_names_every_fault_and_passes_what_is_right(tmp_path: Path) -> None:
    right = tmp_path / "right.yaml"
    right.write_text(SLOS)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(SLOS.replace("99.5%", "150%").replace("errors: {}", "latency: {measure: time, below: 2}"))
    good = run("slo", "lint", right, cwd=tmp_path)
    assert (good.returncode, good.stdout) == (0, "1 SLO without errors\n")
    bad = run("slo", "lint", wrong, cwd=tmp_path)
    assert bad.returncode == 1
    assert f"{wrong}:6:" in bad.stdout
    assert f"{wrong}:8:" in bad.stdout
    assert "2 errors" in bad.stdout


def test_the_console_script_is_installed() -> None:
    assert shutil.which("tailwatch", path=str(Path(command()[0]).parent)) is not None
