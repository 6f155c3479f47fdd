"""SLOs with their budgets, and a budget's course."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.documents.document import Document, Labels
from dashboard.documents.status import Overflow

State = Literal[
    "ok",
    "burning",
    "exhausted",
    "corrected",
    "no_traffic",
    "no_telemetry",
    "not_enough_data",
    "late",
    "outage",
    "misconfigured",
]


class GroupAlert(Document):
    """An alert that is firing for one budget."""

    name: str
    severity: str = ""
    since: float | None = None


class SloGroup(Document):
    """One budget: an SLO, or one group of it. `budget_remaining` is a fraction and may be negative.

    `excluded` events of the window lie in corrections and count neither good nor bad.
    """

    group: Labels = Field(default_factory=dict)
    state: State
    good: float = 0
    total: float = 0
    sli: float | None = None
    budget_remaining: float | None = None
    burn: dict[str, float | None] = Field(default_factory=dict)
    alerts: list[GroupAlert] = Field(default_factory=list)
    detail: dict[str, Any] = Field(default_factory=dict)
    excluded: float = 0


class SloPeriod(Document):
    """The calendar period that the budgets of an SLO are for: from `start` to before `end`."""

    calendar: str
    timezone: str
    start: float
    end: float


class Slo(Document):
    """An SLO with all its budgets; `window_s` is nominal where there is a `period`.

    `objective` is null where the budget is an amount of money: a group's `total` then, of which `good` is left.
    """

    name: str
    service: str = ""
    owner: str | None = None
    description: str | None = None
    kind: str = ""
    objective: float | None = None
    window_s: float | None = None
    period: SloPeriod | None = None
    budgeting: str = ""
    revision: str | int | None = None
    runbook: str | None = None
    where: list[str] = Field(default_factory=list)
    per: list[str] = Field(default_factory=list)
    overflow: Overflow | None = None
    groups: list[SloGroup]


class Slos(Document):
    """Every SLO that the service evaluates."""

    slos: list[Slo]


class HistoryPoint(Document):
    """One step of one budget's history."""

    t: float
    good: float | None = None
    total: float | None = None
    sli: float | None = None
    burn: float | None = None
    budget_remaining: float | None = None


class History(Document):
    """A budget's course over time."""

    points: list[HistoryPoint]
