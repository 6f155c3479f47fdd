"""One SLO's deltas on their way into its cohort, its slices and what is counted beside. It judges no budget.

This is the one place where deltas of an SLO come in that need more than to be counted: those of slices, of what is
counted beside the SLI, and of times that corrections exclude. Deltas of SLOs that need none of it
(:attr:`Tracker.plain`) go straight to the cohort, those of all SLOs together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import numpy as np

from detectors.slo.arrivals import ArrivalSlices
from detectors.slo.cohort import Cohort
from detectors.slo.combined import CombinedSlices
from detectors.slo.compile import beside_rule_id, rule_id, slices_rule_id
from detectors.slo.counted import CountedSlices
from detectors.slo.distribution_slices import FixedReference, SliceBook
from detectors.slo.exclusions import Exclusions
from detectors.slo.gauge_groups import living_groups, measured_group
from detectors.slo.gauge_slices import GaugeSlices
from detectors.slo.layout import Layout
from detectors.slo.ledger import Batch, Ledger
from detectors.slo.memory import Key
from detectors.slo.observation import NOTHING_ASIDE, Aside
from detectors.slo.slices import Slices
from detectors.slo.spec import Occurrences, Slo
from detectors.slo.tier import Places
from telemetry.corrections import Correction
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.gauges import GaugeReading


class Tracker:
    """The data of one SLO.

    Attributes:
        rule: id of the SLO's rule, under which the cohort holds its groups.
        cohort: the arrays that it shares with SLOs of the same layout.
        slices: the slices of time that it judges, if it does.
    """

    def __init__(self, slo: Slo, corrections: Iterable[Correction], cohort_of: Callable[[Layout], Cohort]) -> None:
        """Track ``slo`` from nothing, without what ``corrections`` exclude, in the cohort that its layout gives."""
        self.slo = slo
        self.rule = rule_id(slo)
        self.exclusions = Exclusions(slo, corrections)
        self.slices: Slices | None = slo.sli.slices(slices_rule_id(slo))
        self.book = self.slices if isinstance(self.slices, SliceBook) else None
        self._gauged = self.slices if isinstance(self.slices, GaugeSlices | ArrivalSlices) else None
        self._combined = self.slices if isinstance(self.slices, CombinedSlices) else None
        self._counted: CountedSlices | ArrivalSlices | CombinedSlices | None = self._combined
        if isinstance(self.slices, ArrivalSlices):
            self._counted = self.slices
        if self.slices is None and not isinstance(slo.budgeting, Occurrences):
            self.slices = self._counted = CountedSlices(slo.budgeting, slices_rule_id(slo))
        layout = Layout.of(slo, sliced=self.slices is not None)
        self.cohort = cohort_of(layout)
        self.cohort.enrol(self.rule, slo.error_budget)
        self._slices_rule, self._beside_rule = slices_rule_id(slo), beside_rule_id(slo)
        self._beside, self._excluded = layout.ledger(), layout.ledger()

    @property
    def plain(self) -> bool:
        """Whether its deltas only need to be counted."""
        return self.slices is None and self._beside_rule is None and not self.exclusions.corrections

    @property
    def groups(self) -> list[str]:
        """Canonical texts of its groups, in order of appearance."""
        return self.cohort.groups(self.rule)

    def ingest(self, rows: Iterable[SliDelta]) -> None:
        """Take in counts of the SLO's rules; rows of other rules are not meant to come here."""
        events, verdicts, beside = [], [], []
        for row in rows:
            if row.rule == self._slices_rule and self.slices is not None:
                verdicts.append(row)
            elif row.rule == self._beside_rule:
                beside.append(row)
            else:
                events.append(row)
        self._beside.add(beside)
        if self.slices is None:
            self._count(events)
            return
        self.slices.restore(verdicts)
        self._count(verdicts)
        self.cohort.events.take_in(self._batch(events))
        if self._counted is not None:
            self._counted.add(events)

    def ingest_distributions(self, rows: Iterable[DistributionDelta]) -> None:
        """Take in distributions; kinds that are counted need none."""
        if self.book is not None:
            self.book.add(rows)

    @property
    def gauges(self) -> frozenset[tuple[str, str]]:
        """The gauges that its slices are judged by, as (service, name)."""
        return frozenset((self.slo.service, name) for name in self._gauged.names) if self._gauged else frozenset()

    def ingest_gauges(self, readings: Iterable[GaugeReading]) -> None:
        """Take in readings of its :attr:`gauges`; values that a gauge measured are events, signs of life are none."""
        events = []
        for reading in readings:
            if isinstance(self._gauged, ArrivalSlices):
                for group in living_groups(self.slo, self.groups, reading.series):
                    self._gauged.add_sign(group, reading.bucket_ns)
            elif self._gauged is not None:
                measured = measured_group(self.slo, reading.series)
                new = 0 if measured is None else self._gauged.add(measured, reading)
                if measured is not None and new:
                    events.append(SliDelta(self.rule, measured, reading.bucket_ns, new, new))
        if events:
            self.cohort.events.take_in(self._batch(events))

    @property
    def followed(self) -> frozenset[str]:
        """The rules of other SLOs whose verdicts its slices are judged by."""
        return self._combined.followed if self._combined else frozenset()

    def follow(self, rows: Sequence[SliDelta]) -> None:
        """Take in verdicts of its :attr:`followed` rules; each is a sign of traffic."""
        if self._combined is not None:
            self._combined.add(rows)
            seen = ((self._combined.group_of(row.group), row.bucket_ns) for row in rows if row.total > 0)
            self.cohort.events.take_in(self._batch([SliDelta(self.rule, *key, 0, 1) for key in seen]))

    def take_references(self) -> list[FixedReference]:
        """Fixed references that became complete since this was last asked."""
        if self.book is None:
            return []
        completed, self.book.completed = self.book.completed, []
        return completed

    def judge(self, now_ns: int) -> list[SliDelta]:
        """Judge the slices that are due and hand their verdicts to the cohort; what is new of them."""
        verdicts = self.slices.judge(now_ns) if self.slices else []
        self._count(verdicts)
        if self.exclusions.corrections:
            self._excluded.advance(now_ns)
            self.cohort.ledger.register([*self.last_excluded_ns()])
        return verdicts

    def aside(self, now_ns: int) -> Aside:
        """What is known beside the counts, once the cohort has advanced to ``now_ns``."""
        if self.plain:
            return NOTHING_ASIDE
        groups = self.groups
        latest = None
        if self.slices is not None:
            found = ((group, self.slices.latest(group)) for group in groups)
            latest = {group: one for group, one in found if one is not None}
        covering = self.exclusions.covering(groups, now_ns).tolist()
        corrected = frozenset(group for group, covered in zip(groups, covering, strict=True) if covered)
        self._beside.advance(now_ns)
        return Aside(self._sums(self._beside, now_ns), self._sums(self._excluded, now_ns), corrected, latest)

    def muted(self, aside: Aside) -> Places:
        """Positions in the cohort of the groups that a correction covers now."""
        positions = self.cohort.positions(self.rule)
        if not aside.corrected:
            return positions[:0]
        return positions[np.asarray([group in aside.corrected for group in self.groups], dtype=np.bool_)]

    def last_excluded_ns(self) -> Mapping[Key, int]:
        """Start of the newest bucket with events that were excluded, by group."""
        names = (cast("str", group) for group in self._excluded.groups)
        return {(self.rule, name): ns for name, ns in zip(names, self._excluded.last_ns.tolist(), strict=True)}

    def keep(self, groups: Iterable[str]) -> None:
        """Forget every other group; the cohort does so by itself."""
        kept = set(groups)
        for ledger in (self._beside, self._excluded):
            ledger.keep(np.flatnonzero([group in kept for group in ledger.groups]))
        if self.slices is not None:
            self.slices.keep(kept)

    def _count(self, rows: Sequence[SliDelta]) -> None:
        """Hand what counts to the ledger of the budget; the rest is set aside."""
        if self.exclusions.corrections:
            rows, excluded = self.exclusions.part(rows, self.cohort.layout.step_ns)
            self._excluded.add(excluded)
        self.cohort.ledger.take_in(self._batch(rows))

    def _batch(self, rows: Sequence[SliDelta]) -> Batch:
        batch = Batch.of_rows(rows)
        return Batch([(self.rule, cast("str", group)) for group in batch.keys], batch.of, batch.starts_ns, batch.counts)

    def _sums(self, ledger: Ledger, now_ns: int) -> Mapping[str, int] | None:
        """Events of the SLO's window in a ledger of those that are set aside; None where there never were any."""
        if not len(ledger):
            return None
        _, total = ledger.window_sums(now_ns, [now_ns - self.slo.window_start_ns(now_ns)])
        return {cast("str", group): count for group, count in zip(ledger.groups, total[0].tolist(), strict=True)}
