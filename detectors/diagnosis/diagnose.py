"""From a violated condition and the records around its onset to a named cause with evidence; it reads nothing itself.

Which question is asked depends on the kind of SLI; how each is answered is in the module of that question. Every
diagnosis lists what else changed at the onset, and the traces to look at first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from detectors.diagnosis.changes import changes
from detectors.diagnosis.cost import diagnose_cost
from detectors.diagnosis.drift import diagnose_drift
from detectors.diagnosis.errors import diagnose_errors
from detectors.diagnosis.exemplars import exemplars
from detectors.diagnosis.latency import diagnose_latency
from detectors.diagnosis.quality import diagnose_quality
from detectors.diagnosis.saturation import diagnose_saturation
from detectors.diagnosis.silence import diagnose_silence
from detectors.diagnosis.situation import Situation, Verdict
from detectors.drift import DriftResult
from telemetry.columns import Columns
from telemetry.findings import Diagnosis
from telemetry.rules import Below, GoodWhen, NoError
from telemetry.schema import FIELD_BY_NAME

QUESTIONS: Final[Mapping[str, Callable[[Situation], Verdict]]] = {
    "errors": diagnose_errors,
    "latency": diagnose_latency,
    "quantile": diagnose_latency,
    "saturation": diagnose_saturation,
    "cost": diagnose_cost,
    "spend": diagnose_cost,
    "drift": diagnose_drift,
    "quality": diagnose_quality,
    "accuracy": diagnose_quality,
    "freshness": diagnose_silence,
}
"""Kinds of SLI and the module that answers for each; any other kind is answered by what makes its events good."""
_WITHOUT_RECORDS: Final = ("freshness", "saturation")
"""Kinds of which something can be said where no records are."""


def diagnose(
    kind: str,
    before: Columns,
    after: Columns,
    *,
    good: GoodWhen | None = None,
    measure: str | None = None,
    gauge: str | None = None,
    logs_before: Columns | None = None,
    logs_after: Columns | None = None,
    drift: DriftResult | None = None,
    onset_ns: int | None = None,
    labels: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Say why a finding holds.

    Args:
        kind: the SLI's kind: errors, latency, quantile, saturation, cost, drift, quality, accuracy, freshness, ...
        before: spans of the SLO's events before the onset, of all groups: give those that its ``where`` accepts, and do
            not narrow them to the finding's group, or a slice has nothing to stand out from. About an hour is good.
        after: the same since the onset.
        good: what makes an event good, for kinds that judge single events.
        measure: the field in question, for kinds that do not: ``duration``, ``queue``, ``cost``, ...
        gauge: the gauge in question, or its role, for saturation.
        logs_before: inference logs of the earlier time, for drift of features, predictions and confidence.
        logs_after: inference logs since the onset.
        drift: the comparison that raised the finding; without one, drift is looked for here.
        onset_ns: when the trouble is estimated to have begun.
        labels: the finding's group, and what the SLO's ``where`` fixes (``operation``): the slice, where all records
            have these values and nothing narrower stands out.

    Returns:
        A diagnosis whose evidence has ``attribution``, ``tail``, ``changes``, ``drift`` and ``exemplars``; ``unknown``
        where no cause stands out, also without records.
    """
    fallback = "queue" if kind == "saturation" else None
    situation = Situation(
        kind,
        before,
        after,
        good,
        measure or fallback,
        logs_before,
        logs_after,
        drift,
        onset_ns,
        dict(labels or {}),
        gauge,
    )
    nothing = not len(after) and (logs_after is None or not len(logs_after))
    unknown = nothing and kind not in _WITHOUT_RECORDS
    verdict = Verdict("unknown", "there are no records since the onset") if unknown else _ask(situation)
    return _written(situation, verdict)


def _ask(situation: Situation) -> Verdict:
    question = QUESTIONS.get(situation.kind)
    if question is not None:
        return question(situation)
    if isinstance(situation.good, NoError):
        return diagnose_errors(situation)
    if isinstance(situation.good, Below):
        field = FIELD_BY_NAME.get(situation.good.measure)
        return diagnose_latency(situation) if field is None or field.unit == "s" else diagnose_cost(situation)
    if situation.drift is not None:
        return diagnose_drift(situation)
    return Verdict("unknown", f"nothing is known of what causes a violated {situation.kind}", None, situation.scope)


def _written(situation: Situation, verdict: Verdict) -> Diagnosis:
    drift = situation.drift.evidence() if situation.drift is not None else []
    seen = changes(situation.before, situation.after, situation.onset_ns)
    first = list(verdict.evidence.get("changes", []))
    told = {item["what"] for item in first}
    shown = exemplars(verdict.exemplars_from or situation.after, verdict.worst)
    return Diagnosis(
        cause=verdict.cause,
        summary=verdict.summary,
        confidence=verdict.confidence,
        slice=dict(verdict.slice),
        evidence={
            "attribution": list(verdict.evidence.get("attribution", [])),
            "tail": list(verdict.evidence.get("tail", [])),
            "changes": [*first, *(item for item in seen if item["what"] not in told)],
            "drift": list(verdict.evidence.get("drift", drift)),
            "exemplars": shown,
        },
    )
