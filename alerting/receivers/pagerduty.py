"""A PagerDuty service, told by Events API v2: a group of an incident's alerts is one alert there, until its end.

Limits: https://developer.pagerduty.com/docs/send-alert-event (summary 1,024 characters, 512 KB in all).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.http import DEADLINE_S, IDEMPOTENCY_HEADER, Post, post
from alerting.receivers.protocol import identity
from alerting.receivers.story import facts, headline, story
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.rfc3339 import format_time
from alerting.secret_references import SecretReference
from alerting.texts import cut, flat

URL: Final = "https://events.pagerduty.com/v2/enqueue"
MAX_SUMMARY: Final = 1024
MAX_FIELD: Final = 255
_SEVERITIES: Final = {"page": "critical", "ticket": "warning"}


@dataclass(frozen=True, slots=True)
class PagerDutyReceiver:
    """Sends events with an integration's key, which is a secret."""

    name: str
    routing_key: SecretReference
    url: str = URL
    send_resolved: bool = True
    deadline_s: float = DEADLINE_S
    trust: Trust = PUBLIC_ONLY
    part: str = ""
    access: Access = PLAIN

    @property
    def id(self) -> str:
        """Unique: the name, the kind, and the part where there are several of it."""
        return identity(self.name, "pagerduty", self.part)

    def check(self) -> None:
        """Raise unless the routing key is there.

        Raises:
            ConfigError: it is missing.
        """
        self.routing_key.read()
        self.access.check()

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once."""
        key = self.routing_key.read()
        headers = {"Content-Type": "application/json", IDEMPOTENCY_HEADER: idempotency_key}
        body = json.dumps({"routing_key": key, **event(notification)}, ensure_ascii=False).encode()
        return post(Post(self.url, body, headers), now_ns, self.deadline_s, self.trust, self.access)


def event(notification: Notification) -> dict[str, Any]:
    """The event without its routing key."""
    incident, url = notification.incident, notification.incident_url
    if notification.phase == "resolved":
        return {"event_action": "resolve", "dedup_key": dedup_key(notification)}
    return {
        "event_action": "trigger",
        "dedup_key": dedup_key(notification),
        "client": "Tailwatch",
        **({"client_url": url, "links": [{"href": url, "text": "Incident and runbook"}]} if url else {}),
        "payload": {
            "summary": cut(headline(notification), MAX_SUMMARY),
            "source": cut(flat(incident["service"]) or "tailwatch", MAX_FIELD),
            "severity": _SEVERITIES[incident["severity"]],
            "timestamp": format_time(incident["opened_at"]),
            "component": cut(flat(incident["slo"]), MAX_FIELD),
            "group": cut(flat(incident["service"]), MAX_FIELD),
            "class": cut(flat(incident["cause"]), MAX_FIELD),
            "custom_details": {
                **facts(notification),
                **{title or "Summary": "\n".join(lines) for title, lines in story(notification)},
            },
        },
    }


def dedup_key(notification: Notification) -> str:
    """The same for all that is told of one group of one incident; two installations of one account differ."""
    incident = notification.incident
    identity = f"{notification.external_url}|{incident['id']}|{incident['opened_at']}|{notification.group_key}"
    return f"tailwatch-{hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()}"
