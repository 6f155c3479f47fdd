"""What a run in virtual time came to: calls, budgets, scores; as values and as a JSON document. It runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from detectors.slo.exclusions import corrections_of
from detectors.slo.spec import SloSet
from tailwatch.backtest.episodes import Episode
from tailwatch.backtest.scoring import Call, IncidentCost, LabelledIncident, Score, Verdict
from tailwatch.backtest.virtual import BudgetCurve
from telemetry.corrections import Correction
from telemetry.windows import NANOS

MONTH_NS: Final = 30 * 86400 * NANOS


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run over [``start_ns``, ``end_ns``], evaluated every ``step_ns``.

    Attributes:
        incidents: those that are scored, by start; None when none were given.
        score: None when no incidents were given.
        notes: what the data cannot tell, a sentence each.
        corrections: those that took time out of a budget of the run, by start.
    """

    start_ns: int
    end_ns: int
    step_ns: int
    slos: tuple[str, ...]
    calls: tuple[Call, ...]
    curves: tuple[BudgetCurve, ...]
    incidents: tuple[LabelledIncident, ...] | None
    score: Score | None
    notes: tuple[str, ...]
    corrections: tuple[Correction, ...] = ()

    def a_month(self, severity: str, slo: str | None = None) -> float | None:
        """Calls of a severity per 30 days, of one SLO or all; None for a run of no length."""
        if self.end_ns <= self.start_ns:
            return None
        count = sum(call.severity == severity and slo in (None, call.slo) for call in self.calls)
        return count * MONTH_NS / (self.end_ns - self.start_ns)

    def to_json(self) -> dict[str, Any]:
        """The document: seconds since the epoch, shares within 0..1, null where there is nothing to say."""
        right: Sequence[bool | None] = self.score.right if self.score else [None] * len(self.calls)
        return {
            "start": self.start_ns / NANOS, "end": self.end_ns / NANOS, "step_s": self.step_ns / NANOS,
            "pages_per_30d": self.a_month("page"), "tickets_per_30d": self.a_month("ticket"),
            "slos": [self._slo(name) for name in self.slos],
            "calls": [_call(call, verdict) for call, verdict in zip(self.calls, right, strict=True)],
            "score": None if self.score is None else _score(self.score),
            "corrections": [one.to_json() for one in self.corrections],
            "notes": list(self.notes),
        }  # fmt: skip

    def _slo(self, name: str) -> dict[str, Any]:
        return {
            "name": name, "pages_per_30d": self.a_month("page", name), "tickets_per_30d": self.a_month("ticket", name),
            "groups": [_curve(curve) for curve in self.curves if curve.slo == name],
        }  # fmt: skip


def _curve(curve: BudgetCurve) -> dict[str, Any]:
    lowest = curve.lowest
    return {
        "group": dict(curve.group),
        "budget_lowest": None if lowest is None else lowest[0],
        "budget_lowest_at": None if lowest is None else lowest[1] / NANOS,
        "budget_at_end": curve.remaining[-1],
        "budget": [
            {"t": at_ns / NANOS, "remaining": left} for at_ns, left in zip(curve.times_ns, curve.remaining, strict=True)
        ],
    }  # fmt: skip


def _call(call: Call, right: bool | None) -> dict[str, Any]:
    return {
        "slo": call.slo, "service": call.service, "group": dict(call.group), "severity": call.severity,
        "start": call.start_ns / NANOS, "end": _moment(call.end_ns), "in_incident": right,
        "alerts": [_episode(episode) for episode in call.episodes],
    }  # fmt: skip


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "name": episode.name, "severity": episode.severity, "onset": episode.onset_ns / NANOS,
        "start": episode.start_ns / NANOS, "end": _moment(episode.end_ns), "withdrawn": episode.withdrawn,
        "told": episode.told, "summary": episode.summary,
    }  # fmt: skip


def _score(score: Score) -> dict[str, Any]:
    return {
        "precision": score.precision, "page_precision": score.page_precision,
        "recall": score.recall, "page_recall": score.page_recall,
        "median_detection_s": score.median_detection_s, "median_page_s": score.median_page_s,
        "median_reset_s": score.median_reset_s,
        "incidents": [_verdict(verdict) for verdict in score.verdicts],
    }  # fmt: skip


def _verdict(verdict: Verdict) -> dict[str, Any]:
    incident = verdict.incident
    return {
        "name": incident.name, "start": incident.start_ns / NANOS, "end": incident.end_ns / NANOS,
        "slo": incident.slo, "service": incident.service, "labels": dict(incident.labels or {}),
        "caught": verdict.caught, "severity": verdict.severity, "detection_s": verdict.detection_s,
        "page_s": verdict.page_s, "reset_s": verdict.reset_s,
        "budget_spent": None if verdict.cost is None else _cost(verdict.cost),
    }  # fmt: skip


def _cost(cost: IncidentCost) -> dict[str, Any]:
    return {"slo": cost.slo, "group": dict(cost.group), "share": cost.spent, "share_at_first_alert": cost.at_alert}


def corrections_within(
    corrections: Iterable[Correction], slos: SloSet, start_ns: int, end_ns: int
) -> tuple[Correction, ...]:
    """Those in force that are about one of ``slos`` and touch [start, end), by start."""
    found = {
        one.id: one for slo in slos.slos for one in corrections_of(slo, tuple(corrections))
        if one.asked.start_ns < end_ns and start_ns < one.asked.end_ns
    }  # fmt: skip
    return tuple(sorted(found.values(), key=lambda one: (one.asked.start_ns, one.id)))


def _moment(time_ns: int | None) -> float | None:
    return None if time_ns is None else time_ns / NANOS
