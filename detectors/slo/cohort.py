"""SLOs whose arithmetic is the same, all their groups in the same arrays: counts, evidence and what they say at a time.

A thousand SLOs with one group each cost what one SLO with a thousand groups does. A cohort knows no kind of SLI and
words nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from detectors.sequential.onset import most_likely_onset
from detectors.slo.allowance import Allowance
from detectors.slo.budget import remaining
from detectors.slo.burn import burn_rates, pair_holds
from detectors.slo.evidence import NO_ALARM, Standing
from detectors.slo.hindsight import Hindsight, replay
from detectors.slo.layout import Layout
from detectors.slo.ledger import FINE_SPAN_NS, MINUTE_NS, NEVER, Ledger
from detectors.slo.memory import Key, Memory, identity
from detectors.slo.observation import Alert, Mask, Rates, Reading
from detectors.slo.states import RATE_WINDOW_NS, silence_limit_ns
from detectors.slo.tier import Counts, Places
from telemetry.windows import BUCKET_NS, format_duration

HOLD_NS: Final = 5 * MINUTE_NS
"""How long a sequential alert outlasts its last alarm: as long as the short window of the fastest pair."""
HOLD_STEPS: Final = 10
"""... and at least so many steps or mean gaps between events, or a quiet group's alert would flap."""


@dataclass(frozen=True, slots=True)
class Silence:
    """How quiet each SLO of a cohort is; arrays follow ``rules``.

    Attributes:
        rules: ids of the SLOs' rules.
        last_ns: start of the newest bucket with events, -1 without any.
        improbable_ns: the silence that is improbable for the SLO's traffic as a whole.
        has_groups: whether there ever was any.
    """

    rules: Sequence[str]
    last_ns: Counts
    improbable_ns: Rates
    has_groups: Mask


