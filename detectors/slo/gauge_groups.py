"""To which groups of an SLO the values of a gauge belong; it looks at labels only."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.slo.spec import Slo
from telemetry.deltas import group_key, group_labels
from telemetry.points import MetricSeries


def measured_group(slo: Slo, series: MetricSeries) -> str | None:
    """The group that a gauge measures; None when it is not the SLO's service, or a condition does not hold for it."""
    labels = series.all_labels
    if series.service != slo.service or not slo.where.accepts(labels):
        return None
    return group_key({name: labels.get(name, "") for name in slo.per})


def living_groups(slo: Slo, groups: Iterable[str], series: MetricSeries) -> list[str]:
    """Those of the SLO's ``groups`` that a gauge is a sign of life of.

    Conditions and groups speak of calls, which have labels that a gauge lacks: only those that it has must agree.
    """
    labels = series.all_labels
    disagrees = any(matcher.name in labels and not matcher.accepts(labels[matcher.name]) for matcher in slo.where.items)
    if series.service != slo.service or disagrees:
        return []
    return [
        group
        for group in groups
        if all(labels.get(name, value) == value for name, value in group_labels(group).items())
    ]
