"""Estimated accuracy of predictions that have no label yet, shown beside what labels say; it alerts nobody.

A budget counts labels only. An estimate rests on assumptions that nobody can check before the labels come, so it is for
people to look at, and whoever wants to be woken by a changed confidence declares a drift SLO for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from detectors.accuracy.calibration import Calibration, Unknown
from detectors.slo.compile import rule_id
from detectors.slo.kinds.accuracy import Accuracy, predictions_of
from detectors.slo.spec import Slo, SloSet
from detectors.slo.status import GroupStatus
from storage.database import Database
from storage.labels import label_counts
from storage.rollups import load_distributions
from telemetry.deltas import group_key, group_labels, merge_distributions
from telemetry.schema import DOUBT_RIGHT, DOUBT_WRONG
from telemetry.sketches import DDSketch
from telemetry.windows import NANOS

OVER_NS: Final = 3600 * NANOS
"""Predictions of this last time are what an estimate is about."""
LEARNT_FROM_NS: Final = 30 * 86400 * NANOS
"""What a confidence means is learnt from labels of this time: models change."""
_FOREVER_NS: Final = 2**62
_ONE_BUCKET_NS: Final = 2**61

Document = dict[str, Any]
Made = Mapping[str, Mapping[str, Document]]
"""By the name of the SLO and the canonical text of its group."""


class Estimates:
    """Keeps what was last estimated."""

    def __init__(self, database: Database, slos: Callable[[], SloSet]) -> None:
        """``slos`` are those in force."""
        self._database = database
        self._slos = slos
        self._made: Made = {}
        self.labels: Mapping[str, int] = {}
        """How many stored labels found their request, wait for it, or were given up; empty while nobody counts them."""

    def step(self, now_ns: int) -> None:
        """Estimate anew, and see how many labels there are.

        Raises:
            StorageError: the database cannot be used; what was estimated before stays.
        """
        slos = self._slos()
        self._made = estimate(self._database, slos, now_ns)
        counted = any(isinstance(slo.sli, Accuracy) for slo in slos.slos)
        self.labels = label_counts(self._database) if counted else {}

    def shown_in(self, status: Document) -> Document:
        """The API's document of an SLO with its estimates, see :func:`shown_in`."""
        return shown_in(status, self._made)


def estimate(database: Database, slos: SloSet, now_ns: int) -> Made:
    """What can be said at ``now_ns`` of the predictions of the last hour, of each SLO that wants estimates.

    Raises:
        StorageError: the database cannot be used.
    """
    return {
        slo.name: _of_groups(database, slo, slo.sli.min_labels, now_ns)
        for slo in slos.slos
        if isinstance(slo.sli, Accuracy) and slo.sli.estimate
    }


def shown_in(status: Document, made: Made) -> Document:
    """The API's document of an SLO with ``estimate`` in the detail of each group that has one.

    A group that has predictions and no label yet has no traffic for the evaluation: it gets a state that says so.
    """
    estimates = made.get(status["name"], {})
    if not estimates:
        return status
    groups = [
        _with_estimate(group, estimates.get(group_key(group["group"])))
        for group in status["groups"]
        if group["group"] or not status["per"]
    ]
    known = {group_key(group["group"]) for group in groups}
    unlabelled = GroupStatus({}, "not_enough_data").to_json()
    more = [
        _with_estimate({**unlabelled, "group": group_labels(key)}, found)
        for key, found in estimates.items() if key not in known
    ]  # fmt: skip
    return {**status, "groups": [*groups, *more]}


def _with_estimate(group: Document, found: Document | None) -> Document:
    if found is None:
        return group
    waits = not group["total"] and group["state"] in ("no_traffic", "no_telemetry")
    state = "not_enough_data" if waits else group["state"]
    return {**group, "state": state, "detail": {**group["detail"], "estimate": found}}


def _of_groups(database: Database, slo: Slo, min_labels: int, now_ns: int) -> Mapping[str, Document]:
    rule = rule_id(slo)
    labelled = _doubts(database, rule, now_ns - LEARNT_FROM_NS)
    found: dict[str, Document] = {}
    for group, doubts in _doubts(database, predictions_of(rule), now_ns - OVER_NS).items():
        known = labelled.get(group, {})
        right, wrong = known.get(DOUBT_RIGHT, DDSketch()), known.get(DOUBT_WRONG, DDSketch())
        found[group] = _document(right, wrong, doubts["doubt"], min_labels)
    return found


def _doubts(database: Database, rule: str, start_ns: int) -> Mapping[str, Mapping[str, DDSketch]]:
    """Sketches of all buckets from ``start_ns`` on together, by group and field."""
    found: dict[str, dict[str, DDSketch]] = defaultdict(dict)
    for series in load_distributions(database, [rule], start_ns, _FOREVER_NS, width_ns=_ONE_BUCKET_NS):
        merged = merge_distributions(series.distributions)
        if isinstance(merged, DDSketch):
            found[series.group][series.field] = merged
    return found


def _document(right: DDSketch, wrong: DDSketch, doubts: DDSketch, min_labels: int) -> Document:
    facts: Document = {"over_s": OVER_NS / NANOS, "predictions": doubts.count, "labels": right.count + wrong.count}
    if right.count + wrong.count < min_labels:
        return {**facts, "unknown": f"{facts['labels']} labels with a confidence; an estimate needs {min_labels}"}
    made = Calibration.of(right, wrong).estimate(doubts, min_labels)
    if isinstance(made, Unknown):
        return {**facts, "unknown": made.reason}
    more = {"accuracy": made.accuracy, "low": made.low, "high": made.high, "mean_confidence": made.mean_confidence}
    return {**facts, **more}
