"""One SLO's counts, slices and evidence, and what they say at a time, for all groups at once. It words nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.sequential.onset import most_likely_onset
from detectors.slo.alerts import DEFAULT_ARL_NS
from detectors.slo.budget import remaining
from detectors.slo.burn import MIN_BAD_YOUNG, MIN_BAD_YOUNG_SLICES, burn_rates, pair_holds
from detectors.slo.calendar import Period
from detectors.slo.compile import beside_rule_id, rule_id, slices_rule_id
from detectors.slo.counted import CountedSlices
from detectors.slo.evidence import MIN_BAD_EVENTS, MIN_BAD_SLICES, NO_ALARM, Evidence, Standing
from detectors.slo.exclusions import Exclusions
from detectors.slo.ledger import FINE_SPAN_NS, HOUR_NS, MINUTE_NS, NEVER, Counts, Ledger
from detectors.slo.slices import FixedReference, SliceBook, Slices
from detectors.slo.spec import BurnPair, Occurrences, Slo
from detectors.slo.splits import no_boundaries
from detectors.slo.states import RATE_WINDOW_NS, silence_limit_ns
from telemetry.corrections import Correction
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.findings import Severity
from telemetry.windows import BUCKET_NS, format_duration

HOLD_NS: Final = 5 * MINUTE_NS
"""How long a sequential alert outlasts its last alarm: as long as the short window of the fastest pair."""
HOLD_STEPS: Final = 10
"""... and at least so many steps or mean gaps between events, or a quiet group's alert would flap."""

