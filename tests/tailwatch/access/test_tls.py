"""A real server that speaks TLS, as exporters, amtool, Prometheus, the dashboard and commands meet it."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import ssl
import subprocess
from pathlib import Path

import grpc
import httpx
import pytest
import tailwatch_sdk
from cryptography import x509
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from dashboard.client import Client, ServiceError
from dashboard.settings import Settings
from tests.external import require_program
from tests.tailwatch.access.certificates import DAY, Authority
from tests.tailwatch.access.house import House, exported, wait_for
from tests.tailwatch.running import command, refused_start, serving, write_config


def spans(house: House) -> int:
    found: int = house.ask("GET", "/api/v1/status", "read").json()["counters"]["spans"]
    return found


@pytest.fixture
def exporters_trust(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(authority.ca_file))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # for requests these come before what exporters say
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("exporters_trust")
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_stock_exporters(house: House, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{house.secrets['ingest']}")
    exporter: SpanExporter
    if protocol == "http":
        exporter = HttpExporter(endpoint=f"{house.running.url}/v1/traces", timeout=60)
    else:
        exporter = GrpcExporter(endpoint=f"https://{house.running.grpc}", timeout=60)
    before = spans(house)
    assert exported(exporter) is SpanExportResult.SUCCESS
    assert spans(house) - before == 1


@pytest.mark.usefixtures("exporters_trust")
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_sdk(house: House, protocol: str) -> None:
    endpoint = house.running.url if protocol != "grpc" else f"https://{house.running.grpc}"
    headers = {"Authorization": f"Bearer {house.secrets['ingest']}"}
    before = spans(house)
    tailwatch_sdk.configure(service_name="chat", endpoint=endpoint, protocol=protocol, headers=headers)
    try:
        with tailwatch_sdk.inference_span("chat", model="m"):
            pass
        assert tailwatch_sdk.flush(timeout_s=60)
    finally:
        tailwatch_sdk.shutdown()
    assert spans(house) - before == 1


def test_whoever_does_not_know_the_authority_refuses(house: House) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{house.running.url}/healthz")
    with (
        grpc.secure_channel(house.running.grpc, grpc.ssl_channel_credentials()) as channel,
        pytest.raises(grpc.FutureTimeoutError),
    ):
        grpc.channel_ready_future(channel).result(timeout=1)


def test_who_speaks_no_tls_gets_no_answer(house: House) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(house.running.url.replace("https", "http") + "/healthz", timeout=30)
    assert house.ask("GET", "/healthz").status_code == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_is_spoken(house: House, authority: Authority, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.minimum_version = context.maximum_version = version
    assert httpx.get(f"{house.running.url}/healthz", verify=context).status_code == 200


def test_amtool(house: House, authority: Authority, tmp_path: Path) -> None:
    program = require_program("amtool", "prometheus-alertmanager")
    config = tmp_path / "amtool.yaml"
    secret = tmp_path / "token"
    secret.write_text(house.secrets["respond"])
    config.write_text(
        json.dumps(
            {
                "authorization": {"type": "Bearer", "credentials_file": str(secret)},
                "tls_config": {"ca_file": str(authority.ca_file)},
            }
        )
    )
    base = [program, f"--alertmanager.url={house.running.url}", f"--http.config.file={config}"]
    made = subprocess.run(
        [*base, "silence", "add", "service=tls", "-c", "c", "-a", "ada", "-d", "1h"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    silences = house.ask("GET", "/api/v2/silences", "read").json()
    assert made.stdout.strip() in [one["id"] for one in silences]


def test_the_dashboards_client(house: House, authority: Authority) -> None:
    settings = Settings(house.running.url, house.secrets["read"], ca_file=str(authority.ca_file))
    assert Client(settings).status().version
    with pytest.raises(ServiceError, match="its certificate does not count; TAILWATCH_CA_FILE names"):
        Client(Settings(house.running.url, house.secrets["read"])).status()


def test_commands_know_their_own_service_by_its_certificate(house: House, authority: Authority, folder: Path) -> None:
    config = folder / "tailwatch.yaml"
    environment = {**os.environ, "TAILWATCH_TOKEN": house.secrets["admin"]}

    def reload(*more: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command("--config", config, "reload", *more), capture_output=True, text=True, check=False, timeout=120,
            env=environment | variables, cwd=folder,
        )  # fmt: skip

    own = reload()
    assert own.returncode == 0, own.stderr
    named = house.running.url.replace("127.0.0.1", "localhost")
    known = reload("--url", named, TAILWATCH_CA_FILE=str(authority.ca_file))
    assert known.returncode == 0, known.stderr
    unknown = reload("--url", named)
    assert unknown.returncode == 1
    assert "certificate verify failed" in unknown.stderr
    assert "TAILWATCH_CA_FILE" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def shown(house: House, authority: Authority, address: str) -> int:
    """The serial number of the certificate that is shown there."""
    host, port = address.split(":")
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        certificate = tls.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


def test_a_renewed_certificate_counts_without_a_restart(house: House, authority: Authority) -> None:
    addresses = [house.running.url.removeprefix("https://"), house.running.grpc]
    with httpx.Client(verify=house.running.tls, base_url=house.running.url) as before:  # type: ignore[arg-type]
        assert before.get("/healthz").status_code == 200
        issued = authority.issue()
        renewed = x509.load_pem_x509_certificate(issued.cert_file.read_bytes()).serial_number
        wait_for(lambda: [shown(house, authority, one) for one in addresses], [renewed, renewed])
        assert before.get("/healthz").status_code == 200, "who was connected stays so"
    issued.cert_file.write_bytes(authority.issue("other").cert_file.read_bytes())
    wait_for(lambda: house.running.log.read_text().count("not renewed, and the one before goes on"), 1)
    assert [shown(house, authority, one) for one in addresses] == [renewed, renewed]
    newest = x509.load_pem_x509_certificate(authority.issue().cert_file.read_bytes()).serial_number
    wait_for(lambda: [shown(house, authority, one) for one in addresses], [newest, newest])


def test_a_server_whose_certificate_cannot_be_used_does_not_start(tmp_path: Path) -> None:
    said = refused_start(tmp_path, tls_cert_file="none.pem", tls_key_file="none.key")
    assert said.startswith(f"tailwatch: tls_cert_file: {tmp_path}/none.pem: the file cannot be read: No such file")


def test_an_expired_certificate_is_told_and_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue(begins=-2 * DAY, lasts=dt.timedelta(days=1))
    config = write_config(tmp_path, {"tls_cert_file": "server.pem", "tls_key_file": "server.key"})
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with serving(config, tls=blind) as running:
        (told,) = running.get("/api/v1/status")["config_problems"]
        assert f"tls_cert_file: {issued.cert_file}: the certificate has expired at" in str(told)
        assert "the certificate has expired" in running.log.read_text()
        metrics = httpx.get(f"{running.url}/metrics", verify=blind).text
    ends = x509.load_pem_x509_certificate(issued.cert_file.read_bytes()).not_valid_after_utc
    (said,) = [line for line in metrics.splitlines() if line.startswith("tailwatch_tls_certificate_not_after")]
    assert float(said.split()[-1]) == ends.timestamp()