class Cohort:
    """The arrays of SLOs of one layout; :meth:`advance` and then :meth:`read` make a step.

    Attributes:
        ledger: what is counted: events, or verdicts over slices. Its groups are of type ``Key``.
        events: the events themselves; the same ledger where these are what is counted.
        evidence: the sequential test, if the policy has one.
    """

    def __init__(self, layout: Layout) -> None:
        """Hold nothing yet."""
        self.layout = layout
        self.ledger = layout.ledger(sorted({*layout.windows, RATE_WINDOW_NS}))
        self.events = Ledger(RATE_WINDOW_NS, windows_ns=[RATE_WINDOW_NS]) if layout.sliced else self.ledger
        self.evidence = layout.evidence()
        self._rules: dict[str, int] = {}
        self._budgets: list[float] = []
        self._error_budget: Rates = np.zeros(0)
        self._owner: Places = np.zeros(0, dtype=np.intp)
        self._positions: list[Places] = []
        self._events_of: Places = np.zeros(0, dtype=np.intp)
        self._changed_ns: Counts = np.zeros(0, dtype=np.int64)
        self._day: tuple[Counts, Counts] = (self._changed_ns, self._changed_ns)
        policy = layout.policy
        self._hindsight = Hindsight(len(policy.pairs) + (policy.sequential is not None), layout.step_ns)
        self._remembered: Memory | None = None
        self._read_ns = 0

    def enrol(self, rule: str, error_budget: float) -> None:
        """Hold the groups of one more SLO, whose objective is 1 - ``error_budget``."""
        self._rules[rule] = len(self._rules)
        self._budgets.append(error_budget)
        self._positions.append(np.zeros(0, dtype=np.intp))

    def expel(self, rule: str) -> None:
        """Hold the groups of an SLO no longer: another cohort does."""
        self.keep(np.setdiff1d(np.arange(len(self.ledger)), self.positions(rule)))

    def positions(self, rule: str) -> Places:
        """Where the groups of an SLO are, in order of appearance."""
        return self._positions[self._rules[rule]]

    def groups(self, rule: str) -> list[str]:
        """Canonical texts of its groups, in that order."""
        names = self.ledger.groups
        return [cast("Key", names[i])[1] for i in self.positions(rule).tolist()]

    def owners(self, groups: Places) -> list[str]:
        """The rules of the SLOs that have groups at these positions."""
        rules = list(self._rules)
        return [rules[i] for i in np.unique(self._owner[groups]).tolist()]

    @property
    def nbytes(self) -> int:
        """Bytes of the buckets."""
        return sum(ledger.nbytes for ledger in {id(one): one for one in (self.ledger, self.events)}.values())

    def absorb(self, now_ns: int) -> None:
        """Count a part of the history, which is not read yet."""
        self._count(now_ns, arriving=False)

    def advance(self, now_ns: int) -> None:
        """Count what has come until ``now_ns``."""
        self._count(now_ns, arriving=True)
        self._index()

    def _count(self, now_ns: int, *, arriving: bool) -> None:
        if self.events is not self.ledger:
            self.events.advance(now_ns, arriving=arriving)
            self.ledger.register(self.events.groups)
        changed_ns = self.ledger.advance(now_ns, arriving=arriving)
        if self.events is not self.ledger:
            self.events.register(self.ledger.groups)
        known = len(self._changed_ns)
        np.minimum(changed_ns[:known], self._changed_ns, out=changed_ns[:known])
        self._changed_ns = changed_ns

    def idle(self, now_ns: int, also_ns: Mapping[Key, int]) -> Mask:
        """(groups,) whether a group's last event has left every window; ``also_ns``: events that are counted apart."""
        newest = np.maximum(self.ledger.last_ns, self.events.last_ns[self._events_of])
        if also_ns:
            np.maximum.at(newest, self.ledger.places([*also_ns]), list(also_ns.values()))
        return np.asarray((newest >= 0) & (newest < now_ns - self.ledger.horizon_ns))

    def keep(self, groups: Places) -> None:
        """Forget every other group."""
        if self.events is not self.ledger:
            self.events.keep(self._events_of[groups])
        self.ledger.keep(groups)
        if self.evidence:
            self.evidence.keep(groups)
        self._changed_ns = self._changed_ns[groups]
        self._hindsight.keep(groups)
        self._owner = self._events_of = self._owner[:0]
        self._positions = [self._owner] * len(self._rules)
        self._index()

    @property
    def memory(self) -> Memory:
        """What is known beyond the counts, as of the last :meth:`read`."""
        groups = [cast("Key", key) for key in self.ledger.groups]
        settled = self.evidence.settled if self.evidence else None
        alerts = {**self._hindsight.memory(len(groups)), "error_budget": self._error_budget}
        return Memory(
            identity(self.layout), groups, self._read_ns, settled.position_ns if settled else self._read_ns,
            settled.arrays() if settled else {}, alerts,
        )  # fmt: skip

    def remember(self, memory: Memory) -> None:
        """Go on from what another knew, with the first :meth:`read`; of groups that have no counts then: nothing."""
        self._remembered = memory

    def _resume(self, now_ns: int) -> None:
        memory, self._remembered = self._remembered, None
        if memory is None or memory.at_ns > now_ns:
            return
        try:
            known = memory.of(self._as_judged(memory))
            places = self.ledger.places(known.groups)
            if self.evidence and known.evidence:
                self.evidence.resume(places, known.settled_ns, known.evidence)
            self._hindsight.resume(places, len(self.ledger), known.at_ns, known.alerts)
        except (KeyError, ValueError):
            return  # Another version wrote it: the counts of the last hours have to do.

    def _as_judged(self, memory: Memory) -> frozenset[Key]:
        """The groups that ``memory`` knows and judged by the budget that they have now.

        Raises:
            KeyError: it does not say.
        """
        now = dict(zip(cast("list[Key]", self.ledger.groups), self._error_budget.tolist(), strict=True))
        then = memory.alerts["error_budget"].tolist()
        return frozenset(key for key, budget in zip(memory.groups, then, strict=True) if now.get(key) == budget)

    def read(self, now_ns: int, muted: Places) -> Reading:
        """What the counts say; nothing alerts in the groups at ``muted``."""
        self._resume(now_ns)
        self._read_ns = now_ns
        layout, ledger = self.layout, self.ledger
        standing = self.evidence.advance(ledger, self._changed_ns, now_ns) if self.evidence else None
        period = layout.calendar.period(now_ns) if layout.calendar else None
        windows = [*layout.windows, now_ns - period.start_ns] if period else layout.windows
        own = len(windows) - 1 if period else windows.index(layout.window_ns)
        sums = ledger.sums[:, self._shown]
        total = sums[1]
        good = np.minimum(sums[0], total)
        if layout.allowance is None:
            burn = burn_rates(good, total, self._error_budget)
            left = remaining(good[own], total[own], self._error_budget)
        else:
            allowance = Allowance(layout.allowance, period.end_ns - period.start_ns if period else layout.window_ns)
            burn, left = allowance.burn(total, windows), allowance.remaining(total[own])
        self._day = events, over_ns = self._last_day(now_ns)
        hold_ns = self._hold_ns(events, over_ns)
        alerts = self._alerts(now_ns, standing, total - good, burn, hold_ns, muted)
        holding = np.flatnonzero(np.any([alert.holds for alert in alerts], axis=0)) if alerts else muted[:0]
        onset_ns, run, log_evidence = self._runs(now_ns, standing, alerts, holding)
        self._look_back(now_ns, alerts, hold_ns)
        self._changed_ns = np.full(len(ledger), NEVER, dtype=np.int64)
        return Reading(
            now_ns=now_ns, period=period, windows=windows, window=own, good=good, total=total, burn=burn,
            remaining=left, alerts=alerts, onset_ns=onset_ns,
            run_good=run[0], run_total=run[1], log_evidence=log_evidence,
            outage=self._all_bad(good[0], total[0]), overfull=(sums[0] > total).any(axis=0),
            silent=now_ns - self.events.last_ns[self._events_of] > silence_limit_ns(events, over_ns),
            late=self.events.late[self._events_of], withdrawn=self._hindsight.withdrawn,
        )  # fmt: skip

    def _all_bad(self, good: Counts, total: Counts) -> Mask:
        """Whether nothing of a window is good; of slices, and of money, that says nothing about single events."""
        layout = self.layout
        counts_events = not layout.sliced and layout.allowance is None
        return np.asarray((good == 0) & (total >= layout.min_bad_young) & counts_events)

    def silence(self) -> Silence:
        """How quiet each SLO is as a whole, as of the last :meth:`read`."""
        events, over_ns = self._day
        count = len(self._rules)
        last_ns = np.full(count, -1, dtype=np.int64)
        np.maximum.at(last_ns, self._owner, self.events.last_ns[self._events_of])
        together, longest_ns = np.zeros((2, count), dtype=np.int64)
        np.add.at(together, self._owner, events)
        np.maximum.at(longest_ns, self._owner, over_ns)
        has_groups = np.bincount(self._owner, minlength=count) > 0
        return Silence(list(self._rules), last_ns, silence_limit_ns(together, longest_ns), has_groups)

    @cached_property
    def _shown(self) -> NDArray[np.intp]:
        """Which sums of the ledger are those of the layout's windows, and of the period after them."""
        rolling = sorted({*self.layout.windows, RATE_WINDOW_NS})
        shown = [rolling.index(length_ns) for length_ns in self.layout.windows]
        return np.asarray([*shown, len(rolling)] if self.layout.calendar else shown, dtype=np.intp)

    def _index(self) -> None:
        """Know whose the groups are, and where their events are counted."""
        known = len(self._owner)
        if known == len(self.ledger):
            return
        new = [self._rules[cast("Key", key)[0]] for key in self.ledger.groups[known:]]
        self._owner = np.concatenate([self._owner, np.asarray(new, dtype=np.intp)])
        self._error_budget = np.asarray(self._budgets)[self._owner]
        if self.evidence:
            self.evidence.expect(self._error_budget)
        order = np.argsort(self._owner, kind="stable")
        self._positions = np.split(order, np.searchsorted(self._owner[order], np.arange(1, len(self._rules))))
        same = self.events is self.ledger
        self._events_of = np.arange(len(self.ledger)) if same else self.events.places(self.ledger.groups)

    def _last_day(self, now_ns: int) -> tuple[Counts, Counts]:
        """(groups,) events of the last day, and the length of the history they came in."""
        window = 0 if self.events is not self.ledger else self._day_window
        first_ns = self.events.first_ns[self._events_of]
        age_ns = np.where(first_ns == NEVER, 0, now_ns - first_ns)
        events = self.events.sums[1, window, self._events_of]
        if self.layout.allowance is not None:
            # How much was spent does not tell how often: a day without any is what is silent.
            events = np.minimum(events, 1)
        return events, np.clip(age_ns, BUCKET_NS, RATE_WINDOW_NS)

    @cached_property
    def _day_window(self) -> int:
        return sorted({*self.layout.windows, RATE_WINDOW_NS}).index(RATE_WINDOW_NS)

    def _alerts(
        self, now_ns: int, standing: Standing | None, bad: Counts, burn: Rates, hold_ns: Rates, muted: Places
    ) -> list[Alert]:  # fmt: skip
        policy = self.layout.policy
        burn_by = dict(zip(self.layout.windows, burn, strict=False))  # A calendar's stands last, and alerts nothing.
        bad_by = dict(zip(self.layout.windows, bad, strict=False))
        age_ns = now_ns - self.ledger.first_ns
        count = len(self.ledger)
        alarmed = np.zeros(count, dtype=np.bool_) if standing is None else standing.alarm_ns != NO_ALARM
        since_ns = np.zeros(count, dtype=np.int64) if standing is None else now_ns - standing.alarm_ns
        alerts = []
        for pair in policy.pairs:
            holds = pair_holds(pair, burn_by, bad_by, age_ns, self.layout.min_bad_young)
            if policy.gate:
                holds &= alarmed & (since_ns <= pair.long_ns)
            alerts.append(Alert("ErrorBudgetBurn", pair.severity, pair, holds, format_duration(pair.long_ns)))
        if policy.sequential is not None:
            holds = alarmed & (since_ns <= hold_ns)
            alerts.append(Alert("ErrorBudgetSequential", policy.sequential.severity, None, holds))
        for alert in alerts:
            alert.holds[muted] = False
        return alerts

    def _hold_ns(self, events: Counts, over_ns: Counts) -> Rates:
        """(groups,) how long a sequential alert outlasts its last alarm, given the events of some time."""
        gap_ns = np.divide(over_ns, events, out=np.zeros(len(events)), where=events > 0)
        return np.asarray(np.clip(HOLD_STEPS * np.maximum(gap_ns, self.layout.step_ns), HOLD_NS, FINE_SPAN_NS))

    def _look_back(self, now_ns: int, alerts: list[Alert], hold_ns: Rates) -> None:
        """Find the alerts that late events prove wrong. What is spent stays spent, so late spend proves nothing."""
        if not alerts or self.layout.allowance is not None:
            return
        doubtful = self._hindsight.note(np.stack([alert.holds for alert in alerts]), self._changed_ns, now_ns)
        if not doubtful.any():
            return
        groups = np.flatnonzero(doubtful.any(axis=0))
        again = replay(
            self.ledger, self.evidence, groups, self._hindsight.since_ns(doubtful), now_ns,
            error_budget=self._error_budget[groups], min_bad_young=self.layout.min_bad_young,
        )  # fmt: skip
        stands = np.zeros_like(doubtful)
        for i, place in np.argwhere(doubtful[:, groups]).tolist():
            held = again.held(alerts[i], place, hold_ns=float(hold_ns[groups[place]]), gate=self.layout.policy.gate)
            stands[i, groups[place]] = held
        self._hindsight.judge(doubtful, stands)

    def _runs(
        self, now_ns: int, standing: Standing | None, alerts: list[Alert], holding: Places
    ) -> tuple[Counts, Counts, Rates]:
        """(groups,) onset, (2, groups) counts since then, (groups,) evidence; of the groups in which an alert holds."""
        count = len(self.ledger)
        onset_ns = np.full(count, NO_ALARM, dtype=np.int64)
        run = np.zeros((2, count), dtype=np.int64)
        log_evidence = np.full(count, -np.inf)
        if not len(holding):
            return onset_ns, run, log_evidence
        part = standing.take(holding) if standing is not None else None
        onset_ns[holding] = self._onsets(now_ns, part, alerts, holding)
        run[:, holding] = self.ledger.sums_since(onset_ns[holding], holding, now_ns)
        if part is not None:
            # An alarm starts the statistic anew, so what raised it is what the alert had.
            resting = [alert.holds[holding] for alert in alerts if alert.pair is None or self.layout.policy.gate]
            rests = np.any(resting, axis=0) if resting else np.zeros(len(holding), dtype=np.bool_)
            log_evidence[holding] = np.where(rests, part.alarm_evidence, part.log_evidence())
        return onset_ns, run, log_evidence

    def _onsets(self, now_ns: int, part: Standing | None, alerts: list[Alert], holding: Places) -> Counts:
        """(holding,) onset of the run: from the sequential test, else from the counts of the pair's long window."""
        onset_ns = np.full(len(holding), NO_ALARM, dtype=np.int64) if part is None else part.alarm_onset_ns.copy()
        if part is not None:
            onset_ns[part.alarm_ns == NO_ALARM] = NO_ALARM
        for alert in alerts:
            for i in np.flatnonzero(alert.holds[holding] & (onset_ns == NO_ALARM)).tolist():
                assert alert.pair is not None
                start_ns = now_ns - alert.pair.long_ns
                starts_ns, good, total = self.ledger.series(int(holding[i]), start_ns, now_ns + 1)
                if self.layout.allowance is not None:
                    onset_ns[i] = Allowance(self.layout.allowance, self.layout.window_ns).onset_ns(starts_ns, total)
                    continue
                budget = float(self._error_budget[holding[i]])
                first = most_likely_onset(np.clip(total - good, 0, total), total, budget)
                onset_ns[i] = starts_ns[first or 0]
        return onset_ns
