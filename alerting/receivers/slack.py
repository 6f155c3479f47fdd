"""A Slack channel, told by incoming webhook; whatever it is given, the message stays within Slack's limits."""

from __future__ import annotations

import json
from dataclasses import dataclass

from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.http import DEADLINE_S, IDEMPOTENCY_HEADER, Post, post
from alerting.receivers.protocol import identity
from alerting.receivers.slack_message import message
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.secret_references import SecretReference


@dataclass(frozen=True, slots=True)
class SlackReceiver:
    """Posts Block Kit to an incoming webhook; the hook's URL is a secret. ``channel`` works for legacy hooks only."""

    name: str
    webhook_url: SecretReference
    channel: str | None = None
    send_resolved: bool = True
    deadline_s: float = DEADLINE_S
    trust: Trust = PUBLIC_ONLY
    part: str = ""
    access: Access = PLAIN

    @property
    def id(self) -> str:
        """Unique: the name, the kind, and the part where there are several of it."""
        return identity(self.name, "slack", self.part)

    def check(self) -> None:
        """Raise unless the hook's URL is there.

        Raises:
            ConfigError: it is missing.
        """
        self.webhook_url.read()
        self.access.check()

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once."""
        url = self.webhook_url.read()
        document = message(notification) | ({"channel": self.channel} if self.channel else {})
        headers = {"Content-Type": "application/json; charset=utf-8", IDEMPOTENCY_HEADER: idempotency_key}
        return post(Post(url, json.dumps(document).encode(), headers), now_ns, self.deadline_s, self.trust, self.access)
