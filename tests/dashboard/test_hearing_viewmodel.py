"""Who hears of an incident, as a table."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from dashboard.documents.incidents import Incident
from dashboard.viewmodels import hearing
from tests.dashboard import recorded

NOW = recorded.NOW


def incident(*heard: dict[str, Any]) -> Incident:
    return Incident.model_validate({**recorded.incidents()["inc-0042"], "hearing": list(heard)})


def test_each_receiver_has_a_line_and_those_without_a_route_share_one() -> None:
    told = {
        "receiver": "oncall/slack",
        "state": "told",
        "text": "told; reminded later",
        "told_at": NOW - 60,
        "next_at": NOW + 60,
    }
    muted = {
        "receiver": "chat/slack",
        "state": "muted",
        "text": "muted until noon",
        "told_at": None,
        "next_at": NOW + 600,
    }
    boss = {"receiver": "boss/pagerduty", "state": "escalates", "text": "told at noon", "escalates": True}
    rest = [{"receiver": name, "state": "unrouted", "text": "no route"} for name in ("a/email", "b/email")]
    rows = hearing.grid(incident(told, muted, boss, *rest), NOW, UTC).rows
    assert [[cell.text for cell in row.cells] for row in rows] == [
        ["oncall/slack", "Told", "told; reminded later", "14:12:20", "14:14:20"],
        ["chat/slack", "Muted", "muted until noon", "–", "14:23:20"],
        ["boss/pagerduty", "If nobody acts", "told at noon", "–", "–"],
        ["a/email, b/email", "No route", "no route of its alerts leads there", "–", "–"],
    ]
    assert (rows[1].cells[1].tone, rows[2].cells[0].sub) == ("burning", "escalation")


def test_a_state_of_a_later_service_is_shown_as_it_is() -> None:
    (row,) = hearing.grid(incident({"receiver": "a/b", "state": "on_hold", "text": "?"}), NOW, UTC).rows
    assert (row.cells[1].text, row.cells[1].tone) == ("on hold", "silent")
    assert hearing.grid(incident(), NOW, UTC).rows == []
