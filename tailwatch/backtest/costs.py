"""What labelled incidents cost: how much of an error budget was spent from their start to their end. It detects none.

spent = bad events of the incident's time / events that may be bad within the SLO's window up to the incident's end; of
a budget of money, the money of its time / the amount. It is measured when the incident is over and its slices are
judged, from counts that are still fine. Bad events that would have come anyway count too, and none that a correction
excludes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from detectors.slo.engine import Engine
from detectors.slo.report import Report
from detectors.slo.spec import Slo, SloSet
from tailwatch.backtest.episodes import Episode
from tailwatch.backtest.scoring import IncidentCost, LabelledIncident, belongs
from telemetry.deltas import group_labels
from telemetry.windows import BUCKET_NS, NANOS, bucket_start

_SETTLED_NS: Final = 120 * NANOS
"""Slices are judged so long after their end at most, those of composites last."""
_Budget = tuple[str, str]
"""An SLO's name, and a group."""


@dataclass(slots=True)
class _Account:
    incident: LabelledIncident
    at_alert: Mapping[_Budget, float] | None = None
    in_all: Mapping[_Budget, float] | None = None


class IncidentCosts:
    """Follows a run, and measures each incident when it is first told of and when it is over."""

    def __init__(self, incidents: Sequence[LabelledIncident], slos: SloSet, tolerance_ns: int) -> None:
        self._accounts = [_Account(one) for one in incidents]
        self._settled_ns = _SETTLED_NS + max((slo.slice_ns or 0 for slo in slos.slos), default=0)
        self._tolerance_ns = tolerance_ns

    def step(self, engine: Engine, reports: Sequence[Report], begun: Sequence[Episode], now_ns: int) -> None:
        """Look at the engine after an evaluation at which the alerts ``begun`` fired."""
        for one in self._accounts:
            if one.at_alert is None and any(belongs(alert, one.incident, self._tolerance_ns) for alert in begun):
                one.at_alert = _spent(engine, reports, one.incident, min(one.incident.end_ns, now_ns))
            if one.in_all is None and now_ns >= one.incident.end_ns + self._settled_ns:
                one.in_all = _spent(engine, reports, one.incident, one.incident.end_ns)

    def end(self, engine: Engine, reports: Sequence[Report], now_ns: int) -> list[IncidentCost | None]:
        """What each incident cost the budget that it cost most, as far as the run goes; None where there is none."""
        found: list[IncidentCost | None] = []
        for one in self._accounts:
            in_all = one.in_all
            if in_all is None:
                in_all = _spent(engine, reports, one.incident, min(one.incident.end_ns, now_ns))
            if not in_all:
                found.append(None)
                continue
            budget, spent = max(in_all.items(), key=lambda item: item[1])
            at_alert = None if one.at_alert is None else min(one.at_alert.get(budget, 0.0), spent)
            found.append(IncidentCost(budget[0], group_labels(budget[1]), spent, at_alert))
        return found


def _spent(
    engine: Engine, reports: Sequence[Report], incident: LabelledIncident, until_ns: int
) -> dict[_Budget, float]:
    """The share of each budget that was spent from the incident's start until a time."""
    start_ns, end_ns = bucket_start(incident.start_ns), -(-until_ns // BUCKET_NS) * BUCKET_NS
    found: dict[_Budget, float] = {}
    for report in reports:
        slo = report.tracker.slo
        for group in report.groups if end_ns > start_ns else ():
            if incident.about(slo.name, slo.service, group_labels(group)):
                share = _share(engine, slo, group, start_ns, end_ns)
                if share is not None:
                    found[slo.name, group] = share
    return found


def _share(engine: Engine, slo: Slo, group: str, start_ns: int, end_ns: int) -> float | None:
    good, total = _counts(engine, slo, group, start_ns, end_ns)
    if slo.allowance is not None:
        return total / slo.allowance
    begin_ns = slo.window_start_ns(end_ns if slo.calendar is None else end_ns - 1)
    allowed = slo.error_budget * _counts(engine, slo, group, begin_ns, end_ns)[1]
    return (total - good) / allowed if allowed > 0 else None


def _counts(engine: Engine, slo: Slo, group: str, start_ns: int, end_ns: int) -> tuple[int, int]:
    (point,) = engine.budget_curve(
        slo.name, group_labels(group), start_ns=start_ns, end_ns=end_ns, step_ns=end_ns - start_ns
    )
    return point.good, point.total