Rates = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a policy and the groups in which it holds, (groups,) bool."""

    name: str
    severity: Severity
    pair: BurnPair | None
    holds: NDArray[np.bool_]
    window: str = ""
    """The pair's long window as text; empty for the sequential alert."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What an SLO's data say at ``now_ns``; arrays follow ``groups``.

    Attributes:
        groups: canonical group texts.
        period: the calendar period, None for a rolling window.
        windows: lengths in nanoseconds: those of the alerts and the SLO's own; a calendar window's is what has passed
            of its period, and stands last.
        window: index of the SLO's own window in ``windows``.
        good, total: (windows, groups) counts, in parts of ``slo.unit``.
        burn: (windows, groups) burn rates, 0 without traffic.
        remaining: (groups,) share of the budget left, NaN without traffic.
        alerts: the policy's alerts.
        onset_ns: (groups,) start of the current bad run, ``NO_ALARM`` where none is known.
        run_good, run_total: (groups,) counts since that onset.
        log_evidence: (groups,) log of the sequential statistic: of the last alarm while an alert rests on it, else now.
        silent: (groups,) whether a group has had no events for improbably long.
        beside: (groups,) what is counted beside the SLI in its window, where something is: throttled requests, say.
        excluded: (groups,) what budget corrections took out of the SLO's window; None where there are none.
        corrected: (groups,) whether a correction covers this moment.
        last_ns: start of the newest bucket that has events, -1 without any.
        silence_ns: silence that is improbable for the SLO's traffic as a whole.
        slice_deltas: verdicts over slices that are new since the last observation.
    """

    slo: Slo
    now_ns: int
    groups: list[str]
    period: Period | None
    windows: list[int]
    window: int
    good: Counts
    total: Counts
    burn: Rates
    remaining: Rates
    alerts: list[Alert]
    onset_ns: Counts
    run_good: Counts
    run_total: Counts
    log_evidence: Rates
    silent: NDArray[np.bool_]
    beside: Counts | None
    excluded: Counts | None
    corrected: NDArray[np.bool_]
    last_ns: int
    silence_ns: float
    slice_deltas: list[SliDelta]

    @property
    def window_names(self) -> list[str]:
        """The windows as text: ``5m``, ``30d``, ``month``."""
        names = [format_duration(length_ns) for length_ns in self.windows]
        if self.slo.calendar is not None:
            names[self.window] = self.slo.calendar.unit
        return names


class Tracker:
    """The data of one SLO."""

    def __init__(self, slo: Slo, corrections: Iterable[Correction] = ()) -> None:
        """Track ``slo`` from nothing, without what ``corrections`` exclude."""
        self.slo = slo
        self.exclusions = Exclusions(slo, corrections)
        self.rule = rule_id(slo)
        policy = slo.policy
        lengths = {*(pair.long_ns for pair in policy.pairs), *(pair.short_ns for pair in policy.pairs)}
        self._windows = sorted(lengths if slo.calendar else {*lengths, slo.window_ns})
        boundaries = slo.calendar.splits if slo.calendar else no_boundaries
        self.ledger = Ledger(max(*self._windows, slo.longest_window_ns, RATE_WINDOW_NS), boundaries)
        self.slices: Slices | None = slo.sli.slices(slices_rule_id(slo))
        self.book = self.slices if isinstance(self.slices, SliceBook) else None
        self._counted: CountedSlices | None = None
        if self.slices is None and not isinstance(slo.budgeting, Occurrences):
            self.slices = self._counted = CountedSlices(slo.budgeting, slices_rule_id(slo))
        self.events = Ledger(RATE_WINDOW_NS) if self.slices else self.ledger
        self._step_ns = slo.slice_ns or BUCKET_NS
        self._min_bad = MIN_BAD_SLICES if self.slices else MIN_BAD_EVENTS
        self._min_bad_young = (MIN_BAD_YOUNG_SLICES if self.slices else MIN_BAD_YOUNG) * slo.unit
        self.beside = Ledger(slo.longest_window_ns, boundaries)
        self.excluded = Ledger(slo.longest_window_ns, boundaries)
        arl_ns = policy.sequential.arl_ns if policy.sequential else DEFAULT_ARL_NS
        tested = policy.sequential is not None or (policy.gate and policy.pairs)
        self.evidence: Evidence | None = None
        if tested:
            self.evidence = Evidence(slo.error_budget, arl_ns, self._step_ns, self._min_bad, slo.unit)
        self._pruned_ns = 0

    @property
    def min_bad(self) -> int:
        """Bad events (or slices) without which nothing is concluded."""
        return self._min_bad

    def ingest(self, rows: Iterable[SliDelta]) -> None:
        """Take in counts of the SLO's rules; rows of other rules are not meant to come here."""
        slices, aside = slices_rule_id(self.slo), beside_rule_id(self.slo)
        events, verdicts, beside = [], [], []
        for row in rows:
            if row.rule == slices and self.slices is not None:
                verdicts.append(row)
            elif row.rule == aside:
                beside.append(row)
            else:
                events.append(row)
        self.beside.add(beside)
        if self.slices is None:
            self.ledger.add(self._counting(events))
            return
        self.slices.restore(verdicts)
        self.ledger.add(self._counting(verdicts))
        self.events.add(events)
        if self._counted is not None:
            self._counted.add(events)

    def _counting(self, rows: Sequence[SliDelta]) -> Sequence[SliDelta]:
        """What counts of rows of the ledger's own kind; the rest is set aside."""
        if not self.exclusions.corrections:
            return rows
        counting, excluded = self.exclusions.part(rows, self._step_ns)
        self.excluded.add(excluded)
        return counting

    def ingest_distributions(self, rows: Iterable[DistributionDelta]) -> None:
        """Take in distributions; kinds that are counted need none."""
        if self.book is not None:
            self.book.add(rows)

    def take_references(self) -> list[FixedReference]:
        """Fixed references that became complete since this was last asked."""
        if self.book is None:
            return []
        completed, self.book.completed = self.book.completed, []
        return completed

    def observe(self, now_ns: int) -> Observation:
        """Bring everything up to ``now_ns`` and say what holds."""
        slice_deltas = self.slices.judge(now_ns) if self.slices else []
        self.ledger.add(self._counting(slice_deltas))
        if self.events is not self.ledger:
            self.events.advance(now_ns)
            self.ledger.register(self.events.groups)
        if self.exclusions.corrections:
            self.excluded.advance(now_ns)
            self.ledger.register(self.excluded.groups)
        changed_ns = self.ledger.advance(now_ns)
        self.events.register(self.ledger.groups)
        changed_ns = self._prune(now_ns, changed_ns)
        standing = self.evidence.advance(self.ledger, changed_ns, now_ns) if self.evidence else None
        return self._observation(now_ns, standing, slice_deltas)

    def _observation(self, now_ns: int, standing: Standing | None, slice_deltas: list[SliDelta]) -> Observation:
        slo, ledger = self.slo, self.ledger
        period = slo.calendar.period(now_ns) if slo.calendar else None
        windows = [*self._windows, now_ns - period.start_ns] if period else self._windows
        own = len(windows) - 1 if period else windows.index(slo.window_ns)
        good, total = ledger.window_sums(now_ns, windows)
        good = np.minimum(good, total)
        burn = burn_rates(good, total, slo.error_budget)
        places = self.events.places(ledger.groups)
        events, over_ns = self._day(now_ns)
        gap_ns = np.divide(over_ns, events, out=np.zeros(len(events)), where=events > 0)[places]
        corrected = self.exclusions.covering(ledger.groups, now_ns)
        alerts = self._alerts(now_ns, standing, total - good, burn, gap_ns, corrected)
        onset = self._onsets(now_ns, standing, alerts)
        run_good, run_total = ledger.sums_since(
            np.where(onset == NO_ALARM, now_ns, onset), np.arange(len(ledger)), now_ns
        )
        limit_ns = silence_limit_ns(events, over_ns)
        last_ns = self.events.last_ns
        age_ns = int(over_ns.max(initial=0))
        whole_ns = silence_limit_ns(np.asarray([events.sum()]), np.asarray([age_ns]))
        return Observation(
            slo=slo, now_ns=now_ns, groups=list(ledger.groups), period=period, windows=windows, window=own, good=good,
            total=total, burn=burn,
            remaining=remaining(good[own], total[own], slo.error_budget), alerts=alerts, onset_ns=onset,
            run_good=run_good, run_total=run_total,
            log_evidence=self._log_evidence(standing, alerts),
            silent=(now_ns - last_ns > limit_ns)[places],
            beside=self._aside(self.beside, now_ns, windows[own]),
            excluded=self._aside(self.excluded, now_ns, windows[own]), corrected=corrected,
            last_ns=int(last_ns.max(initial=-1)), silence_ns=float(whole_ns[0]), slice_deltas=slice_deltas,
        )  # fmt: skip

    def _alerts(
        self, now_ns: int, standing: Standing | None, bad: Counts, burn: Rates, gap_ns: Rates, corrected: Mask
    ) -> list[Alert]:
        policy = self.slo.policy
        burn_by = dict(zip(self._windows, burn, strict=False))  # A calendar window stands last, and alerts nothing.
        bad_by = dict(zip(self._windows, bad, strict=False))
        age_ns = now_ns - self.ledger.first_ns
        alarmed = np.zeros(len(self.ledger), dtype=np.bool_) if standing is None else standing.alarm_ns != NO_ALARM
        since_ns = np.zeros(len(self.ledger), dtype=np.int64) if standing is None else now_ns - standing.alarm_ns
        alerts = []
        for pair in policy.pairs:
            holds = pair_holds(pair, burn_by, bad_by, age_ns, self._min_bad_young)
            if policy.gate:
                holds &= alarmed & (since_ns <= pair.long_ns)
            holds &= ~corrected
            alerts.append(Alert("ErrorBudgetBurn", pair.severity, pair, holds, format_duration(pair.long_ns)))
        if policy.sequential is not None:
            hold_ns = np.clip(HOLD_STEPS * np.maximum(gap_ns, self._step_ns), HOLD_NS, FINE_SPAN_NS)
            holds = alarmed & (since_ns <= hold_ns) & ~corrected
            alerts.append(Alert("ErrorBudgetSequential", policy.sequential.severity, None, holds))
        return alerts

    def _log_evidence(self, standing: Standing | None, alerts: list[Alert]) -> Rates:
        """(groups,) evidence to show: an alarm starts the statistic anew, so what raised it is what the alert had."""
        if standing is None:
            return np.full(len(self.ledger), -np.inf)
        resting = [alert.holds for alert in alerts if alert.pair is None or self.slo.policy.gate]
        rests = np.any(resting, axis=0) if resting else np.zeros(len(self.ledger), dtype=np.bool_)
        return np.where(rests, standing.alarm_evidence, standing.detector.log_evidence())

    def _onsets(self, now_ns: int, standing: Standing | None, alerts: list[Alert]) -> Counts:
        """(groups,) onset of the run where an alert holds; from the sequential test, else from the counts."""
        onset = np.full(len(self.ledger), NO_ALARM, dtype=np.int64)
        for alert in alerts:
            if standing is not None:
                found = alert.holds & (standing.alarm_ns != NO_ALARM)
                onset = np.where(found, standing.alarm_onset_ns, onset)
            for group in np.flatnonzero(alert.holds & (onset == NO_ALARM)):
                assert alert.pair is not None
                start_ns = now_ns - alert.pair.long_ns
                starts_ns, good, total = self.ledger.series(int(group), start_ns, now_ns + 1)
                first = most_likely_onset(np.clip(total - good, 0, total), total, self.slo.error_budget)
                onset[group] = starts_ns[first or 0]
        return onset

    def _day(self, now_ns: int) -> tuple[Counts, Counts]:
        """(groups of the event ledger,) events of the last day, and the length of the history they came in."""
        _, events = self.events.window_sums(now_ns, [RATE_WINDOW_NS])
        known = self.events.first_ns != NEVER
        age_ns = np.where(known, now_ns - np.where(known, self.events.first_ns, now_ns), 0)
        return events[0], np.clip(age_ns, BUCKET_NS, RATE_WINDOW_NS)

    def _aside(self, ledger: Ledger, now_ns: int, window_ns: int) -> Counts | None:
        """(groups,) events of the window in a ledger of those that are set aside; None where there never were any."""
        ledger.advance(now_ns)
        if not len(ledger):
            return None
        _, total = ledger.window_sums(now_ns, [window_ns])
        counts = dict(zip(ledger.groups, total[0].tolist(), strict=True))
        return np.asarray([counts.get(group, 0) for group in self.ledger.groups], dtype=np.int64)

    def _prune(self, now_ns: int, changed_ns: Counts) -> Counts:
        """Once an hour, forget the groups that have left every window."""
        if now_ns - self._pruned_ns < HOUR_NS:
            return changed_ns
        self._pruned_ns = now_ns
        places = self.events.places(self.ledger.groups)
        newest = np.maximum(self.ledger.last_ns, self.events.last_ns[places])
        np.maximum.at(newest, self.ledger.places(self.excluded.groups), self.excluded.last_ns)
        gone = (newest >= 0) & (newest < now_ns - self.ledger.horizon_ns)
        if not gone.any():
            return changed_ns
        kept = np.flatnonzero(~gone)
        names = [self.ledger.groups[i] for i in kept]
        left = set(names)
        if self.events is not self.ledger:
            self.events.keep(places[kept])
        self.ledger.keep(kept)
        self.excluded.keep(np.flatnonzero([group in left for group in self.excluded.groups]))
        if self.evidence:
            self.evidence.keep(kept)
        if self.slices:
            self.slices.keep(names)
        return changed_ns[kept]
