"""What is shown of an SLO: its groups with state, budget, burn and alerts, as values and as the API's JSON document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors.slo.calendar import Period
from detectors.slo.compile import rule_id
from detectors.slo.spec import Slo
from detectors.slo.states import State
from telemetry.findings import Severity
from telemetry.windows import NANOS


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """An alert that holds now."""

    name: str
    severity: Severity
    since_ns: int

    def to_json(self) -> dict[str, Any]:
        """The alert as the API shows it."""
        return {"name": self.name, "severity": self.severity, "since": self.since_ns / NANOS}


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """One budget.

    Attributes:
        group: the group's labels.
        state: see :mod:`detectors.slo.states`.
        good, total: events (or slices) in the SLO's window; of ratio-timeslices good is a sum of shares. Of a budget of
            money, in US dollars: what is left of it, and all of it.
        budget_remaining: share of the budget left, negative when overspent; None without traffic.
        burn: burn rate by window (``5m``); None without traffic in it.
        alerts: the alerts that hold.
        detail: facts of the SLI's kind, a JSON document.
        excluded: events (or slices) of the SLO's window that budget corrections took out of the counts.
    """

    group: Mapping[str, str]
    state: State
    good: float = 0
    total: float = 0
    budget_remaining: float | None = None
    burn: Mapping[str, float | None] = field(default_factory=dict)
    alerts: tuple[AlertStatus, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    excluded: int = 0

    @property
    def sli(self) -> float | None:
        """Share of good events; None without traffic."""
        return self.good / self.total if self.total else None

    def to_json(self) -> dict[str, Any]:
        """The group as the API shows it."""
        return {
            "group": dict(self.group), "state": self.state, "good": self.good, "total": self.total, "sli": self.sli,
            "budget_remaining": self.budget_remaining, "burn": dict(self.burn),
            "alerts": [alert.to_json() for alert in self.alerts], "detail": dict(self.detail),
            "excluded": self.excluded,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SloStatus:
    """One SLO at one time; ``period`` is that of a calendar window."""

    slo: Slo
    groups: tuple[GroupStatus, ...]
    period: Period | None = None

    def to_json(self) -> dict[str, Any]:
        """The SLO as the API shows it: seconds, shares within 0..1, null where there is nothing to say."""
        slo = self.slo
        return {
            "name": slo.name, "service": slo.service, "owner": slo.owner, "description": slo.description,
            "kind": slo.kind, "objective": slo.objective if slo.allowance is None else None, "window_s": slo.window_s,
            "period": self._period(), "budgeting": slo.method, "revision": rule_id(slo),
            "runbook": slo.runbook, "where": [str(matcher) for matcher in slo.where.items], "per": list(slo.per),
            "groups": [group.to_json() for group in self.groups],
        }  # fmt: skip

    def _period(self) -> dict[str, Any] | None:
        calendar = self.slo.calendar
        if calendar is None or self.period is None:
            return None
        return {
            "calendar": calendar.unit, "timezone": calendar.timezone,
            "start": self.period.start_ns / NANOS, "end": self.period.end_ns / NANOS,
        }  # fmt: skip


def json_safe(value: Any) -> Any:
    """The same document with null in place of NaN and infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    return value
