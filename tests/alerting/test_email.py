"""E-mail, against a real SMTP server: what it says, whom it trusts, and what its refusals mean."""

from __future__ import annotations

import re
import socket
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.receivers.email import MAX_SUBJECT, EmailReceiver, message
from alerting.receivers.trust import Trust
from alerting.secret_references import SecretReference
from telemetry.errors import ConfigError
from tests.alerting.hook_server import drip, raw, silence
from tests.alerting.mail_server import MailServer, make_certificate
from tests.alerting.makers import T0, notification, parse

ADDRESSES = ("ada@example.com", "bob@example.com")


@contextmanager
def running(server):
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def plain():
    with running(MailServer()) as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def receiver_of(port, **changes):
    sender = "Tailwatch <tailwatch@example.com>"
    made = EmailReceiver("x", "localhost", port, sender, ADDRESSES, "none", deadline_s=10.0)
    return replace(made, **changes)


def trusting(certificate):
    return Trust(ca_file=certificate[0])


def test_a_mail_says_it_in_text_and_html(plain):
    assert receiver_of(plain.address).send(notification(), "0123abcd", T0).kind == "delivered"
    (mail,) = plain.mails
    assert plain.recipients == [list(ADDRESSES)]
    assert mail["Subject"] == "🔴 Page INC-7: errors: <!channel> & all"
    assert mail["From"] == "Tailwatch <tailwatch@example.com>"
    assert mail["To"] == "ada@example.com, bob@example.com"
    assert mail["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert mail["Message-ID"] == "<0123abcd@example.com>"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    for part in ("tenant = acme: 9 of 10 bad", "Open a request.", "incident=INC-7"):
        assert part in text.get_content()
        assert part in html.get_content()
    assert "Service: chat" in text.get_content()
    assert "<!channel>" not in html.get_content()
    assert "&lt;http://evil|click&gt;" in html.get_content()


def test_all_of_an_incident_is_one_thread_and_a_repeat_has_the_same_id():
    def headers(told, key):
        mail = message(told, "t@example.com", ADDRESSES, key, T0)
        return mail["Message-ID"], mail["References"], mail["In-Reply-To"]

    first, again, end = (
        headers(notification(), "a"), headers(notification(), "a"), headers(notification(phase="resolved"), "b"),
    )  # fmt: skip
    assert first == again
    assert first[0] != end[0]
    assert first[1:] == end[1:]
    other = headers(notification(incident={**notification().incident, "id": "INC-8"}), "c")
    assert other[1] != first[1]


@pytest.mark.parametrize("direct", [False, True], ids=["starttls", "tls"])
def test_tls_and_a_login(certificate, monkeypatch, direct):
    monkeypatch.setenv("MAIL_PASSWORD", "right")
    with running(MailServer(certificate, direct=direct, login=not direct)) as server:
        receiver = receiver_of(server.address, security="tls" if direct else "starttls", trust=trusting(certificate))
        if not direct:
            receiver = replace(receiver, user="ada", password=SecretReference("env", "MAIL_PASSWORD"))
        assert receiver.send(notification(), "k", T0).reason == ""
        assert len(server.mails) == 1
        assert server.logins == ([] if direct else [("ada", "right")])


@pytest.mark.parametrize("direct", [False, True], ids=["starttls", "tls"])
def test_a_server_that_nobody_vouches_for_is_not_trusted(certificate, direct):
    with running(MailServer(certificate, direct=direct)) as server:
        outcome = receiver_of(server.address, security="tls" if direct else "starttls").send(notification(), "k", T0)
        assert (outcome.kind, outcome.reason) == ("transient", "TLS failed: its certificate is signed by itself")
        assert server.mails == []


def test_a_certificate_for_another_name_is_not_trusted(tmp_path):
    other = make_certificate(tmp_path, "elsewhere.example.com")
    with running(MailServer(other)) as server:
        receiver = receiver_of(server.address, security="starttls", trust=trusting(other))
        assert receiver.send(notification(), "k", T0).reason == "TLS failed: its certificate is of another name"


def test_a_server_without_starttls_is_not_told_in_clear(plain):
    outcome = receiver_of(plain.address, security="starttls").send(notification(), "k", T0)
    assert outcome.kind == "permanent"
    assert "STARTTLS" in outcome.reason
    assert plain.mails == []


def test_a_wrong_password_is_tried_again_since_it_will_be_mended(certificate, monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", "wr0ng")
    with running(MailServer(certificate, login=True)) as server:
        receiver = receiver_of(
            server.address, security="starttls", trust=trusting(certificate), user="ada",
            password=SecretReference("env", "MAIL_PASSWORD"),
        )  # fmt: skip
        outcome = receiver.send(notification(), "k", T0)
    assert outcome.kind == "transient"
    assert outcome.reason.startswith("answered 535")
    assert "wr0ng" not in outcome.reason


@pytest.mark.parametrize(
    ("refusals", "kind", "says"),
    [
        ({ADDRESSES[0]: "550 no such user"}, "delivered", "1 of the recipients were refused"),
        (dict.fromkeys(ADDRESSES, "550 no such user"), "permanent", "550 no such user"),
        ({ADDRESSES[0]: "550 no such user", ADDRESSES[1]: "451 greylisted"}, "transient", "451 greylisted"),
    ],
)
def test_recipients_that_are_refused(plain, refusals, kind, says):
    plain.refuse = refusals
    outcome = receiver_of(plain.address).send(notification(), "k", T0)
    assert outcome.kind == kind
    assert says in outcome.reason


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (silence, "transient"),
        (drip(b"220", b" "), "transient"),
        (raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "transient"),
        (raw(b""), "transient"),
        (raw(b"421 too busy\r\n"), "transient"),
        (raw(b"554 go away\r\n"), "permanent"),
    ],
    ids=["silent", "a byte now and then", "not SMTP", "gone", "busy", "refused"],
)
def test_servers_that_misbehave(hook, answer, kind):
    hook.speaks_first = answer
    port = int(hook.url.rpartition(":")[2].partition("/")[0])
    outcome = receiver_of(port, deadline_s=0.5).send(notification(), "k", T0)
    assert outcome.kind == kind
    assert outcome.reason


