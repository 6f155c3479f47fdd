"""A Microsoft Teams channel, told by a Workflows webhook with an Adaptive Card, cut to Teams' limit of 28 KB.

Teams counts two bytes for most letters, as in UTF-16: bodies of more than 14,000 letters have been refused. Connectors
answer 200 also where Teams refuses a message, with Teams' own status in the text. Values stand in runs of a
RichTextBlock, which Teams shows as they are: none from telemetry becomes a link.
Format: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using and
https://adaptivecards.io/explorer/.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from alerting.notifications import Notification
from alerting.outcomes import Outcome, judge
from alerting.receivers.access import PLAIN, Access
from alerting.receivers.http import DEADLINE_S, IDEMPOTENCY_HEADER, Post, post
from alerting.receivers.protocol import identity
from alerting.receivers.story import facts, footer, headline, story
from alerting.receivers.trust import PUBLIC_ONLY, Trust
from alerting.secret_references import SecretReference
from alerting.texts import cut

MAX_BYTES: Final = 28 * 1024
"""In UTF-16."""
_REFUSED: Final = re.compile(r"Microsoft Teams endpoint returned HTTP error (\d{3})")
_MAX_LINES: Final = 3000

Element = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TeamsReceiver:
    """Posts Adaptive Cards to a webhook of Teams, whose URL is a secret."""

    name: str
    webhook_url: SecretReference
    send_resolved: bool = True
    deadline_s: float = DEADLINE_S
    trust: Trust = PUBLIC_ONLY
    part: str = ""
    access: Access = PLAIN

    @property
    def id(self) -> str:
        """Unique: the name, the kind, and the part where there are several of it."""
        return identity(self.name, "teams", self.part)

    def check(self) -> None:
        """Raise unless the webhook's URL is there.

        Raises:
            ConfigError: it is missing.
        """
        self.webhook_url.read()
        self.access.check()

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once."""
        url = self.webhook_url.read()
        headers = {"Content-Type": "application/json", IDEMPOTENCY_HEADER: idempotency_key}
        request = Post(url, encode(message(notification)), headers, quote=True)
        outcome = post(request, now_ns, self.deadline_s, self.trust, self.access)
        if outcome.kind != "delivered":
            return outcome
        refused = _REFUSED.search(outcome.reason)
        return judge(int(refused[1]), None, "Teams refused the message", now_ns) if refused else Outcome("delivered")


def message(notification: Notification) -> dict[str, Any]:
    """The message with its card; later sections give way where it would be too large."""
    frame = [_text(headline(notification), size="Large"), _facts(notification)]
    sections = [_section(title, lines) for title, lines in story(notification)]
    last = _text(footer(notification), subtle=True)
    found = _message([*frame, *sections, last], notification)
    while size(found) > MAX_BYTES and sections:
        sections.pop()
        found = _message([*frame, *sections, last], notification)
    return found


def encode(document: dict[str, Any]) -> bytes:
    """The message as it is sent."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def size(document: dict[str, Any]) -> int:
    """What the message takes of :data:`MAX_BYTES`."""
    return len(encode(document).decode().encode("utf-16-le"))


def _message(body: list[Element], notification: Notification) -> dict[str, Any]:
    url = notification.incident_url
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open incident and runbook", "url": url}] if url else [],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _facts(notification: Notification) -> Element:
    inlines: list[Element] = []
    for name, value in facts(notification).items():
        inlines += [_run(f"{name}: ", weight="Bolder"), _run(f"{cut(value, 500)}\n")]
    return {"type": "RichTextBlock", "inlines": inlines}


def _section(title: str, lines: list[str]) -> Element:
    heading = [_run(f"{title}\n", weight="Bolder")] if title else []
    return {"type": "RichTextBlock", "inlines": [*heading, _run(cut("\n".join(lines), _MAX_LINES))]}


def _text(text: str, *, size: str = "Default", subtle: bool = False) -> Element:
    run = _run(cut(text, 500), weight="Bolder" if size == "Large" else "Default") | {"size": size, "isSubtle": subtle}
    return {"type": "RichTextBlock", "inlines": [run]}


def _run(text: str, weight: str = "Default") -> Element:
    return {"type": "TextRun", "text": text, "weight": weight}
