"""SLOs evaluated step by step in virtual time: counts in; would-be alerts and budgets over time out. It stores nothing.

The engine and the alert states are those of the service; only the clock is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alerting.state import AlertTiming
from detectors.slo.engine import Engine
from detectors.slo.report import Report
from detectors.slo.spec import SloSet
from tailwatch.backtest.costs import IncidentCosts
from tailwatch.backtest.episodes import Episode, EpisodeLog
from tailwatch.backtest.scoring import IncidentCost, LabelledIncident
from tailwatch.backtest.timeline import Timeline
from telemetry.corrections import Correction
from telemetry.deltas import SliDelta, group_key, group_labels
from telemetry.rules import SERIES_RULE_ID


@dataclass(frozen=True, slots=True)
class BudgetCurve:
    """The budget of one group over the run.

    Attributes:
        times_ns: when it was looked at.
        remaining: share left at those times, None without events.
    """

    slo: str
    group: Mapping[str, str]
    times_ns: list[int] = field(default_factory=list)
    remaining: list[float | None] = field(default_factory=list)

    @property
    def lowest(self) -> tuple[float, int] | None:
        """The smallest share that was left and when (ns); None if there never was a budget."""
        known = [(left, at_ns) for left, at_ns in zip(self.remaining, self.times_ns, strict=True) if left is not None]
        return min(known) if known else None


class VirtualRun:
    """One run; call :meth:`step` with growing times."""

    def __init__(
        self,
        slos: SloSet,
        timing: AlertTiming,
        sample_ns: int,
        corrections: Iterable[Correction] = (),
        incidents: Sequence[LabelledIncident] = (),
        tolerance_ns: int = 0,
    ) -> None:
        """Begin with no history; budgets are looked at every ``sample_ns``, without what ``corrections`` exclude.

        What ``incidents`` cost is measured; their times may be wrong by ``tolerance_ns``.
        """
        self._costs = IncidentCosts(incidents, slos, tolerance_ns)
        self._reports: Sequence[Report] = ()
        self._now_ns = 0
        self.engine = Engine(slos, corrections)
        self._log = EpisodeLog(timing)
        self._sample_ns = sample_ns
        self._next_sample_ns = 0
        self._curves: dict[tuple[str, str], BudgetCurve] = {}
        self._heard_ns: dict[str, int] = {}
        self._services: dict[str, str] = {}

    def step(self, timeline: Timeline, now_ns: int) -> None:
        """Take in what ``timeline`` knows at ``now_ns``, and evaluate."""
        due = timeline.due(now_ns)
        self._hear(due.sli)
        self.engine.ingest_sli(due.sli)
        self.engine.ingest_distributions(due.distributions)
        self.engine.ingest_gauges(due.gauges)
        evaluation = self.engine.step(now_ns, self._heard_ns)
        self._log.apply(evaluation.findings, now_ns, evaluation.withdrawn)
        self._reports, self._now_ns = evaluation.reports, now_ns
        self._costs.step(self.engine, evaluation.reports, self._log.begun, now_ns)
        if now_ns >= self._next_sample_ns:
            self._next_sample_ns = now_ns - now_ns % self._sample_ns + self._sample_ns
            for status in evaluation.statuses:
                for one in status.groups:
                    key = status.slo.name, group_key(one.group)
                    curve = self._curves.setdefault(key, BudgetCurve(status.slo.name, one.group))
                    curve.times_ns.append(now_ns)
                    curve.remaining.append(one.budget_remaining)

    def episodes(self) -> tuple[Episode, ...]:
        """The would-be alerts so far, by start."""
        return self._log.episodes()

    def costs(self) -> list[IncidentCost | None]:
        """What each incident cost, as far as the run went."""
        return self._costs.end(self.engine, self._reports, self._now_ns)

    def curves(self) -> list[BudgetCurve]:
        """The budgets that had events, by SLO and group."""
        return [curve for _, curve in sorted(self._curves.items()) if curve.lowest is not None]

    def _hear(self, rows: Iterable[SliDelta]) -> None:
        for row in rows:
            if row.rule == SERIES_RULE_ID:
                service = self._services.get(row.group)
                if service is None:
                    service = self._services[row.group] = group_labels(row.group).get("service", "")
                self._heard_ns[service] = max(self._heard_ns.get(service, 0), row.bucket_ns)
