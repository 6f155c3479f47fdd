"""A webhook of the user's own, told in Alertmanager's format or in Tailwatch's, and signed if a secret is given.

Tailwatch's format is the notification itself: ``version`` "1", ``reason`` (opened, escalated, updated, reopened,
reminder, resolved), ``status``, ``receiver``, ``group_key``, ``group_labels``, ``incident`` (as the HTTP API gives
it), ``evidence``, ``alerts``, ``truncated_alerts``, ``runbook``, ``incident_url``, ``at``. Each notification is told
at least once; a repeat has the same ``Idempotency-Key``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers import alertmanager
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.http import DEADLINE_S, IDEMPOTENCY_HEADER, Post, post
from alerting.receivers.protocol import identity
from alerting.receivers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.secret_references import SecretReference
from telemetry.windows import NANOS

Format = Literal["alertmanager", "tailwatch"]

VERSION: Final = "1"


@dataclass(frozen=True, slots=True)
class WebhookReceiver:
    """Posts JSON to a URL, which may itself be a secret; of no more than ``max_alerts`` alerts, unless that is 0."""

    name: str
    url: str | SecretReference
    secret: SecretReference | None = None
    format: Format = "alertmanager"
    send_resolved: bool = True
    deadline_s: float = DEADLINE_S
    trust: Trust = PUBLIC_ONLY
    part: str = ""
    access: Access = PLAIN
    max_alerts: int = 0

    @property
    def id(self) -> str:
        """Unique: the name, the kind, and the part where there are several of it."""
        return identity(self.name, "webhook", self.part)

    def check(self) -> None:
        """Raise unless the secrets are there.

        Raises:
            ConfigError: one is missing.
        """
        if isinstance(self.url, SecretReference):
            self.url.read()
        if self.secret is not None:
            self.secret.read()
        self.access.check()

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once."""
        return post(
            self._request(notification, idempotency_key, now_ns), now_ns, self.deadline_s, self.trust, self.access
        )

    def _request(self, notification: Notification, idempotency_key: str, now_ns: int) -> Post:
        notification = _at_most(self.max_alerts, notification)
        document = alertmanager.payload(notification) if self.format == "alertmanager" else tailwatch(notification)
        body = alertmanager.encode(document) if self.format == "alertmanager" else _encode(document)
        timestamp = str(now_ns // NANOS)
        headers = {
            "Content-Type": "application/json",
            IDEMPOTENCY_HEADER: idempotency_key,
            TIMESTAMP_HEADER: timestamp,
        }
        if self.secret is not None:
            headers[SIGNATURE_HEADER] = sign(self.secret.read(), timestamp, body)
        url = self.url.read() if isinstance(self.url, SecretReference) else self.url
        return Post(url, body, headers)


def tailwatch(notification: Notification) -> dict[str, Any]:
    """The notification as Tailwatch's own document."""
    return {
        "version": VERSION,
        "reason": notification.reason,
        "status": "withdrawn" if notification.withdrawn else notification.phase,
        "receiver": notification.receiver,
        "group_key": notification.group_key,
        "group_labels": dict(notification.group_labels),
        "incident": dict(notification.incident),
        "evidence": dict(notification.evidence),
        "alerts": [dict(alert) for alert in notification.alerts],
        "truncated_alerts": notification.truncated,
        "runbook": dict(notification.runbook),
        "incident_url": notification.incident_url,
        "at": notification.at,
    }


def _at_most(count: int, notification: Notification) -> Notification:
    """The notification with its first alerts, which are the gravest, and how many it leaves out; 0 for all."""
    over = len(notification.alerts) - count
    if not count or over <= 0:
        return notification
    return replace(notification, alerts=notification.alerts[:count], truncated=notification.truncated + over)


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