def test_who_is_not_there_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = receiver_of(port).send(notification(), "k", T0)
    assert (outcome.kind, outcome.reason) == ("transient", "could not be reached: ConnectionRefusedError")


def test_whose_name_nobody_knows_is_tried_again():
    outcome = receiver_of(25, host="nobody.invalid").send(notification(), "k", T0)
    assert (outcome.kind, outcome.reason) == ("transient", "could not be reached: gaierror")


def test_a_missing_file_of_authorities_is_said_and_passes_once_it_is_there(certificate, tmp_path):
    ca_file = tmp_path / "ca.pem"
    with running(MailServer(certificate)) as server:
        receiver = receiver_of(server.address, security="starttls", trust=Trust(ca_file=ca_file))
        with pytest.raises(ConfigError, match="ca_file holds no certificates"):
            receiver.send(notification(), "k", T0)
        ca_file.write_bytes(certificate[0].read_bytes())
        assert receiver.send(notification(), "k", T0).kind == "delivered"


def test_what_labels_hold_is_neither_markup_nor_a_header(plain):
    text = "<script>alert(1)</script><img src=x onerror=alert(1)>\"' &lt;b&gt;\r\nBcc: eve@evil.example\r\n\r\n.\r\n"
    told = notification()
    incident = {**told.incident, **dict.fromkeys(["title", "service", "slo"], text), "slice": {text: text}}
    evidence = {**told.evidence, "summary": text, "changes": [{"text": text}]}
    huge = {**evidence, "summary": "𝕏" * 200_000}
    for one in (evidence, huge):
        mail = notification(incident=incident, evidence=one, runbook={**told.runbook, "first_step": text})
        assert receiver_of(plain.address).send(mail, "k", T0).kind == "delivered"
    assert plain.recipients == [list(ADDRESSES)] * 2
    for mail in plain.mails:
        assert mail["Bcc"] is None
        html = mail.get_body(("html",))
        assert html is not None
        tags = set(re.findall(r"<(/?[a-z0-9]+)", html.get_content()))
        assert {tag.lstrip("/") for tag in tags} <= {
            "html", "body", "h2", "h3", "table", "tr", "th", "td", "p", "br", "a", "small",
        }  # fmt: skip
        assert len(mail.as_bytes()) < 100_000


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=400), st.text(max_size=400))
def test_whatever_is_said_is_a_mail(title, value):
    evidence = {**notification().evidence, "summary": value}
    incident = {**notification().incident, "title": title, "slice": {"tenant": value}}
    mail = message(notification(evidence=evidence, incident=incident), "t@example.com", ADDRESSES, "k", T0)
    assert len(mail["Subject"]) <= MAX_SUBJECT
    assert b"\nBcc:" not in mail.as_bytes()


def test_the_configuration():
    mail = {
        "smarthost": "mail.example.com:587", "from": "Tailwatch <t@example.com>", "to": ["ada@example.com"],
        "user": "t", "password_env": "MAIL_PASSWORD",
    }  # fmt: skip
    (trusting,) = parse({"receivers": [{"name": "x", "email": mail}], "ca_file": "/etc/ca.pem"}).receivers
    assert trusting.trust == Trust(ca_file=Path("/etc/ca.pem"))
    (receiver,) = parse({"receivers": [{"name": "x", "email": mail}]}).receivers
    assert receiver == EmailReceiver(
        "x", "mail.example.com", 587, "Tailwatch <t@example.com>", ("ada@example.com",), "starttls", "t",
        SecretReference("env", "MAIL_PASSWORD"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"smarthost": "mail.example.com"}, "smarthost"),
        ({"to": []}, "email.to"),
        ({"from": "nobody"}, "email.from"),
        ({"from": "a@b\r\nBcc: c@d"}, "email.from"),
        ({"user": "t"}, "exactly one of password_env, password_file is needed"),
        ({"password_env": "X"}, "there is a password and no user"),
        ({"user": "t", "password_env": "X", "security": "none"}, "a password would be sent in clear"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(change, says):
    mail = {"smarthost": "mail.example.com:587", "from": "t@example.com", "to": ["ada@example.com"], **change}
    with pytest.raises(ConfigError, match=says):
        parse({"receivers": [{"name": "x", "email": mail}]})
