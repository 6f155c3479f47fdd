"""Why distributions differ: a release, the inputs, or the model's answers to the same inputs.

1. bad-release: a version that arrived differs from the others since the onset, and without it nothing differs.
2. input-drift: any input differs (features, lengths, types, embeddings), in the finding or among the fields at hand.
3. prediction-drift: predictions or confidence differ, and no input does.

A slice is named when its records are drifted, and those outside it are not and differ from their reference by less than
half of what the slice's do: leaving the slice out removes the drift.

Assumes and guarantees: those of :mod:`detectors.drift.compare`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.attribution import DIMENSIONS
from detectors.diagnosis.releases import Release, releases
from detectors.diagnosis.situation import Situation, Verdict, described, has_values, matching, percent, worst_first
from detectors.drift import DriftResult, compare
from detectors.drift.compare import MIN_RECORDS, FieldDrift
from detectors.drift.distributions import distributions
from telemetry.columns import Columns
from telemetry.schema import FIELD_BY_NAME, is_feature

ANSWERS: Final = frozenset({"prediction", "confidence", "tokens_out", "finish_reason"})
"""Fields that the model makes; all others that can drift come from outside."""
INPUTS: Final = ("tokens_in", "input_type", "embedding_norm")
ALPHA: Final = 0.001
HALF: Final = 0.5
MOST_VALUES: Final = 10
"""Values of a dimension that are tried as the slice, by traffic."""


def diagnose_drift(situation: Situation) -> Verdict:
    """Find the cause of a drift."""
    result = situation.drift if situation.drift is not None and situation.drift.drifted else _own(situation)
    evidence = {"drift": result.evidence()}
    if not result.drifted:
        return Verdict("unknown", "no field differs from its reference by enough to matter", None, situation.scope,
                       evidence)  # fmt: skip
    fields = [item for item in result.fields if item.drifted]
    fields.sort(key=lambda item: -item.effect / item.min_effect)
    lead = _lead(fields[0])
    release = _release(situation, fields)
    if release is not None:
        labels = {"model_version": release.version}
        summary = f"{lead}; only {described(labels)} differs, {release.text(situation.onset_ns)}"
        confidence = None if release.dominant else _removed(situation, fields[0], labels)
        return Verdict("bad-release", summary, confidence, labels, evidence, *_worst(situation, fields[0], labels))
    labels = _slice(situation, fields[0])
    where = f"; only {described(labels)} differs" if labels else ""
    confidence = _removed(situation, fields[0], labels) if labels else None
    worst = _worst(situation, fields[0], labels)
    scope = labels or situation.scope
    inputs = [item.field for item in fields if item.field not in ANSWERS]
    moved = inputs or list(_own(situation, _inputs(situation)).drifted_fields)
    if moved:
        also = "" if fields[0].field in moved else f"; so do the inputs: {', '.join(moved[:3])}"
        return Verdict("input-drift", f"{lead}{also}{where}", confidence, scope, evidence, *worst)
    summary = f"{lead}, while the inputs are as they were{where}"
    return Verdict("prediction-drift", summary, confidence, scope, evidence, *worst)


def _own(situation: Situation, names: Sequence[str] = ()) -> DriftResult:
    """The comparison made here, over ``names`` or over every input and answer at hand."""
    wanted = names or [*_inputs(situation), *(name for name in ANSWERS if name in FIELD_BY_NAME)]
    reference, current = {}, {}
    for name in wanted:
        before, after = situation.source(name)
        if has_values(before, name) and has_values(after, name):
            reference.update(distributions(before, [name]))
            current.update(distributions(after, [name]))
    return compare(reference, current, alpha=ALPHA)


def _inputs(situation: Situation) -> list[str]:
    batches = (situation.before, situation.logs_before)
    features = {
        name for batch in batches if batch is not None for name in (*batch.numbers, *batch.strings) if is_feature(name)
    }
    return [*INPUTS, *sorted(features)]


def _release(situation: Situation, fields: Sequence[FieldDrift]) -> Release | None:
    for item in fields:
        before, after = situation.source(item.field)
        for release in releases(before, after):
            if release.dominant and release.new and not _slice_inputs(situation):
                return release
            if not release.dominant and _confined(before, after, item, {"model_version": release.version}):
                return release
    return None


def _slice_inputs(situation: Situation) -> bool:
    """Whether the inputs differ, which would explain the drift without the release that took over meanwhile."""
    return _own(situation, _inputs(situation)).drifted


def _slice(situation: Situation, item: FieldDrift) -> dict[str, str]:
    """The value that holds the drift, the one with the largest effect of its own; empty for none."""
    before, after = situation.source(item.field)
    tried = [labels for name in DIMENSIONS if name != item.field for labels in _values(after, name)]
    holding = [labels for labels in tried if _confined(before, after, item, labels)]

    def own_effect(labels: dict[str, str]) -> float:
        return _compare(before, after, item, _reference(before, labels), matching(after, labels)).effect

    return max(holding, key=own_effect, default={})


def _values(after: Columns, name: str) -> list[dict[str, str]]:
    """The commonest values of a dimension that has several, each as labels."""
    counts = distributions(after, [name]).get(name, {})
    if not isinstance(counts, Mapping) or len(counts) < 2:
        return []
    commonest = sorted(counts, key=lambda text: -counts[text])[:MOST_VALUES]
    return [{name: value} for value in commonest if counts[value] >= MIN_RECORDS]


def _confined(before: Columns, after: Columns, item: FieldDrift, labels: Mapping[str, str]) -> bool:
    """Whether the field drifts inside the slice and no longer without it."""
    within = _compare(before, after, item, _reference(before, labels), matching(after, labels))
    rest = _compare(before, after, item, ~matching(before, labels), ~matching(after, labels))
    return within.drifted and not rest.reason and not rest.drifted and rest.effect <= HALF * within.effect


def _compare(
    before: Columns, after: Columns, item: FieldDrift, rows_before: NDArray[np.bool_], rows_after: NDArray[np.bool_]
) -> FieldDrift:
    reference = distributions(before, [item.field], rows_before)
    current = distributions(after, [item.field], rows_after)
    found = compare(reference, current, alpha=ALPHA, min_effect=item.min_effect).fields
    return found[0] if found else FieldDrift(
        item.field, item.method, 1.0, 0.0, item.effect_name, drifted=False, n_reference=0, n_current=0,
        reason="no record has it",
    )  # fmt: skip


def _removed(situation: Situation, item: FieldDrift, labels: Mapping[str, str]) -> float:
    """How much more the slice's records differ than those outside it: 1 where only the slice's do."""
    before, after = situation.source(item.field)
    rest = _compare(before, after, item, ~matching(before, labels), ~matching(after, labels))
    inside = _compare(before, after, item, _reference(before, labels), matching(after, labels))
    return min(max(1.0 - rest.effect / inside.effect, 0.0), 1.0) if inside.effect > 0 else 0.0


def _reference(before: Columns, labels: Mapping[str, str]) -> NDArray[np.bool_]:
    """The slice's own earlier records, or all of them for a slice that is new."""
    own = matching(before, labels)
    return own if int(own.sum()) >= MIN_RECORDS else np.ones(len(before), dtype=np.bool_)


def _worst(situation: Situation, item: FieldDrift, labels: Mapping[str, str]) -> tuple[NDArray[np.intp], Columns]:
    """Records of the slice, those farthest out in the direction of the drift first; the latest first for text."""
    _, after = situation.source(item.field)
    rows = matching(after, labels)
    if item.field not in after.numbers:
        return worst_first(after.time_ns.astype(np.float64), rows), after
    values = after.numbers[item.field]
    rising = item.measures.get("mean_current", 0.0) >= item.measures.get("mean_reference", 0.0)
    return worst_first(values if rising else -values, rows & np.isfinite(values)), after


def _lead(item: FieldDrift) -> str:
    if "median_current" in item.measures:
        was, now = item.measures["median_reference"], item.measures["median_current"]
        return f"{item.field} moved by {item.effect:.2g} of its spread (median {was:.3g}, now {now:.3g})"
    moved = item.measures.get("total_variation")
    return f"the mix of {item.field} changed" + (f" for {percent(moved)} of the records" if moved is not None else "")
