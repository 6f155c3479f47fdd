"""How receivers are called: credentials, headers, proxies and TLS of their own, over real connections."""

from __future__ import annotations

import logging
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from alerting.receivers.access import Access, Credentials, Proxy
from alerting.receivers.email import EmailReceiver
from alerting.receivers.tls import Tls
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.receivers.webhook import WebhookReceiver
from alerting.secret_references import SecretReference
from telemetry.errors import ConfigError
from tests.alerting.hook_server import TlsHookServer
from tests.alerting.mail_server import MailServer, make_certificate
from tests.alerting.makers import LOOPBACK, T0, notification
from tests.alerting.proxy_server import ProxyServer
from tests.external import require_program

DIRECT = Proxy(environment=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
def proxy():
    with ProxyServer() as server:
        yield server


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text("s3cr3t\n")
    return SecretReference("file", str(file))


def send(url, access, trust=LOOPBACK):
    receiver = WebhookReceiver("x", url, deadline_s=5.0, trust=trust, access=access)
    outcome = receiver.send(notification(), "k", T0)
    return outcome.kind, outcome.reason


def over_tls(server, host="localhost"):
    return server.url.replace("http://127.0.0.1", f"https://{host}")


def test_credentials_are_those_that_are_asked_for_and_read_each_time(hook, secret):
    for credentials in (
        Credentials(secret), Credentials(secret, "GenieKey"), Credentials(secret, "Basic", "ada"),
        Credentials(secret, "Basic", secret),
    ):  # fmt: skip
        assert send(hook.url, Access(credentials)) == ("delivered", "")
    Path(secret.name).write_text("rotated")
    send(hook.url, Access(Credentials(secret)))
    # Computed with: printf 'ada:s3cr3t' | base64
    assert [request.headers["authorization"] for request in hook.requests] == [
        "Bearer s3cr3t", "GenieKey s3cr3t", "Basic YWRhOnMzY3IzdA==", "Basic czNjcjN0OnMzY3IzdA==", "Bearer rotated",
    ]  # fmt: skip


def test_headers_are_sent_beside_its_own(hook, secret):
    access = Access(headers=(("X-Scope-OrgID", "inference"), ("X-Api-Key", secret)))
    assert send(hook.url, access) == ("delivered", "")
    headers = hook.requests[0].headers
    assert (headers["x-scope-orgid"], headers["x-api-key"]) == ("inference", "s3cr3t")
    assert (headers["content-type"], headers["idempotency-key"]) == ("application/json", "k")


@pytest.mark.parametrize("text", ["two\nlines", "one\r\nX-Evil: yes", "nul\0"])
def test_what_cannot_be_a_header_is_never_sent_and_not_repeated(hook, secret, text):
    Path(secret.name).write_text(text)
    for access in (Access(Credentials(secret)), Access(headers=(("X-Api-Key", secret),))):
        with pytest.raises(ConfigError, match="more than one line"):
            access.check()
        kind, reason = send(hook.url, access)
        assert (kind, hook.requests) == ("transient", [])
        assert "more than one line" in reason
        assert text not in reason


def test_what_is_not_there_is_waited_for(hook, tmp_path, secret):
    gone = SecretReference("file", str(tmp_path / "gone"))
    for access in (
        Access(Credentials(gone)), Access(Credentials(secret, "Basic", gone)), Access(headers=(("X-Key", gone),)),
        Access(proxy=Proxy(gone)), Access(tls=Tls(ca_file=tmp_path / "gone")),
        Access(tls=Tls(cert_file=tmp_path / "gone", key_file=tmp_path / "gone")),
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            access.check()
        kind, reason = send(hook.url, access)
        assert (kind, bool(reason)) == ("transient", True)
    assert hook.requests == []


def test_no_secret_reaches_log_or_reason(hook, secret, caplog):
    with caplog.at_level(logging.DEBUG):
        send(hook.url, Access(Credentials(secret, "Basic", "ada"), headers=(("X-Api-Key", secret),)))
        _, reason = send("http://127.0.0.1:1/", Access(Credentials(secret)))
    assert "s3cr3t" not in caplog.text + reason
    assert "YWRh" not in caplog.text


def test_only_the_authority_of_its_own_counts_where_it_has_one(certificate, tmp_path):
    another = make_certificate(tmp_path, "localhost")
    with TlsHookServer(certificate) as server:
        assert send(over_tls(server), Access(tls=Tls(ca_file=certificate[0]))) == ("delivered", "")
        for trust in (LOOPBACK, Trust(LOOPBACK.private, certificate[0])):
            kind, reason = send(over_tls(server), Access(tls=Tls(ca_file=another[0])), trust)
            assert (kind, reason.partition("TLS failed: ")[2]) == ("transient", "its certificate is signed by itself")
        assert len(server.requests) == 1


def test_a_certificate_may_have_to_name_another_than_the_address_does(certificate):
    ours = Tls(ca_file=certificate[0])
    with TlsHookServer(certificate) as server:
        by_number = over_tls(server, "127.0.0.1")
        assert send(by_number, Access(tls=ours))[1].endswith("its certificate is of another name")
        assert send(by_number, Access(tls=replace(ours, server_name="localhost"))) == ("delivered", "")
        wrong = Access(tls=replace(ours, server_name="elsewhere.example.com"))
        assert send(over_tls(server), wrong)[1].endswith("its certificate is of another name")
        usual = Trust(LOOPBACK.private, certificate[0])
        assert send(by_number, Access(tls=Tls(server_name="localhost")), usual) == ("delivered", "")


def test_who_wants_our_certificate_is_shown_it_as_it_is_now(certificate, tmp_path):
    ours, key = make_certificate(tmp_path, "tailwatch")
    shown = Tls(certificate[0], tmp_path / "shown.pem", key)
    with TlsHookServer(certificate, wanted=ours) as server:
        kind, reason = send(over_tls(server), Access(tls=Tls(certificate[0])))
        assert (kind, server.requests) == ("transient", [])
        assert "could not be reached" in reason
        (tmp_path / "shown.pem").write_text("not yet")
        assert send(over_tls(server), Access(tls=shown))[1].startswith("cert_file and key_file cannot be used")
        (tmp_path / "shown.pem").write_bytes(ours.read_bytes())
        assert send(over_tls(server), Access(tls=shown)) == ("delivered", "")


def test_a_key_with_a_passphrase_is_told_of_and_nobody_is_asked_for_it(certificate, tmp_path):
    locked = tmp_path / "locked.pem"
    openssl = require_program("openssl", "openssl")
    subprocess.run(
        [openssl, "rsa", "-aes256", "-passout", "pass:x", "-in", str(certificate[1]), "-out", str(locked)],
        check=True, capture_output=True,
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"cannot be used.*no passphrase"):
        Access(tls=Tls(cert_file=certificate[0], key_file=locked)).check()


def test_versions_are_bounds(certificate):
    with TlsHookServer(certificate, newest=ssl.TLSVersion.TLSv1_2) as server:
        ours = Tls(ca_file=certificate[0])
        assert send(over_tls(server), Access(tls=replace(ours, min_version="TLS13")))[0] == "transient"
        assert send(over_tls(server), Access(tls=replace(ours, max_version="TLS12"))) == ("delivered", "")


def test_a_proxy_passes_on_what_is_not_encrypted(hook, proxy, secret):
    Path(secret.name).write_text(f"http://ada:pass%40word@{proxy.address}")
    assert send(hook.url, Access(proxy=Proxy(secret))) == ("delivered", "")
    (asked,) = proxy.requests
    assert asked.line == f"POST {hook.url} HTTP/1.1"
    # Computed with: printf 'ada:pass@word' | base64
    assert asked.headers["proxy-authorization"] == "Basic YWRhOnBhc3NAd29yZA=="
    assert len(hook.requests) == 1


def test_a_proxy_sees_nothing_of_what_is_encrypted(certificate, proxy, secret):
    with TlsHookServer(certificate) as server:
        access = Access(
            Credentials(secret), proxy=Proxy(f"http://{proxy.address}"),
            tls=Tls(ca_file=certificate[0], server_name="localhost"),
        )  # fmt: skip
        url = over_tls(server, "hooks.example.com")
        assert send(url, access) == ("delivered", "")
        (asked,) = proxy.requests
        assert asked.line == f"CONNECT {url.removeprefix('https://').removesuffix('/hook')} HTTP/1.1"
        assert "s3cr3t" not in str(asked)
        assert server.requests[0].headers["authorization"] == "Bearer s3cr3t"
        unnamed = replace(access, tls=Tls(ca_file=certificate[0]))
        assert send(url, unnamed)[1].endswith("its certificate is of another name"), "verified behind a proxy too"


@pytest.mark.parametrize("status", [b"403 Forbidden", b"407 Proxy Authentication Required", b"502 Bad Gateway"])
def test_what_a_proxy_refuses_is_tried_again(proxy, status):
    proxy.refusal = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
    kind, reason = send("https://hooks.example.com/secret", Access(proxy=Proxy(f"http://{proxy.address}")))
    assert (kind, bool(reason), "secret" in reason) == ("transient", True, False)


def test_a_proxy_is_asked_for_no_address_that_may_not_be_called(proxy):
    kind, reason = send("http://169.254.169.254/", Access(proxy=Proxy(f"http://{proxy.address}")), PUBLIC_ONLY)
    assert (kind, proxy.requests) == ("transient", [])
    assert "169.254.169.254 is not public" in reason


def test_the_proxy_of_the_environment_counts_unless_it_is_said_not_to(hook, proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("no_proxy", "")
    send(hook.url, Access())
    assert len(proxy.requests) == 1
    send(hook.url, Access(proxy=DIRECT))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    send(hook.url, Access(proxy=Proxy(f"http://{proxy.address}")))
    assert (len(proxy.requests), len(hook.requests)) == (2, 3)


def test_what_is_no_proxy_is_said(hook):
    for text in ("socks5://127.0.0.1:1", "http://", "http://[::1"):
        kind, reason = send(hook.url, Access(proxy=Proxy(text)))
        assert (kind, "the proxy's address is not a URL" in reason) == ("transient", True)


BYPASSED = {
    "example.com": [("example.com", True), ("hooks.example.com", True), ("badexample.com", False), ("com", False)],
    ".example.com": [("example.com", False), ("hooks.example.com", True)],
    "*.example.com": [("example.com", False), ("hooks.example.com", True)],
    "example.com:8443": [("example.com:8443", True), ("example.com", False), ("a.example.com:8443", True)],
    "10.0.0.0/8": [("10.1.2.3", True), ("11.1.2.3", False), ("ten.example.com", False)],
    "10.1.2.3": [("10.1.2.3", True), ("10.1.2.4", False)],
    "2001:db8::/32": [("[2001:db8::1]", True), ("[2001:db9::1]", False)],
    "[::2]:443": [("[::2]:443", True), ("[::2]:80", False)],
    "*": [("anything.example.com", True), ("10.1.2.3", True)],
    "nobody.invalid": [("localhost", True), ("127.0.0.1", True), ("[::1]", True), ("EXAMPLE.com", False)],
    "EXAMPLE.com": [("Hooks.Example.COM", True)],
}  # fmt: skip


@pytest.mark.parametrize("exception", BYPASSED)
def test_for_whom_a_proxy_does_not_count(exception):
    """As Go's golang.org/x/net/http/httpproxy reads NO_PROXY, which Alertmanager uses."""
    proxy = Proxy("http://proxy:3128", bypassed_for=(exception,))
    for target, direct in BYPASSED[exception]:
        host, colon, port = target.rpartition(":") if not target.endswith("]") else (target, "", "")
        found = proxy.to("https", host if colon and port.isdigit() else target, int(port) if port.isdigit() else 443)
        assert (found is None) is direct, target


def test_mail_servers_have_tls_of_their_own_too(certificate):
    with_tls = Tls(ca_file=certificate[0], server_name="localhost")
    server = MailServer(certificate)
    server.start()
    try:
        mail = EmailReceiver("x", "127.0.0.1", server.address, "a@example.com", ("b@example.com",), deadline_s=5.0)
        refused = replace(mail, tls=replace(with_tls, server_name=None)).send(notification(), "k", T0)
        assert (refused.kind, refused.reason) == ("transient", "TLS failed: its certificate is of another name")
        told = replace(mail, tls=with_tls, hello="tailwatch.example.com").send(notification(), "k", T0)
        assert told.kind == "delivered"
        assert len(server.mails) == 1
    finally:
        server.stop()


def test_a_webhook_is_told_of_so_many_alerts_at_most_and_how_many_more_there_are(hook):
    told = notification()
    alerts = [{**told.alerts[0], "fingerprint": f"{place:016x}"} for place in range(5)]
    for most in (0, 3, 5, 9):
        WebhookReceiver("x", hook.url, trust=LOOPBACK, max_alerts=most).send(
            notification(alerts=alerts, truncated=7), "k", T0
        )
    sent = [request.document for request in hook.requests]
    assert [(len(one["alerts"]), one["truncatedAlerts"]) for one in sent] == [(5, 7), (3, 9), (5, 7), (5, 7)]
    assert [alert["fingerprint"] for alert in sent[1]["alerts"]] == [alert["fingerprint"] for alert in alerts[:3]]
