"""Drift of named fields between two windows of distributions; it keeps no reference and looks at no clock.

Two questions, and both must say yes. Is there evidence: a p-value that respects n (binned Kolmogorov-Smirnov for
numbers, chi-squared for categories), Benjamini-Hochberg over the fields. Is the effect large enough to matter: normed
Wasserstein for numbers, Jensen-Shannon distance for categories, against a minimum per field.

Assumes: independent records, enough of them; the reference was drawn without regard to the current window.
Guarantee: with no drift in any field, P(drifted) <= alpha a comparison (asymptotically; conservative in small windows
and on sketches). One comparison a time slice is one such chance a slice: give an alpha well below the share of bad
slices that the objective allows.

Source: the methods' own files; the pairing of evidence and effect follows statistics practice (Cohen 1994).

Example:
    >>> result = compare({"tenant": {"a": 500, "b": 500}}, {"tenant": {"a": 900, "b": 100}}, alpha=0.01)
    >>> result.drifted, result.fields[0].method, round(result.fields[0].effect, 2)
    (True, 'chi-squared', 0.38)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from detectors.drift.chi_squared import chi_squared_test
from detectors.drift.effects import jensen_shannon_distance, population_stability_index, total_variation
from detectors.drift.kolmogorov_smirnov import ks_test
from detectors.drift.multiplicity import benjamini_hochberg
from detectors.drift.wasserstein import normed_wasserstein
from telemetry.deltas import Distribution
from telemetry.errors import TailwatchError
from telemetry.sketches import DDSketch

DEFAULT_ALPHA: Final = 0.001
DEFAULT_MIN_EFFECT: Final = 0.1
"""A tenth of the reference's deviation, or a Jensen-Shannon distance of 0.1 (about a tenth of the traffic of an even
mix in another category): Evidently's customary thresholds, here never used alone."""
MIN_RECORDS: Final = 30
"""Records a side below which a field is not judged: no shift that hides from an eye would be found there."""


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """What one field says.

    Attributes:
        field: its name.
        method: ``ks`` or ``chi-squared``.
        p_value: of the field's own test, unadjusted; 1 when it was not judged.
        effect: the measure named by ``effect_name``.
        effect_name: ``normed_wasserstein`` or ``jensen_shannon_distance``.
        drifted: evidence after adjustment, and effect.
        n_reference, n_current: records a side.
        adjusted_p_value: after Benjamini-Hochberg over the judged fields.
        min_effect: what the effect had to reach.
        reason: why the field was not judged; empty when it was.
        measures: further effects and locations by name, for people: ``psi``, ``total_variation``, medians, means.
    """

    field: str
    method: str
    p_value: float
    effect: float
    effect_name: str
    drifted: bool
    n_reference: int
    n_current: int
    adjusted_p_value: float = 1.0
    min_effect: float = DEFAULT_MIN_EFFECT
    reason: str = ""
    measures: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def evidence(self) -> dict[str, Any]:
        """The field as a JSON document."""
        return {
            "field": self.field, "method": self.method, "p_value": self.p_value, "effect": self.effect,
            "effect_name": self.effect_name, "drifted": self.drifted, "n_reference": self.n_reference,
            "n_current": self.n_current, "reason": self.reason or None, **self.measures,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class DriftResult:
    """What a window says.

    Attributes:
        drifted: whether any field drifted.
        fields: every field of either side, in the reference's order.
        alpha: the false-discovery rate that was asked for.
    """

    drifted: bool
    fields: tuple[FieldDrift, ...]
    alpha: float = DEFAULT_ALPHA

    @property
    def enough_data(self) -> bool:
        """Whether any field could be judged; where not, the window is neither drifted nor fine."""
        return any(not item.reason for item in self.fields)

    @property
    def drifted_fields(self) -> tuple[str, ...]:
        """Names of the fields that drifted, strongest effect for its minimum first."""
        found = [item for item in self.fields if item.drifted]
        return tuple(item.field for item in sorted(found, key=lambda item: -item.effect / item.min_effect))

    def evidence(self) -> list[dict[str, Any]]:
        """The judged fields as a JSON document, drifted ones first, then by p-value."""
        judged = [item for item in self.fields if not item.reason]
        return [item.evidence() for item in sorted(judged, key=lambda item: (not item.drifted, item.p_value))]


def compare(
    reference: Mapping[str, Distribution],
    current: Mapping[str, Distribution],
    *,
    alpha: float = DEFAULT_ALPHA,
    min_effect: Mapping[str, float] | float = DEFAULT_MIN_EFFECT,
    min_records: int = MIN_RECORDS,
) -> DriftResult:
    """Compare a window with the reference, field by field.

    Args:
        reference: a DDSketch per numeric field, counts per value for a string field.
        current: the same for the window in question.
        alpha: false-discovery rate over the fields; with no drift, the chance that the window is called drifted.
        min_effect: smallest effect that matters, one for all or by field; fields that it does not name have 0.1.
        min_records: records that a field needs on both sides to be judged.

    Raises:
        TailwatchError: ``alpha`` is not within (0, 1), or a minimum effect is not positive.
    """
    if not 0 < alpha < 1:
        raise TailwatchError(f"alpha {alpha:g} is not within (0, 1)", remedy="write 0.001 for one false drift in 1,000")
    judged = [
        _judge(name, reference.get(name), current.get(name), _minimum(min_effect, name), min_records)
        for name in dict.fromkeys((*reference, *current))
    ]
    places = [place for place, item in enumerate(judged) if not item.reason]
    for place, adjusted in zip(places, benjamini_hochberg([judged[p].p_value for p in places]), strict=True):
        item = judged[place]
        drifted = bool(adjusted <= alpha and item.effect >= item.min_effect)
        judged[place] = replace(item, adjusted_p_value=float(adjusted), drifted=drifted)
    return DriftResult(any(item.drifted for item in judged), tuple(judged), alpha)


def _minimum(min_effect: Mapping[str, float] | float, name: str) -> float:
    found = min_effect if isinstance(min_effect, int | float) else min_effect.get(name, DEFAULT_MIN_EFFECT)
    if not found > 0:
        raise TailwatchError(f"the minimum effect of {name} is {found:g}", remedy="give a positive one, such as 0.1")
    return float(found)


def _judge(
    name: str, reference: Distribution | None, current: Distribution | None, min_effect: float, min_records: int
) -> FieldDrift:
    n, m = _records(reference), _records(current)
    numeric = isinstance(reference if n else current, DDSketch)
    blank = FieldDrift(
        name, "ks" if numeric else "chi-squared", 1.0, 0.0,
        "normed_wasserstein" if numeric else "jensen_shannon_distance", drifted=False,
        n_reference=n, n_current=m, min_effect=min_effect,
    )  # fmt: skip
    if min(n, m) < min_records:
        side = "the reference" if n < min_records else "the window"
        return replace(blank, reason=f"{side} has {min(n, m)} of the {min_records} records that it needs")
    if isinstance(reference, DDSketch) and isinstance(current, DDSketch):
        return _numeric(blank, reference, current)
    if isinstance(reference, Mapping) and isinstance(current, Mapping):
        return _categorical(blank, reference, current)
    return replace(blank, reason="numbers on one side and text on the other")


def _numeric(blank: FieldDrift, reference: DDSketch, current: DDSketch) -> FieldDrift:
    statistic, p_value = ks_test(reference, current)
    measures = {
        "ks_statistic": statistic,
        "median_reference": reference.quantile(0.5), "median_current": current.quantile(0.5),
        "mean_reference": reference.total / reference.count, "mean_current": current.total / current.count,
    }  # fmt: skip
    return replace(blank, p_value=p_value, effect=normed_wasserstein(reference, current), measures=measures)


def _categorical(blank: FieldDrift, reference: Mapping[str, int], current: Mapping[str, int]) -> FieldDrift:
    statistic, p_value, cells = chi_squared_test(reference, current)
    measures = {
        "chi_squared": statistic, "cells": float(cells),
        "psi": population_stability_index(reference, current), "total_variation": total_variation(reference, current),
    }  # fmt: skip
    return replace(blank, p_value=p_value, effect=jensen_shannon_distance(reference, current), measures=measures)


def _records(distribution: Distribution | None) -> int:
    if distribution is None:
        return 0
    return distribution.count if isinstance(distribution, DDSketch) else sum(distribution.values())
