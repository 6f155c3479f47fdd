"""A notification as Slack's Block Kit; pure, and cut to Slack's limits, since a refused message is a lost page.

Limits: https://docs.slack.dev/reference/block-kit/blocks. Text is marked ``verbatim``, and ``& < >`` are escaped
(https://docs.slack.dev/messaging/formatting-message-text), so that no value from telemetry mentions a channel or
becomes a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from alerting.notifications import Notification
from alerting.runbooks.markdown import number, percent, seconds, utc
from alerting.texts import cut, flat
from telemetry.findings import CAUSES

MAX_BLOCKS: Final = 50
MAX_HEADER: Final = 150
MAX_SECTION: Final = 3000
MAX_FIELD: Final = 2000
MAX_FIELDS: Final = 10
MAX_URL: Final = 3000
MAX_TOTAL: Final = 13_000
"""Characters in all texts of a message together."""

_ROWS: Final = 4
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Block = dict[str, Any]


def message(notification: Notification) -> dict[str, Any]:
    """The message: header, facts, summary, evidence, the runbook's first step, buttons; and a text for previews."""
    blocks = [
        _header(notification),
        _facts(notification),
        *_sections(_story(notification)),
        *_buttons(notification),
        _context(notification),
    ]
    return {"text": _mrkdwn(_headline(notification), MAX_SECTION), "blocks": fit(blocks)}


def fit(blocks: Sequence[Block]) -> list[Block]:
    """The blocks within Slack's limits on their number and total: later sections give way, the frame stays."""
    kept = list(blocks)
    while len(kept) > MAX_BLOCKS or sum(map(_length, kept)) > MAX_TOTAL:
        droppable = [place for place, block in enumerate(kept) if block["type"] == "section" and "fields" not in block]
        kept.pop(droppable[-1] if droppable else len(kept) - 1)
    return kept


def _length(block: Block) -> int:
    texts = [block.get("text"), *block.get("fields", ())]
    texts += [element.get("text", element) for element in block.get("elements", ())]
    return sum(len(text["text"]) if isinstance(text, dict) else len(str(text or "")) for text in texts)


def _headline(notification: Notification) -> str:
    incident = notification.incident
    if notification.phase == "resolved":
        mark = "⚪ Withdrawn" if notification.withdrawn else "✅ Resolved"
    elif incident["severity"] == "page":
        mark = "🔴 Page"
    else:
        mark = "🟠 Ticket"
    return f"{mark} {incident['id']}: {flat(incident['title'])}"


def _header(notification: Notification) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": cut(_headline(notification), MAX_HEADER)}}


def _facts(notification: Notification) -> Block:
    incident, evidence = notification.incident, notification.evidence
    where = ", ".join(f"{name} = {value}" for name, value in sorted(incident["slice"].items()))
    remaining = evidence["budget"].get("remaining")
    facts = {
        "Service": incident["service"],
        "SLO": incident["slo"],
        "Cause": CAUSES.get(incident["cause"], incident["cause"]),
        "Where": where or "all of the traffic",
        "Budget left": percent(remaining) if remaining is not None else "",
        "Confidence": percent(evidence["confidence"]) if evidence["confidence"] is not None else "",
        "Alerts": _alert_names(notification),
    }
    fields = [_text(f"*{name}*\n{_mrkdwn(flat(value), MAX_FIELD - 40)}") for name, value in facts.items() if value]
    return {"type": "section", "fields": fields[:MAX_FIELDS]}


def _alert_names(notification: Notification) -> str:
    names = list(dict.fromkeys(str(alert["name"]) for alert in notification.alerts))
    more = len(names) - _ROWS
    return ", ".join(names[:_ROWS]) + (f" and {more} more" if more > 0 else "")


def _story(notification: Notification) -> Iterable[tuple[str, list[str]]]:
    evidence = notification.evidence
    yield "", [flat(evidence["summary"], 1000)]
    step = notification.runbook.get("first_step")
    if step and notification.phase == "firing":
        yield f"Runbook: {notification.runbook['title']}. First step", [flat(step, 1000)]
    yield "Where", [_attribution_row(row) for row in evidence["attribution"][:_ROWS]]
    yield "Where the time goes", [_tail_row(row) for row in evidence["tail"][:_ROWS]]
    yield "Drift", [_drift_row(row) for row in evidence["drift"][:_ROWS]]
    yield "What changed", [flat(row.get("text") or _change(row)) for row in evidence["changes"][:_ROWS]]
    yield "Burn rate", [_burn_row(row) for row in evidence["burn"][:_ROWS]]
    yield "Examples", [_exemplar_row(row) for row in evidence["exemplars"][:_ROWS]]


def _sections(story: Iterable[tuple[str, list[str]]]) -> Iterable[Block]:
    for title, lines in story:
        kept = [line for line in lines if line]
        if not kept:
            continue
        text = _mrkdwn("\n".join(kept if len(kept) == 1 else [f"• {line}" for line in kept]), MAX_SECTION - 300)
        heading = f"*{_mrkdwn(flat(title, 200), 280)}*\n" if title else ""
        yield {"type": "section", "text": _text(heading + text)}


def _attribution_row(row: Mapping[str, Any]) -> str:
    share = f"{percent(row.get('excess_share'))} of the excess"
    counts = f"{number(row.get('bad'))} of {number(row.get('total'))} bad"
    return flat(f"{row.get('dimension')} = {row.get('value')}: {counts}, {share}")


def _tail_row(row: Mapping[str, Any]) -> str:
    return flat(f"{row.get('part')}: {seconds(row.get('before_s'))} before, {seconds(row.get('after_s'))} now")


def _drift_row(row: Mapping[str, Any]) -> str:
    return flat(f"{row.get('field')}: effect {number(row.get('effect'))}, p = {number(row.get('p_value'))}")


def _burn_row(row: Mapping[str, Any]) -> str:
    windows = f"{row.get('long')} and {row.get('short')}"
    burns = f"{number(row.get('long_burn'))}x and {number(row.get('short_burn'))}x"
    return flat(f"{burns} over {windows}, alerts above {number(row.get('factor'))}x")


def _exemplar_row(row: Mapping[str, Any]) -> str:
    error = f", {row['error_type']}" if row.get("error_type") else ""
    return flat(f"trace {row.get('trace_id')}: {seconds(row.get('duration_s'))}{error}")


def _change(row: Mapping[str, Any]) -> str:
    return f"{row.get('what')}: was {row.get('before')}, now {row.get('after')}"


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
    since = utc(notification.incident["opened_at"])
    said = {"reminder": "still firing", "updated": "more alerts have joined"}.get(
        notification.reason, notification.reason
    )
    return {"type": "context", "elements": [_text(_mrkdwn(f"{said} · opened {since} · Tailwatch", 300))]}


def _text(mrkdwn: str) -> Block:
    return {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}


def _mrkdwn(text: str, limit: int) -> str:
    """Text escaped for Slack, at most ``limit`` characters long after escaping, no escape cut in two."""
    escaped = [_ESCAPES.get(letter, letter) for letter in text]
    length = sum(map(len, escaped))
    if length <= limit:
        return "".join(escaped)
    while escaped and length > limit - 1:
        length -= len(escaped.pop())
    return "".join(escaped) + "…"
