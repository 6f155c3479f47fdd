"""The evaluation of every SLO: deltas in, statuses and findings out, at a time that is given; it stores nothing.

The result depends on the data and on ``now_ns``, not on the order of the data or on how often it was asked before
(events more than an hour late excepted, see :mod:`detectors.slo.evidence`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from detectors.slo.budget import BudgetPoint, curve
from detectors.slo.compile import compile_rules, slices_rule_id
from detectors.slo.exclusions import corrections_of
from detectors.slo.report import Report
from detectors.slo.slices import FixedReference
from detectors.slo.spec import SloSet
from detectors.slo.states import SHORTEST_SILENCE_NS
from detectors.slo.status import SloStatus
from detectors.slo.tracker import Observation, Tracker
from telemetry.corrections import Correction
from telemetry.deltas import DistributionDelta, SliDelta, group_key
from telemetry.errors import NotFoundError
from telemetry.findings import Finding
from telemetry.rules import RollupRule


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one step concludes.

    Attributes:
        statuses: every SLO, in the order of the files.
        findings: every condition that holds now.
        slice_deltas: verdicts over time slices that are new; who stores them and hands them to
            :meth:`Engine.ingest_sli` after a restart keeps the history of quantile and drift budgets.
        references: fixed references of drift SLOs that became complete; whoever stores them and hands them to
            :meth:`Engine.restore_references` after a restart keeps what drift is measured against.
    """

    statuses: tuple[SloStatus, ...]
    findings: tuple[Finding, ...]
    slice_deltas: tuple[SliDelta, ...] = field(default=())
    references: tuple[FixedReference, ...] = field(default=())


class Engine:
    """Evaluates a set of SLOs."""

    def __init__(self, slos: SloSet, corrections: Iterable[Correction] = ()) -> None:
        """Evaluate ``slos`` from nothing, without what ``corrections`` exclude.

        Hand over their history with :meth:`ingest_sli` first.
        """
        self.slos = slos
        kept = tuple(corrections)
        self._trackers: dict[str, Tracker] = {}
        self._by_rule: dict[str, Tracker] = {}
        self._install(Tracker(slo, kept) for slo in slos.slos)

    @property
    def rules(self) -> tuple[RollupRule, ...]:
        """What the collector must count for these SLOs."""
        return tuple(rule for slo in self.slos.slos for rule in compile_rules(slo))

    @property
    def history_ns(self) -> int:
        """How far back counts are used: the longest window of any SLO or alert, at least a day."""
        return max((tracker.ledger.horizon_ns for tracker in self._trackers.values()), default=0)

    @property
    def distribution_history_ns(self) -> int:
        """How far back distributions are used: late slices and their references, a fixed one from its beginning."""
        used = [
            tracker.slo.longest_window_ns if tracker.book.remembers_beginning else tracker.book.retention_ns
            for tracker in self._trackers.values() if tracker.book is not None
        ]  # fmt: skip
        return max(used, default=0)

    def ingest_sli(self, rows: Iterable[SliDelta]) -> None:
        """Take in counts, in any order; rows of rules that no SLO has are passed over."""
        by_rule: dict[str, list[SliDelta]] = {}
        for row in rows:
            by_rule.setdefault(row.rule, []).append(row)
        for rule, own in by_rule.items():
            if rule in self._by_rule:
                self._by_rule[rule].ingest(own)

    def ingest_distributions(self, rows: Iterable[DistributionDelta]) -> None:
        """Take in distributions, in any order; rows of rules that no SLO has are passed over."""
        by_rule: dict[str, list[DistributionDelta]] = {}
        for row in rows:
            by_rule.setdefault(row.rule, []).append(row)
        for rule, own in by_rule.items():
            if rule in self._by_rule:
                self._by_rule[rule].ingest_distributions(own)

    def restore_references(self, references: Iterable[FixedReference]) -> None:
        """Know fixed references from before a restart; those of rules that no SLO has are passed over."""
        for reference in references:
            tracker = self._by_rule.get(reference.rule)
            if tracker is not None and tracker.book is not None:
                tracker.book.restore_reference(reference)

    def differing(self, corrections: Iterable[Correction]) -> SloSet:
        """The SLOs whose counts would be others under ``corrections`` than under those that they have."""
        given = tuple(corrections)
        return SloSet(
            tuple(
                tracker.slo for tracker in self._trackers.values()
                if corrections_of(tracker.slo, given) != tracker.exclusions.corrections
            )
        )  # fmt: skip

    def adopt(self, other: Engine) -> None:
        """Go on with what ``other`` knows of its SLOs, which are among these."""
        self._install(other._trackers.values())

    def _install(self, trackers: Iterable[Tracker]) -> None:
        for tracker in trackers:
            self._trackers[tracker.slo.name] = tracker
            for rule in (*(rule.id for rule in compile_rules(tracker.slo)), slices_rule_id(tracker.slo)):
                self._by_rule[rule] = tracker

    def step(self, now_ns: int, last_seen_ns: Mapping[str, int] | None = None) -> Evaluation:
        """Evaluate everything at ``now_ns``.

        Args:
            now_ns: the time; data of later buckets wait.
            last_seen_ns: when each service was last heard of, by any telemetry; what SLOs count is known already.
        """
        seen = [(tracker, tracker.observe(now_ns)) for tracker in self._trackers.values()]
        silent = _silent_services([observation for _, observation in seen], now_ns, last_seen_ns or {})
        reports = [Report(tracker, item, source_silent=item.slo.service in silent) for tracker, item in seen]
        return Evaluation(
            tuple(report.status() for report in reports),
            tuple(finding for report in reports for finding in report.findings()),
            tuple(delta for _, item in seen for delta in item.slice_deltas),
            tuple(reference for tracker, _ in seen for reference in tracker.take_references()),
        )

    def budget_curve(
        self, slo: str, group: Mapping[str, str], *, start_ns: int, end_ns: int, step_ns: int
    ) -> list[BudgetPoint]:
        """The budget of one group over time, from the counts that are still held.

        Raises:
            NotFoundError: no such SLO, or it has no such group.
        """
        tracker = self._tracker(slo)
        places = {name: i for i, name in enumerate(tracker.ledger.groups)}
        key = group_key(group)
        if key not in places:
            raise NotFoundError(f"{slo} has no group {key}", remedy="list the groups with GET /api/v1/slos")
        return curve(tracker.ledger, places[key], slo=tracker.slo, start_ns=start_ns, end_ns=end_ns, step_ns=step_ns)

    def _tracker(self, slo: str) -> Tracker:
        if slo not in self._trackers:
            raise NotFoundError(f"there is no SLO {slo!r}", remedy="list them with GET /api/v1/slos")
        return self._trackers[slo]


def _silent_services(seen: list[Observation], now_ns: int, heard_ns: Mapping[str, int]) -> frozenset[str]:
    """Services that have sent nothing for longer than their busiest SLO's traffic makes probable, or never."""
    newest: dict[str, int] = {}
    limit: dict[str, float] = {}
    for item in seen:
        service = item.slo.service
        newest[service] = max(newest.get(service, heard_ns.get(service, -1)), item.last_ns)
        if item.groups:
            limit[service] = min(limit.get(service, item.silence_ns), item.silence_ns)
    return frozenset(
        service for service, last_ns in newest.items()
        if last_ns < 0 or now_ns - last_ns > limit.get(service, SHORTEST_SILENCE_NS)
    )  # fmt: skip
