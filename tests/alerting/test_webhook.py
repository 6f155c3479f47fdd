"""What a webhook is sent: Alertmanager's payload and the rich one, and the signature by which it knows the sender."""

from __future__ import annotations

import json

from alerting.receivers import alertmanager
from alerting.receivers.signature import sign, verify
from alerting.receivers.webhook import WebhookReceiver
from alerting.secret_references import SecretReference
from tests.alerting.makers import LOOPBACK, T0, notification

KEY = "0123456789abcdef"
SECRET = "a secret of the tests"


def webhook(hook, monkeypatch):
    monkeypatch.setenv("TEST_SECRET", SECRET)
    return WebhookReceiver("oncall", hook.url, SecretReference("env", "TEST_SECRET"), trust=LOOPBACK)


def test_a_rotated_secret_file_counts_at_once(tmp_path, hook):
    file = tmp_path / "secret"
    receiver = WebhookReceiver("x", hook.url, SecretReference("file", str(file)), trust=LOOPBACK)
    for secret in ("one", "two\n"):
        file.write_text(secret)
        receiver.send(notification(), KEY, T0)
        sent = hook.requests[-1]
        timestamp, signature = sent.headers["x-tailwatch-timestamp"], sent.headers["x-tailwatch-signature"]
        assert verify(secret.strip(), timestamp, sent.body, signature, now_s=T0 / 1e9)


def test_a_signature_holds_for_this_secret_body_and_time_only(monkeypatch, hook):
    webhook(hook, monkeypatch).send(notification(), KEY, T0)
    sent = hook.requests[0]
    timestamp, signature = sent.headers["x-tailwatch-timestamp"], sent.headers["x-tailwatch-signature"]
    now_s = T0 / 1e9
    assert verify(SECRET, timestamp, sent.body, signature, now_s=now_s)
    assert not verify("another", timestamp, sent.body, signature, now_s=now_s)
    assert not verify(SECRET, timestamp, sent.body + b" ", signature, now_s=now_s)
    assert not verify(SECRET, str(int(timestamp) + 1), sent.body, signature, now_s=now_s)
    assert not verify(SECRET, timestamp, sent.body, signature, now_s=now_s + 301)
    assert not verify(SECRET, "²", sent.body, signature, now_s=now_s)
    assert not verify(SECRET, timestamp, sent.body, "sha256=é", now_s=now_s)
    # Computed with: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    assert sign("key", "1700000000", b"{}") == (
        "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    )


def test_alertmanagers_payload(monkeypatch, hook):
    webhook(hook, monkeypatch).send(notification(), KEY, T0)
    body = hook.requests[0].body
    document = json.loads(body)
    assert list(document) == [
        "receiver", "status", "alerts", "groupLabels", "commonLabels", "commonAnnotations", "externalURL", "version",
        "groupKey", "truncatedAlerts",
    ]  # fmt: skip
    (alert,) = document["alerts"]
    assert list(alert) == ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"]
    assert (alert["startsAt"], alert["endsAt"]) == ("2023-11-14T22:13:10.5Z", "0001-01-01T00:00:00Z")
    assert (document["version"], document["groupKey"], document["truncatedAlerts"]) == (
        "4", '{}/{severity="page"}:{incident="INC-7"}', 0,
    )  # fmt: skip
    assert alert["fingerprint"] == "00ff00ff00ff00ff"
    assert document["commonLabels"] == alert["labels"]
    assert b"\\u003cb\\u003e" in body
    assert b"<" not in body, "Go escapes it"


def test_alertmanagers_payload_of_the_end():
    ended = {**notification().alerts[0], "state": "resolved", "ends_at": 1_700_000_100.0}
    document = alertmanager.payload(notification(phase="resolved", reason="resolved", alerts=[ended]))
    assert document["status"] == document["alerts"][0]["status"] == "resolved"
    assert document["alerts"][0]["endsAt"] == "2023-11-14T22:15:00Z"


def test_tailwatchs_own_format(hook):
    WebhookReceiver("oncall", hook.url, format="tailwatch", trust=LOOPBACK).send(notification(), KEY, T0)
    document = hook.requests[0].document
    assert (document["version"], document["reason"], document["status"]) == ("1", "opened", "firing")
    assert document["evidence"]["attribution"][0]["value"] == "acme"
    assert document["incident_url"] == "https://tailwatch.example.com/incidents?incident=INC-7"
    assert "x-tailwatch-signature" not in hook.requests[0].headers
