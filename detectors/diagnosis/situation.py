"""What a diagnosis is made from, and how its rows are selected; it concludes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.attribution import DIMENSIONS
from detectors.drift import DriftResult
from telemetry.columns import Columns
from telemetry.rules import GoodWhen
from telemetry.schema import LOG_HOME, is_feature

SCOPE_DIMENSIONS = tuple(name for name in DIMENSIONS if name not in {"service", "environment"})


@dataclass(frozen=True)
class Situation:
    """A violated condition and the records around its onset.

    Attributes:
        kind: the SLI's kind.
        good: what makes an event good; None where events are not judged one by one.
        measure: the field in question; None when ``good`` says it or there is none.
        before, after: spans of the SLO's events, of all its groups, before the onset and since.
        logs_before, logs_after: inference logs of the same times, or None.
        drift: the comparison that raised the finding, or None.
        onset_ns: when the trouble is estimated to have begun, or None.
        labels: the finding's group.
        gauge: the gauge that is beyond its bound, or its role; None where there is none.
    """

    kind: str
    before: Columns
    after: Columns
    good: GoodWhen | None = None
    measure: str | None = None
    logs_before: Columns | None = None
    logs_after: Columns | None = None
    drift: DriftResult | None = None
    onset_ns: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    gauge: str | None = None

    @cached_property
    def scope(self) -> dict[str, str]:
        """Labels of the finding's group that all records since the onset share: nothing else was there to compare."""
        return {
            name: value
            for name, value in self.labels.items()
            if name in SCOPE_DIMENSIONS
            and value
            and len(self.after)
            and bool(matching(self.after, {name: value}).all())
        }

    def source(self, name: str) -> tuple[Columns, Columns]:
        """The records before and after that carry field ``name``: logs for features and predictions, else spans."""
        logs = (self.logs_before, self.logs_after)
        if logs[0] is not None and logs[1] is not None:
            in_logs = all(has_values(side, name) for side in logs if side is not None)
            if in_logs and (name in LOG_HOME or is_feature(name) or not has_values(self.after, name)):
                return logs[0], logs[1]
        return self.before, self.after


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cause with its evidence, before it is written down.

    Attributes:
        cause: a key of ``telemetry.findings.CAUSES``.
        summary: one sentence.
        confidence: share of the excess explained, or None.
        slice: dimension values.
        evidence: JSON parts to add: ``attribution``, ``tail``, ``changes``, ``drift``.
        worst: the records to show as exemplars, worst first; positions in ``exemplars_from``.
        exemplars_from: the batch of ``worst``; None for the spans since the onset.
    """

    cause: str
    summary: str
    confidence: float | None = None
    slice: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    worst: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    exemplars_from: Columns | None = None


def matching(columns: Columns, labels: Mapping[str, str]) -> NDArray[np.bool_]:
    """(n,) bool: the records with all these values; ``a|b`` accepts either."""
    rows = np.ones(len(columns), dtype=np.bool_)
    for name, text in labels.items():
        column = columns.string(name)
        accepted = {text, *text.split("|")}
        rows &= column.mask([value in accepted for value in column.values], missing=False)
    return rows


def has_values(columns: Columns, name: str) -> bool:
    """Whether any record has the field."""
    if name in columns.numbers:
        return bool(np.isfinite(columns.numbers[name]).any())
    return name in columns.strings and bool((columns.strings[name].codes >= 0).any())


def worst_first(badness: NDArray[np.float64], rows: NDArray[np.bool_], limit: int = 50) -> NDArray[np.intp]:
    """Positions of ``rows`` by falling badness; NaN last."""
    places = np.flatnonzero(rows)
    order = np.argsort(-np.nan_to_num(badness[places], nan=-np.inf), kind="stable")
    return places[order][:limit]


def described(labels: Mapping[str, str]) -> str:
    """A slice in words: ``input_type code and tenant acme``."""
    return " and ".join(f"{name} {value.replace('|', ' or ')}" for name, value in labels.items())


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else f"{100 * share:.2g} %"
