"""The evaluation of every SLO: deltas in, statuses and findings out, at a time that is given; it stores nothing.

The result depends on the data and on ``now_ns``, not on the order of the data or on how often it was asked before
(events more than an hour late excepted, see :mod:`detectors.slo.evidence`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from detectors.slo.budget import BudgetPoint, curve
from detectors.slo.cohort import Cohort
from detectors.slo.compile import compile_rules, slices_rule_id
from detectors.slo.distribution_slices import FixedReference
from detectors.slo.exclusions import corrections_of
from detectors.slo.layout import Layout
from detectors.slo.ledger import HOUR_NS, Batch
from detectors.slo.memory import Memory, identity, joined
from detectors.slo.observation import NOTHING_ASIDE, Aside, Reading
from detectors.slo.report import Report
from detectors.slo.spec import SloSet
from detectors.slo.states import SHORTEST_SILENCE_NS
from detectors.slo.status import SloStatus
from detectors.slo.tier import Places
from detectors.slo.tracker import Tracker
from telemetry.corrections import Correction
from telemetry.deltas import DistributionDelta, SliColumns, SliDelta, group_key
from telemetry.errors import NotFoundError
from telemetry.findings import Finding
from telemetry.gauges import GaugeReading
from telemetry.rules import RollupRule


@dataclass(frozen=True)
class Evaluation:
    """What one step concludes; it does not change with later steps.

    Attributes:
        reports: what there is to say about each SLO, in the order of the files.
        findings: every condition that holds now.
        slice_deltas: verdicts over time slices that are new; who stores them and hands them to
            :meth:`Engine.ingest_sli` after a restart keeps the history of quantile and drift budgets.
        references: fixed references of drift SLOs that became complete; whoever stores them and hands them to
            :meth:`Engine.restore_references` after a restart keeps what drift is measured against.
        withdrawn: fingerprints of alerts that held within the last hour and, by the counts of now, never would have:
            late events proved them wrong. One is named for an hour after it ended, or until it holds again.
    """

    reports: Sequence[Report]
    findings: tuple[Finding, ...]
    slice_deltas: tuple[SliDelta, ...] = ()
    references: tuple[FixedReference, ...] = ()
    withdrawn: frozenset[str] = frozenset()

    @cached_property
    def statuses(self) -> tuple[SloStatus, ...]:
        """Every SLO, in the order of the files; put together when first asked for, which costs more than the step."""
        return tuple(report.status() for report in self.reports)


class Engine:
    """Evaluates a set of SLOs."""

    def __init__(self, slos: SloSet, corrections: Iterable[Correction] = ()) -> None:
        """Evaluate ``slos`` from nothing, without what ``corrections`` exclude.

        Hand over their history with :meth:`ingest_sli` first.
        """
        self.slos = slos
        kept = tuple(corrections)
        cohorts: dict[Layout, Cohort] = {}

        def cohort_of(layout: Layout) -> Cohort:
            return cohorts.setdefault(layout, Cohort(layout))

        self._trackers = {slo.name: Tracker(slo, kept, cohort_of) for slo in slos.slos}
        self._pruned_ns = 0
        self._index()

    @property
    def rules(self) -> tuple[RollupRule, ...]:
        """What the collector must count for these SLOs."""
        return tuple(rule for slo in self.slos.slos for rule in compile_rules(slo))

    @property
    def history_ns(self) -> int:
        """How far back counts are used: the longest window of any SLO or alert, at least a day."""
        return max((cohort.layout.horizon_ns for cohort in self._cohorts), default=0)

    @property
    def distribution_history_ns(self) -> int:
        """How far back distributions are used: late slices and their references, a fixed one from its beginning."""
        used = [
            tracker.slo.longest_window_ns if tracker.book.remembers_beginning else tracker.book.retention_ns
            for tracker in self._trackers.values() if tracker.book is not None
        ]  # fmt: skip
        return max(used, default=0)

    def ingest_sli(self, rows: Iterable[SliDelta] | SliColumns) -> None:
        """Take in counts, in any order; rows of rules that no SLO has are passed over. Columns are taken in faster."""
        columns = rows if isinstance(rows, SliColumns) else SliColumns.of(rows)
        routes = [self._routes.get(rule, -1) for rule in columns.rules]
        if not routes:
            return
        if routes[0] >= 0 and routes.count(routes[0]) == len(routes):
            self._takers[routes[0]](columns)
            return
        which = np.asarray(routes)
        for route in np.unique(which[which >= 0]).tolist():
            self._takers[route](columns.take(np.flatnonzero(which == route)))

    def absorb(self, now_ns: int) -> None:
        """Count at once what was taken in, without judging it; for a history that is handed over piece by piece.

        Groups, their evidence and late events are found out by the next :meth:`step`, as if all had come together.
        """
        for cohort in self._cohorts:
            cohort.absorb(now_ns)

    @property
    def nbytes(self) -> int:
        """Bytes of the buckets in which events are counted."""
        return sum(cohort.nbytes for cohort in self._cohorts)

    def ingest_distributions(self, rows: Iterable[DistributionDelta]) -> None:
        """Take in distributions, in any order; rows of rules that no SLO has are passed over."""
        by_rule: dict[str, list[DistributionDelta]] = {}
        for row in rows:
            by_rule.setdefault(row.rule, []).append(row)
        for rule, own in by_rule.items():
            if rule in self._by_rule:
                self._by_rule[rule].ingest_distributions(own)

    @property
    def gauges(self) -> frozenset[tuple[str, str]]:
        """The gauges that SLOs are judged by, as (service, name)."""
        return frozenset().union(*(tracker.gauges for tracker in self._special))

    def ingest_gauges(self, readings: Iterable[GaugeReading]) -> None:
        """Take in readings of :attr:`gauges`, again and again if one likes: the last one of a bucket holds."""
        by_gauge: dict[tuple[str, str], list[GaugeReading]] = {}
        for reading in readings:
            by_gauge.setdefault((reading.series.service, reading.series.name), []).append(reading)
        for tracker in self._special:
            for gauge in tracker.gauges & by_gauge.keys():
                tracker.ingest_gauges(by_gauge[gauge])

    def restore_references(self, references: Iterable[FixedReference]) -> None:
        """Know fixed references from before a restart; those of rules that no SLO has are passed over."""
        for reference in references:
            tracker = self._by_rule.get(reference.rule)
            if tracker is not None and tracker.book is not None:
                tracker.book.restore_reference(reference)

    def memories(self) -> list[Memory]:
        """What is known beyond the counts, as of the last :meth:`step`; one a layout."""
        return joined(cohort.memory for cohort in self._cohorts)

    def remember(self, memories: Iterable[Memory], without: Collection[str] = ()) -> None:
        """Go on from what another engine knew, with the first :meth:`step`; hand over the counts' history as well.

        ``without``: rules whose counts are others now; what was concluded from them is not gone on from.
        """
        by_layout = {memory.layout: memory for memory in memories}
        for cohort in self._cohorts:
            memory = by_layout.get(identity(cohort.layout))
            if memory is not None:
                cohort.remember(memory.of({key for key in memory.groups if key[0] not in without}))

    def differing(self, corrections: Iterable[Correction]) -> SloSet:
        """The SLOs whose counts would be others under ``corrections`` than under those that they have."""
        given = tuple(corrections)
        return SloSet(
            tuple(
                tracker.slo for tracker in self._trackers.values()
                if corrections_of(tracker.slo, given) != tracker.exclusions.corrections
            )
        )  # fmt: skip

    def adopt(self, other: Engine, only: Collection[str] | None = None) -> None:
        """Go on with what ``other``, which is of no further use, knows of its SLOs, or of those named ``only``.

        They are among these, and mean the same here.
        """
        for name, tracker in other._trackers.items():
            if only is not None and name not in only:
                tracker.cohort.expel(tracker.rule)
                continue
            self._trackers[name].cohort.expel(tracker.rule)
            self._trackers[name] = tracker
        self._index()

    def step(
        self, now_ns: int, last_seen_ns: Mapping[str, int] | None = None, late: Collection[str] = ()
    ) -> Evaluation:
        """Evaluate everything at ``now_ns``.

        Args:
            now_ns: the time; data of later buckets wait.
            last_seen_ns: when each service was last heard of, by any telemetry; what SLOs count is known already.
            late: services that send nothing as new as usual, see :mod:`detectors.slo.punctuality`.
        """
        slice_deltas = [delta for tracker in self._special for delta in tracker.judge(now_ns)]
        self._follow(slice_deltas)
        for cohort in self._cohorts:
            cohort.advance(now_ns)
        if now_ns - self._pruned_ns >= HOUR_NS:
            self._pruned_ns = now_ns
            self._prune(now_ns)
        asides = {tracker.rule: tracker.aside(now_ns) for tracker in self._special}
        readings = [cohort.read(now_ns, self._muted(cohort, asides)) for cohort in self._cohorts]
        silent = self._silent_services(now_ns, last_seen_ns or {})
        reports = self._reports(readings, asides, silent, frozenset(late))
        return Evaluation(
            reports,
            tuple(finding for report in self._holding(readings, reports) for finding in report.findings()),
            tuple(slice_deltas),
            tuple(reference for tracker in self._special for reference in tracker.take_references()),
            frozenset(one for report in self._proved_wrong(readings, reports) for one in report.withdrawn()),
        )

    def budget_curve(
        self, slo: str, group: Mapping[str, str], *, start_ns: int, end_ns: int, step_ns: int
    ) -> list[BudgetPoint]:
        """The budget of one group over time, from the counts that are still held.

        Raises:
            NotFoundError: no such SLO, or it has no such group.
        """
        tracker = self._tracker(slo)
        key = group_key(group)
        if key not in tracker.groups:
            raise NotFoundError(f"{slo} has no group {key}", remedy="list the groups with GET /api/v1/slos")
        place = int(tracker.cohort.positions(tracker.rule)[tracker.groups.index(key)])
        ledger = tracker.cohort.ledger
        return curve(ledger, place, slo=tracker.slo, start_ns=start_ns, end_ns=end_ns, step_ns=step_ns)

    def _tracker(self, slo: str) -> Tracker:
        if slo not in self._trackers:
            raise NotFoundError(f"there is no SLO {slo!r}", remedy="list them with GET /api/v1/slos")
        return self._trackers[slo]

    def _index(self) -> None:
        """Know where deltas go: straight to a cohort if all they need is to be counted, else to their tracker."""
        trackers = self._trackers.values()
        self._cohorts = list({id(tracker.cohort): tracker.cohort for tracker in trackers}.values())
        self._special = [tracker for tracker in trackers if not tracker.plain]
        self._by_rule: dict[str, Tracker] = {}
        self._takers: list[Callable[[SliColumns], None]] = [_counting(cohort) for cohort in self._cohorts]
        self._routes: dict[str, int] = {}
        place = {id(cohort): i for i, cohort in enumerate(self._cohorts)}
        for tracker in trackers:
            if not tracker.plain:
                self._takers.append(tracker.ingest)
            route = place[id(tracker.cohort)] if tracker.plain else len(self._takers) - 1
            counted = (rule.id for rule in compile_rules(tracker.slo))
            for rule in (tracker.rule, *counted, slices_rule_id(tracker.slo)):
                self._by_rule[rule] = tracker
                self._routes[rule] = route
        for rule in frozenset().union(*(tracker.followed for tracker in self._special)) & self._by_rule.keys():
            self._takers.append(self._following(self._by_rule[rule]))
            self._routes[rule] = len(self._takers) - 1

    def _following(self, tracker: Tracker) -> Callable[[SliColumns], None]:
        """Takes in stored verdicts of ``tracker``, for itself and for whom they are a component of."""

        def take_in(columns: SliColumns) -> None:
            tracker.ingest(columns)
            self._follow(list(columns))

        return take_in

    def _follow(self, verdicts: Sequence[SliDelta]) -> None:
        """Hand verdicts to the composites that they are a component of, which judge them with the next step."""
        for tracker in self._special:
            own = [row for row in verdicts if row.rule in tracker.followed] if tracker.followed else []
            if own:
                tracker.follow(own)

    def _prune(self, now_ns: int) -> None:
        """Forget the groups that have left every window."""
        for cohort in self._cohorts:
            own = [tracker for tracker in self._special if tracker.cohort is cohort]
            also_ns = {key: ns for tracker in own for key, ns in tracker.last_excluded_ns().items()}
            idle = cohort.idle(now_ns, also_ns)
            if idle.any():
                cohort.keep(np.flatnonzero(~idle))
                for tracker in own:
                    tracker.keep(tracker.groups)

    def _muted(self, cohort: Cohort, asides: Mapping[str, Aside]) -> Places:
        """Positions of the groups that a correction covers now."""
        muted = [
            tracker.muted(asides[tracker.rule])
            for tracker in self._special if tracker.cohort is cohort and asides[tracker.rule].corrected
        ]  # fmt: skip
        return np.concatenate(muted) if muted else np.zeros(0, dtype=np.intp)

    def _reports(
        self, readings: Sequence[Reading], asides: Mapping[str, Aside], silent: frozenset[str], late: frozenset[str]
    ) -> list[Report]:
        by_cohort = {id(cohort): reading for cohort, reading in zip(self._cohorts, readings, strict=True)}
        return [
            Report(
                tracker, by_cohort[id(tracker.cohort)], asides.get(tracker.rule, NOTHING_ASIDE),
                source_silent=tracker.slo.service in silent, source_late=tracker.slo.service in late,
            )
            for tracker in self._trackers.values()
        ]  # fmt: skip

    def _proved_wrong(self, readings: Sequence[Reading], reports: Sequence[Report]) -> list[Report]:
        """The reports of SLOs some alert of which is withdrawn."""
        return self._reports_of(
            [(cohort, wrong) for cohort, one in zip(self._cohorts, readings, strict=True) for wrong in one.withdrawn],
            reports,
        )  # fmt: skip

    def _holding(self, readings: Sequence[Reading], reports: Sequence[Report]) -> list[Report]:
        """The reports of SLOs some alert of which holds."""
        return self._reports_of(
            [
                (cohort, np.flatnonzero(alert.holds))
                for cohort, reading in zip(self._cohorts, readings, strict=True) for alert in reading.alerts
            ],
            reports,
        )  # fmt: skip

    def _reports_of(self, groups: Iterable[tuple[Cohort, Places]], reports: Sequence[Report]) -> list[Report]:
        """The reports of the SLOs that have groups at these positions of their cohorts."""
        rules = {rule for cohort, places in groups if len(places) for rule in cohort.owners(places)}
        return [report for report in reports if report.tracker.rule in rules] if rules else []

    def _silent_services(self, now_ns: int, heard_ns: Mapping[str, int]) -> frozenset[str]:
        """Services that have sent nothing for longer than their busiest SLO's traffic makes probable, or never."""
        newest: dict[str, int] = {}
        limit: dict[str, float] = {}
        for cohort in self._cohorts:
            quiet = cohort.silence()
            columns = quiet.last_ns.tolist(), quiet.improbable_ns.tolist(), quiet.has_groups.tolist()
            for rule, last_ns, improbable_ns, has_groups in zip(quiet.rules, *columns, strict=True):
                tracker = self._by_rule[rule]
                if tracker.cohort is not cohort:
                    continue
                service = tracker.slo.service
                newest[service] = max(newest.get(service, heard_ns.get(service, -1)), last_ns)
                if has_groups:
                    limit[service] = min(limit.get(service, improbable_ns), improbable_ns)
        return frozenset(
            service for service, last_ns in newest.items()
            if last_ns < 0 or now_ns - last_ns > limit.get(service, SHORTEST_SILENCE_NS)
        )  # fmt: skip


def _counting(cohort: Cohort) -> Callable[[SliColumns], None]:
    def take_in(columns: SliColumns) -> None:
        keys = list(zip(columns.rules, columns.groups, strict=True))
        counts = np.stack([columns.good, columns.total])
        cohort.events.take_in(Batch(keys, np.arange(len(keys)), columns.bucket_ns, counts))

    return take_in
