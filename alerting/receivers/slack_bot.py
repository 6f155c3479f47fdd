"""A Slack channel, told by a bot with chat.postMessage: what follows goes into the thread of the first message.

Answers: https://docs.slack.dev/reference/methods/chat.postMessage. Slack answers 200 also to what it refuses.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.http import DEADLINE_S, IDEMPOTENCY_HEADER, Post, post
from alerting.receivers.protocol import identity
from alerting.receivers.slack_message import message
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.secret_references import SecretReference

URL: Final = "https://slack.com/api/chat.postMessage"
_PASSING: Final = frozenset(
    {
        "fatal_error", "internal_error", "ratelimited", "rate_limited", "request_timeout", "service_unavailable",
        "invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive",
    }
)  # fmt: skip
"""Errors that pass: Slack's own, and those of a token, which is read anew each time."""


@dataclass(frozen=True, slots=True)
class SlackBotReceiver:
    """Posts Block Kit as a bot; its token is a secret.

    The end of an incident is also shown in the channel, since who has left the thread wants to know it.
    """

    name: str
    token: SecretReference
    channel: str
    send_resolved: bool = True
    deadline_s: float = DEADLINE_S
    trust: Trust = PUBLIC_ONLY
    url: str = URL
    part: str = ""
    access: Access = PLAIN

    @property
    def id(self) -> str:
        """Unique: the name, the kind, and the part where there are several of it."""
        return identity(self.name, "slack", self.part)

    def check(self) -> None:
        """Raise unless the token is there.

        Raises:
            ConfigError: it is missing.
        """
        self.token.read()
        self.access.check()

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once."""
        token = self.token.read()
        document = {"channel": self.channel, "unfurl_links": False, **message(notification)}
        if notification.thread:
            document["thread_ts"] = notification.thread
            document["reply_broadcast"] = notification.reason in ("resolved", "reopened", "escalated")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {token}",
            IDEMPOTENCY_HEADER: idempotency_key,
        }
        request = Post(self.url, json.dumps(document).encode(), headers, judge_answer)
        return post(request, now_ns, self.deadline_s, self.trust, self.access)


def judge_answer(answer: bytes) -> Outcome:
    """What the body of a 200 means: the message's ``ts`` names the thread that it begins."""
    try:
        document: Any = json.loads(answer)
        if document["ok"] is True:
            return Outcome("delivered", handle=str(document["ts"]))
        error = str(document["error"])
    except (ValueError, TypeError, KeyError):
        return Outcome("transient", "answered 200 with something that is not Slack's")
    return Outcome("transient" if error in _PASSING else "permanent", f"Slack refused the message: {error[:100]}")
