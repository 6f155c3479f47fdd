"""Silences, mute times, figures and noise as the API gives them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.dashboard.recorded.moment import MALICIOUS, NOW


def at(seconds: float) -> str:
    """A time from now, as Alertmanager writes it."""
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat().replace("+00:00", "Z")


def silence(silence_id: str, state: str, **said: Any) -> dict[str, Any]:
    """A silence in a state."""
    matchers = [{"name": "service", "value": "batch", "isRegex": False, "isEqual": True}]
    times = {"startsAt": at(-3600), "endsAt": at(7200)}
    about = {"matchers": matchers, "createdBy": "Ada", "comment": "re-priced", "updatedAt": at(-3600)}
    return {"id": silence_id, "status": {"state": state}, **times, **about, **said}


def silences() -> list[dict[str, Any]]:
    """One in force, one to come, one that is over."""
    regex = [{"name": "service", "value": "chat|edge", "isRegex": True, "isEqual": True}]
    return [
        silence("s-active", "active"),
        silence("s-pending", "pending", startsAt=at(7200), endsAt=at(10_800), matchers=regex, comment=MALICIOUS),
        silence("s-expired", "expired", startsAt=at(-9000), endsAt=at(-7200), createdBy=""),
    ]


def mutes() -> list[dict[str, Any]]:
    """A night that mutes a route, office hours to which one is limited, and a year that never comes."""
    routes = [{"path": '{}/{severity="ticket"}', "receiver": "tickets"}]
    one = {"holds": False, "zones": ["Europe/Berlin"], "routes": routes}
    return [
        {**one, "name": "nights", "effect": "mutes", "quiet": True, "starts": NOW - 60, "ends": NOW + 3600},
        {**one, "name": "office", "effect": "only", "quiet": False, "starts": NOW + 7200, "ends": None},
        {**one, "name": "2099", "effect": "mutes", "quiet": False, "starts": None, "ends": None},
    ]


def figures() -> dict[str, Any]:
    """Figures of two services, one of them never answered."""
    times = {"count": 6, "mean_s": 300.0, "median_s": 120.0, "p90_s": 900.0}
    chat = {
        "name": "chat", "incidents": 8, "withdrawn": 1, "open": 1, "unacknowledged": 1,
        "to_acknowledge": times, "to_resolve": {**times, "median_s": 3600.0},
    }  # fmt: skip
    edge = {
        "name": "edge", "incidents": 4, "withdrawn": 0, "open": 0, "unacknowledged": 4,
        "to_acknowledge": None, "to_resolve": {**times, "median_s": 90.0},
    }  # fmt: skip
    every = {**chat, "name": "", "incidents": 12, "unacknowledged": 5}
    return {
        "since": NOW - 1, "until": NOW, "all": every, "by_service": [chat, edge],
        "by_severity": [{**every, "name": "page"}], "by_slo": [{**chat, "name": "chat-errors"}],
    }  # fmt: skip


def noise() -> dict[str, Any]:
    """A receiver beyond its budget and one that heard nothing; an SLO that cries wolf and one that does not."""
    oncall = {
        "receiver": "oncall/slack", "notifications": 60, "pages": 30, "per_day": 2.0, "pages_per_day": 1.0,
        "busiest_day": "2025-06-10", "busiest": 9, "incidents": 12, "acted_on": 3, "last_day": 8, "last_day_pages": 5,
        "budget": {"receiver": "oncall", "pages_per_day": 2, "notifications_per_day": None},
        "days_over": ["2025-06-10", "2025-06-11"], "over": True,
    }  # fmt: skip
    quiet = {
        **oncall, "receiver": "tickets/email", "notifications": 0, "pages": 0, "per_day": 0.0, "incidents": 0,
        "acted_on": 0, "budget": None, "days_over": [], "over": False,
    }  # fmt: skip
    wolf = {
        "slo": "edge-errors", "service": "edge", "incidents": 4, "ended": 4, "acted_on": 0, "by_themselves": 4,
        "withdrawn": 0, "returns": 9, "notifications": 20, "median_s": 90.0, "cries_wolf": True,
        "advice": ["its alerts came back 9 times", f"raise pending_for {MALICIOUS}"],
    }  # fmt: skip
    worth = {**wolf, "slo": "chat-errors", "service": "chat", "acted_on": 3, "cries_wolf": False, "advice": []}
    began = {"since": NOW - 30 * 86400, "until": NOW, "averaged_since": NOW - 3 * 86400}
    return {**began, "receivers": [oncall, quiet], "slos": [wolf, worth]}


def undelivered() -> list[dict[str, Any]]:
    """Two notifications that were given up, one of them with a hostile answer."""
    one = {
        "id": 9, "incident": "inc-0042", "receiver": "oncall/slack", "reason": "opened", "attempts": 1,
        "error": "answered 404: channel_not_found", "created_at": NOW - 700, "given_up_at": NOW - 600,
    }  # fmt: skip
    return [{**one, "id": 12, "reason": "reminder", "error": MALICIOUS, "given_up_at": NOW - 30, "attempts": 5}, one]
