"""Receivers are called at public addresses, and at private ones only where the user says so, whatever a name says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from alerting.config import check_receivers, parse_alerting
from alerting.receivers.trust import PUBLIC_ONLY, Trust, networks_of
from alerting.receivers.webhook import WebhookReceiver
from telemetry.errors import ConfigError
from tests.alerting.hook_server import HookServer, TlsHookServer
from tests.alerting.mail_server import make_certificate, make_expired
from tests.alerting.makers import LOOPBACK, T0, notification, parse

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "0.0.0.0", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "203.0.113.9",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "not an address", "",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_not_permitted(address: str) -> None:
    assert not PUBLIC_ONLY.permit(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_permitted(address: str) -> None:
    assert PUBLIC_ONLY.permit(address)


def test_what_is_allowed_is_permitted_in_every_spelling_and_nothing_else() -> None:
    trust = Trust(networks_of(["10.0.0.0/8", "fd00::/8"]))
    assert all(map(trust.permit, ["10.255.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fd12::1", "1.1.1.1"]))
    assert not any(map(trust.permit, ["127.0.0.1", "169.254.169.254", "fe80::1", "192.168.0.1"]))


def send(url: str, trust: Trust = PUBLIC_ONLY) -> tuple[str, str]:
    outcome = WebhookReceiver("x", url, deadline_s=5.0, trust=trust).send(notification(), "k", T0)
    return outcome.kind, outcome.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0"])
def test_no_spelling_of_this_machine_is_called(hook: HookServer, host: str) -> None:
    kind, reason = send(hook.url.replace("127.0.0.1", host))
    assert (kind, hook.requests) == ("transient", [])
    assert "is not public" in reason
    assert "write allow_private: [" in reason


def test_the_remedy_that_is_told_is_the_one_that_helps(hook: HookServer) -> None:
    _, reason = send(hook.url)
    line = reason.partition("write ")[2].partition(" below")[0]
    assert line == "allow_private: [127.0.0.1]"
    receiver = {"name": "x", "webhook": {"url": hook.url}}
    (allowed,) = parse({"receivers": [receiver], "allow_private": ["127.0.0.1"]}).receivers
    assert allowed.send(notification(), "k", T0).kind == "delivered"


def test_a_name_is_asked_for_once_and_the_vetted_address_is_the_one_connected_to(
    hook: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name server answers a public address first, and this machine to whoever asks again."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host, port, *rest, **named):
        if host != "rebind.example.com":
            return real(host, port, *rest, **named)
        asked.append(host)
        first = "203.0.113.1" if len(asked) == 1 else "127.0.0.1"
        return real(first, port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    kind, reason = send(hook.url.replace("127.0.0.1", "rebind.example.com"))
    assert (kind, hook.requests, len(asked)) == ("transient", [], 1)
    assert "203.0.113.1" in reason


def test_of_several_addresses_the_permitted_one_is_taken(hook: HookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def several(host, port, *rest, **named):
        if host != "several.example.com":
            return real(host, port, *rest, **named)
        return [found for one in ("10.9.9.9", "127.0.0.1") for found in real(one, port, *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    assert send(hook.url.replace("127.0.0.1", "several.example.com"), LOOPBACK) == ("delivered", "")
    assert hook.requests[0].headers["host"].startswith("several.example.com:")


def test_behind_a_proxy_an_address_in_the_url_is_held_to_the_same_rule(
    hook: HookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", hook.url.removesuffix("/hook"))
    monkeypatch.setenv("no_proxy", "")
    assert send("http://169.254.169.254/latest")[0] == "transient"
    assert hook.requests == []
    assert send("http://hooks.example.com/x")[0] == "delivered"
    assert hook.requests[0].line == "POST http://hooks.example.com/x HTTP/1.1"


def test_credentials_in_a_url_are_refused(hook: HookServer) -> None:
    kind, reason = send(hook.url.replace("http://", "http://ada:secret@"), LOOPBACK)
    assert kind == "permanent"
    assert "credentials" in reason
    assert "secret" not in reason
    assert hook.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost")


def test_a_certificate_counts_if_its_authority_and_its_name_are_right(certificate: tuple[Path, Path]) -> None:
    trusting = Trust(LOOPBACK.private, certificate[0])
    with TlsHookServer(certificate) as server:
        url = server.url.replace("http://", "https://")
        named = url.replace("127.0.0.1", "localhost")
        assert send(named, trusting) == ("delivered", "")
        assert send(named, LOOPBACK) == (
            "transient", "could not be reached: TLS failed: its certificate is signed by itself",
        )  # fmt: skip
        assert send(url, trusting)[1] == "could not be reached: TLS failed: its certificate is of another name"
        assert len(server.requests) == 1


def test_a_certificate_counts_until_it_expires(certificate: tuple[Path, Path]) -> None:
    expired = make_expired(*certificate)
    with TlsHookServer(expired) as server:
        named = server.url.replace("http://127.0.0.1", "https://localhost")
        outcome = send(named, Trust(LOOPBACK.private, expired[0]))
        assert outcome == ("transient", "could not be reached: TLS failed: its certificate has expired")
        assert server.requests == []


def test_a_missing_authority_is_told_and_passes(hook: HookServer, tmp_path: Path) -> None:
    kind, reason = send(hook.url, Trust(LOOPBACK.private, tmp_path / "none.pem"))
    assert (kind, hook.requests) == ("transient", [])
    assert reason.startswith("ca_file holds no certificates")
    (tmp_path / "empty.pem").write_text("none")
    for name in ("none.pem", "empty.pem"):
        (problem,) = check_receivers(parse_alerting({"ca_file": name}, folder=tmp_path))
        assert str(problem).startswith("alerting: ca_file holds no certificates")


@pytest.mark.parametrize("networks", [["10.0.0.1/8"], ["example.com"], "10.0.0.0/8", [7]])
def test_mistakes_in_the_configuration_are_told(networks: object) -> None:
    with pytest.raises(ConfigError, match=r"allow_private: .*write"):
        parse({"allow_private": networks})
