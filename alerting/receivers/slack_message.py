"""A notification as Slack's Block Kit; pure, and cut to Slack's limits, since a refused message is a lost page.

Limits: https://docs.slack.dev/reference/block-kit/blocks; characters are counted as in UTF-16, which is never too few.
All blocks together may hold 12,000 of text and some more for what is around it
(https://github.com/slackapi/bolt-js/issues/2509). Messages of less text in many blocks were refused too, so all of
their JSON keeps to it here. Text is marked ``verbatim``, and ``& < >`` are escaped
(https://docs.slack.dev/messaging/formatting-message-text), so that no value from telemetry mentions a channel or
becomes a link.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from alerting.notifications import Notification
from alerting.receivers.story import facts, footer, headline, story

MAX_BLOCKS: Final = 50
MAX_HEADER: Final = 150
MAX_SECTION: Final = 3000
MAX_FIELD: Final = 2000
MAX_FIELDS: Final = 10
MAX_URL: Final = 3000
MAX_TOTAL: Final = 12_000
"""Characters of all blocks as JSON."""
_MAX_FACT: Final = 600
"""Of what a field could hold, since the story needs room beside all of them."""

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Block = dict[str, Any]


def message(notification: Notification) -> dict[str, Any]:
    """The message: header, facts, summary, evidence, the runbook's first step, buttons; and a text for previews."""
    blocks = [
        _header(notification),
        _facts(notification),
        *_sections(notification),
        *_buttons(notification),
        _context(notification),
    ]
    return {"text": _mrkdwn(headline(notification), MAX_SECTION), "blocks": fit(blocks)}


def fit(blocks: Sequence[Block]) -> list[Block]:
    """The blocks within Slack's limits on their number and total: later sections give way, the frame stays."""
    kept = list(blocks)
    while len(kept) > MAX_BLOCKS or size(kept) > MAX_TOTAL:
        droppable = [place for place, block in enumerate(kept) if block["type"] == "section" and "fields" not in block]
        kept.pop(droppable[-1] if droppable else len(kept) - 1)
    return kept


def size(blocks: Sequence[Block]) -> int:
    """What blocks take of :data:`MAX_TOTAL`."""
    return _width(json.dumps(blocks, ensure_ascii=False))


def _header(notification: Notification) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": _fitted(headline(notification), MAX_HEADER, {})}}


def _facts(notification: Notification) -> Block:
    told = facts(notification).items()
    fields = [_text(f"*{name}*\n{_mrkdwn(value, _MAX_FACT)}") for name, value in told]
    return {"type": "section", "fields": fields[:MAX_FIELDS]}


def _sections(notification: Notification) -> Iterable[Block]:
    for title, lines in story(notification):
        text = _mrkdwn("\n".join(lines if len(lines) == 1 else [f"• {line}" for line in lines]), MAX_SECTION - 300)
        heading = f"*{_mrkdwn(title, 280)}*\n" if title else ""
        yield {"type": "section", "text": _text(heading + text)}


def _buttons(notification: Notification) -> Iterable[Block]:
    url = notification.incident_url
    if not url or len(url) > MAX_URL:
        return
    yield {
        "type": "actions",
        "elements": [
            _button("Open incident and runbook", url, "incident"),
            _button("All incidents", f"{notification.external_url}/incidents", "incidents"),
        ],
    }


def _button(label: str, url: str, action: str) -> Block:
    return {"type": "button", "text": {"type": "plain_text", "text": label}, "url": url, "action_id": action}


def _context(notification: Notification) -> Block:
    return {"type": "context", "elements": [_text(_mrkdwn(footer(notification), 300))]}


def _text(mrkdwn: str) -> Block:
    return {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}


def _mrkdwn(text: str, limit: int) -> str:
    """Text escaped for Slack, at most ``limit`` characters long after escaping."""
    return _fitted(text, limit, _ESCAPES)


def _fitted(text: str, limit: int, escapes: Mapping[str, str]) -> str:
    """Text escaped and cut, no escape in two."""
    escaped = [escapes.get(letter, letter) for letter in text]
    length = sum(map(_width, escaped))
    if length <= limit:
        return "".join(escaped)
    while escaped and length > limit - 1:
        length -= _width(escaped.pop())
    return "".join(escaped) + "…"


def _width(text: str) -> int:
    """Its length in UTF-16."""
    return len(text) + sum(letter > "\uffff" for letter in text)
