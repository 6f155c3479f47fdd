"""Evidence that an objective is being violated: a sequential test per group over a ledger's buckets. It pages nobody.

Null: every event is bad with probability at most 1 - objective, and errors cluster as much as they have clustered so
far (:mod:`detectors.sequential.clusters` says how that is learnt). Statistic: the mixture e-SR of
:mod:`detectors.sequential.recursions`, one step a 10 s bucket (or slice) that has events, with the ratio of "bad with
probability q, independently" to the null, for a geometric grid of q. Alarm: it reaches ARL / step, and the current run
of bad events counts at least ``min_bad``. After an alarm it starts anew, so an incident that ended leaves nothing
behind; one that goes on renews its alarm whenever a CUSUM since the last one reaches ``RENEWAL``.

Guarantee: a group exactly at its objective raises its first false alarm after the ARL on average or later, whatever its
traffic: a step's weight is the time since the last one, of which more than an hour does not count. Looking into the
bucket that is still filling does not weaken that: within a bucket the likelihood ratio is itself a martingale that
starts at 1. ``min_bad`` only delays alarms. The guarantee is that of the null: on average over its ways of clustering.
Real clusters do not begin where its blocks do, so where errors cluster an alarm asks for ``LOG_MARGIN`` more, as much
as the group's history says that they do. benchmarks/detection measures what becomes of the guarantee then.

Onset: for the leading alternative, the start of its CUSUM's current excursion, which is the maximum likelihood
estimate of the change point (Page, "Continuous inspection schemes", Biometrika 1954).

The state is a function of the ledger's counts: it is kept at checkpoints of the last hour, and late events take the
groups that they touch back to the checkpoint before them. Events that are later still count in budget and burn only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.sequential.clusters import ClusteredNull, NullState, anew
from detectors.sequential.mixture import ALTERNATIVES, ODDS_RATIOS, BernoulliDetector, DetectorState, threshold
from detectors.sequential.recursions import advance
from detectors.sequential.series import Series
from detectors.slo.ledger import HOUR_NS, MIDDLE_NS, MINUTE_NS, NEVER, Ledger
from detectors.slo.tier import Counts
from telemetry.windows import BUCKET_NS, bucket_start

MIN_BAD_EVENTS: Final = 3
"""Bad events that a run needs: one or two failures of a quiet service are no incident, whatever their ratio."""
MIN_BAD_SLICES: Final = 2
"""Bad slices that a run needs; each of them is a verdict over many events already."""
SAME_RUN_NS: Final = 30 * MINUTE_NS
"""Alarms no further apart than this, or than a quarter of what the run has lasted, are one run and keep its onset."""
RENEWAL: Final = 5.0
"""Log of the CUSUM at which an alarm that is no older than ``SAME_RUN_NS`` is renewed."""
LOG_MARGIN: Final = math.log(10.0)
"""Log of how much more an alarm asks for where errors cluster. Clusters do not begin where the null's blocks do, which
makes false alarms up to twice as frequent, and a history may mislead for a while."""
LARGEST_RATE: Final = 0.9
"""The largest alternative: what nearly always fails shows in three events."""
LONGEST_STEP_NS: Final = HOUR_NS
"""The weight of a step, at most: the first event after a silent week is no week's worth of chances."""
_SPARSE_NS: Final = 15 * MINUTE_NS
CHECKPOINTS: Final = ((BUCKET_NS, MINUTE_NS), (MINUTE_NS, MIDDLE_NS), (_SPARSE_NS, HOUR_NS + _SPARSE_NS))
"""(every, up to this age): late events are mostly seconds late, so checkpoints are dense at the end, and few besides:
one of ten thousand groups takes 4 MB. The last row reaches one of its steps beyond the hour, so that an event an hour
late finds a checkpoint before it."""
REWIND_NS: Final = CHECKPOINTS[-1][1]
NO_ALARM: Final = -1


@dataclass(frozen=True, slots=True)
class Standing(Series):
    """Where every group stands; arrays are (groups,) or (groups, alternatives).

    Attributes:
        position_ns: end of the last bucket that was taken in.
        detector: the e-SR statistics.
        null: what is known of how errors cluster.
        last_ns: start of the last bucket with events, ``NEVER`` before there is one.
        cusum: log CUSUM of every alternative, for the onset.
        onset: the bucket in which each CUSUM left zero, counted from the epoch.
        bad: bad events since then, as many as an alarm needs at most.
        alarm_ns: end of the last bucket that alarmed, ``NO_ALARM`` before there is one.
        alarm_onset_ns: onset of the run that it belongs to.
        alarm_evidence: :meth:`log_evidence` that raised it, which starts anew then; -inf before there is one.
    """

    position_ns: int
    detector: DetectorState
    null: NullState
    last_ns: Counts
    cusum: NDArray[np.float64]
    onset: NDArray[np.int32]
    bad: NDArray[np.int32]
    alarm_ns: Counts
    alarm_onset_ns: Counts
    alarm_evidence: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.alarm_ns)

    def log_evidence(self) -> NDArray[np.float64]:
        """(groups,) log of the mean statistic, less the margin for clusters: what is compared with the threshold."""
        return np.asarray(self.detector.log_evidence() - LOG_MARGIN * self.null.clusters())

    def bad_in_run(self) -> NDArray[np.int32]:
        """(groups,) bad events in the current run of the leading alternative, as ``bad`` counts them."""
        best = self.detector.best_alternative()
        return np.take_along_axis(self.bad, best[:, None], axis=1)[:, 0]

    def run_start_ns(self) -> Counts:
        """(groups,) start of that run."""
        best = self.detector.best_alternative()
        return np.take_along_axis(self.onset, best[:, None], axis=1)[:, 0] * np.int64(BUCKET_NS)


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    """What is tested, group by group; arrays are (groups, ...), or (1, ...) where all groups have one budget.

    Attributes:
        null: errors within the budget.
        log_bad, log_good: (groups, alternatives) log probabilities of a bad and of a good event beyond it.
    """

    null: ClusteredNull
    log_bad: NDArray[np.float64]
    log_good: NDArray[np.float64]

    @classmethod
    def of(cls, error_budget: ArrayLike, *, clusters: bool) -> Hypotheses:
        """Those of (groups,) budgets, or of one for all."""
        budgets, which = np.unique(np.atleast_1d(error_budget), return_inverse=True)
        if len(budgets) == 1:
            which = which[:1]
        rates = np.asarray([alternatives(budget)[0] for budget in budgets.tolist()]).reshape(-1, ALTERNATIVES)[which]
        return cls(ClusteredNull(budgets[which], clusters=clusters), np.log(rates), np.log1p(-rates))

    def take(self, groups: NDArray[np.intp]) -> Hypotheses:
        """Those of the groups at these positions."""
        if len(self.log_bad) == 1:
            return self
        return Hypotheses(self.null.of(groups), self.log_bad[groups], self.log_good[groups])


class Evidence:
    """The sequential test of SLOs that differ in their budgets only."""

    def __init__(
        self, error_budget: ArrayLike, arl_ns: int, step_ns: int, min_bad: int, unit: int = 1, *, clusters: bool = True
    ) -> None:
        """Test "share of bad events <= error_budget".

        Args:
            error_budget: 1 - objective, (groups,) or one for all; see :meth:`expect`.
            arl_ns: mean time with traffic between false alarms of a group.
            step_ns: width of a step: a bucket, or a slice.
            min_bad: bad events (or slices) that a run needs before it alarms.
            unit: parts that an event or slice is counted in. A slice that is bad in part takes the part of the
                log-likelihood ratio; its mean is then at most that of a bet that is linear in the part (Jensen), so
                the guarantee holds for every distribution of parts. Such slices are taken to be independent.
            clusters: whether errors may come in clusters.
        """
        self.arl_ns = arl_ns
        self.log_threshold = threshold(max(arl_ns / step_ns, 2.0))
        self._clusters = clusters and unit == 1
        self.expect(error_budget)
        self._step_ns = step_ns
        self._longest_step_ns = max(LONGEST_STEP_NS, step_ns)
        self._unit = unit
        self._min_bad = min_bad * unit
        self._checkpoints: list[Standing] = []
        self._resumed: tuple[NDArray[np.intp], Standing] | None = None
        self.standing = self._fresh(0, np.zeros(0, dtype=np.intp))

    def expect(self, error_budget: ArrayLike) -> None:
        """Test groups against budgets: (groups,) for those of the ledger, or one for all."""
        self._hypotheses = Hypotheses.of(error_budget, clusters=self._clusters)

    def keep(self, groups: NDArray[np.intp]) -> None:
        """Forget every other group."""
        self._checkpoints = [point.take(groups) for point in self._checkpoints]
        self.standing = self.standing.take(groups)

    @property
    def settled(self) -> Standing | None:
        """The oldest standing that is kept, which late events change no more; None before there is one."""
        return self._checkpoints[0] if self._checkpoints else None

    def resume(self, groups: NDArray[np.intp], settled_ns: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Let ``groups`` of the ledger go on from ``arrays`` of a standing that was settled, before any is known.

        Raises:
            KeyError, ValueError: the arrays are not those of such a test.
        """
        self._resumed = groups, self._fresh(settled_ns, groups).filled(arrays)

    def advance(self, ledger: Ledger, changed_ns: Counts, now_ns: int) -> Standing:
        """Take in the buckets up to ``now_ns``, the current one as far as it has come.

        Args:
            ledger: the counts; its groups may have grown at the end.
            changed_ns: (groups,) earliest bucket that changed since the last call, as ``Ledger.advance`` returns it.
            now_ns: the time.
        """
        if not self._checkpoints:
            begin = min(int(ledger.first_ns.min(initial=NEVER)), bucket_start(now_ns))
            begin = max(bucket_start(begin), ledger.fine_floor_ns)
            self._checkpoints = [self._begun(self._fresh(begin, np.arange(len(ledger))), ledger)]
        if len(self._checkpoints[-1]) < len(ledger):
            more = self._fresh(0, np.arange(len(self._checkpoints[-1]), len(ledger)))
            self._checkpoints = [point.joined(more) for point in self._checkpoints]
        self._rewind(ledger, changed_ns)
        newest, complete_ns = self._checkpoints[-1], bucket_start(now_ns)
        grows = newest.position_ns < complete_ns
        while newest.position_ns < complete_ns:
            newest = self._run(newest, ledger, _next_stop(max(newest.position_ns, ledger.fine_floor_ns), complete_ns))
            self._checkpoints.append(newest)
        if grows:
            kept = [point for point in self._checkpoints[:-1] if _worth_keeping(point.position_ns, complete_ns)]
            self._checkpoints = [*kept, newest]
        self.standing = self._run(newest, ledger, bucket_start(now_ns) + BUCKET_NS)
        return self.standing

    def alarms_since(
        self, ledger: Ledger, groups: NDArray[np.intp], start_ns: int, now_ns: int
    ) -> tuple[Counts, Counts]:
        """The last alarms as of every 10 s bucket from ``start_ns`` or earlier until now, an hour back at most.

        Returns:
            (buckets,) starts, and (buckets, groups) alarms by the counts of the last :meth:`advance`.
        """
        before = [point for point in self._checkpoints if point.position_ns <= start_ns]
        standing = (before[-1] if before else self._checkpoints[0]).take(groups)
        starts_ns = np.arange(standing.position_ns, now_ns + 1, BUCKET_NS)
        alarms_ns = np.empty((len(starts_ns), len(groups)), dtype=np.int64)
        for i, start in enumerate(starts_ns.tolist()):
            standing = self._run(standing, ledger, start + BUCKET_NS, groups)
            alarms_ns[i] = standing.alarm_ns
        return starts_ns, alarms_ns

    def _begun(self, fresh: Standing, ledger: Ledger) -> Standing:
        """The first checkpoint: all groups as fresh, or as those that go on."""
        if self._resumed is None:
            return fresh
        groups, settled = self._resumed
        self._resumed = None
        others = np.setdiff1d(np.arange(len(ledger)), groups)
        caught_up = self._run(fresh.take(others), ledger, settled.position_ns, others)
        return replace(
            fresh.replaced(others, caught_up).replaced(groups, settled), position_ns=settled.position_ns
        )  # fmt: skip

    def _rewind(self, ledger: Ledger, changed_ns: Counts) -> None:
        """Bring the checkpoints up to date with late events."""
        late = np.flatnonzero(changed_ns < self._checkpoints[-1].position_ns)
        if not len(late):
            return
        earliest = int(changed_ns[late].min())
        before = [i for i, point in enumerate(self._checkpoints) if point.position_ns <= earliest]
        first = before[-1] if before else 0
        part = self._checkpoints[first].take(late)
        for i in range(first + 1, len(self._checkpoints)):
            part = self._run(part, ledger, self._checkpoints[i].position_ns, late)
            whole = len(late) == len(ledger)
            self._checkpoints[i] = part if whole else self._checkpoints[i].replaced(late, part)

    def _run(self, standing: Standing, ledger: Ledger, end_ns: int, groups: NDArray[np.intp] | None = None) -> Standing:
        """Take in the buckets from the standing's position to ``end_ns``, for ``groups`` of the ledger or all."""
        start_ns = max(standing.position_ns, ledger.fine_floor_ns)
        counts, tested = ledger.recent(start_ns, max(end_ns, start_ns)), self._hypotheses
        if groups is not None:
            counts, tested = counts[:, :, groups], tested.take(groups)
        for row in counts[1].any(axis=1).nonzero()[0].tolist():
            good, total = counts[:, row].astype(np.int64)
            standing = self._step(standing, tested, start_ns + row * BUCKET_NS, good, total)
        return standing if standing.position_ns == end_ns else replace(standing, position_ns=end_ns)

    def _fresh(self, position_ns: int, places: NDArray[np.intp]) -> Standing:
        """Groups at these positions that have seen nothing."""
        groups, shape = len(places), (len(places), ALTERNATIVES)
        none = np.full(groups, NO_ALARM, dtype=np.int64)
        return Standing(
            position_ns=position_ns, detector=DetectorState.fresh(*shape),
            null=self._hypotheses.take(places).null.start(groups),
            last_ns=np.full(groups, NEVER), cusum=np.zeros(shape), onset=np.zeros(shape, dtype=np.int32),
            bad=np.zeros(shape, dtype=np.int32), alarm_ns=none, alarm_onset_ns=none,
            alarm_evidence=np.full(groups, -np.inf),
        )  # fmt: skip

    def _step(
        self, standing: Standing, tested: Hypotheses, bucket_ns: int, good: Counts, total: Counts
    ) -> Standing:  # fmt: skip
        busy = (total > 0).nonzero()[0]
        if len(busy) == len(total):
            return self._stepped(standing, tested, bucket_ns, good, total)
        part = self._stepped(standing.take(busy), tested.take(busy), bucket_ns, good[busy], total[busy])
        return standing.replaced(busy, part)

    def _stepped(
        self, standing: Standing, tested: Hypotheses, bucket_ns: int, good: Counts, total: Counts
    ) -> Standing:  # fmt: skip
        """One step of groups that all have events in the bucket."""
        bad = np.minimum(np.maximum(total - good, 0), total)
        counts = np.empty((len(total), 3))
        counts[:, 0], counts[:, 1], counts[:, 2] = bad, total - bad, total
        if self._unit != 1:
            counts /= self._unit
        in_run = bucket_ns - standing.alarm_ns <= SAME_RUN_NS
        null, log_null = tested.null.step(standing.null, counts, ~in_run)
        increments = counts[:, :1] * tested.log_bad + counts[:, 1:2] * tested.log_good - log_null[:, None]
        weight_ns = np.minimum(np.maximum(bucket_ns - standing.last_ns, self._step_ns), self._longest_step_ns)
        log_weight = np.log(weight_ns / self._step_ns)
        statistic = advance(standing.detector.log_statistic, increments, "sr", log_weight[:, None])
        begins, enough = standing.cusum <= 0, np.minimum(bad, self._min_bad).astype(np.int32)
        stepped = Standing(
            position_ns=bucket_ns + BUCKET_NS,
            detector=DetectorState(statistic, standing.detector.steps + 1),
            null=null,
            last_ns=np.full(len(total), bucket_ns),
            cusum=np.maximum(standing.cusum + increments, 0.0),
            onset=np.where(begins, np.int32(bucket_ns // BUCKET_NS), standing.onset),
            bad=np.minimum(np.where(begins, np.int32(0), standing.bad) + enough[:, None], self._min_bad),
            alarm_ns=standing.alarm_ns,
            alarm_onset_ns=standing.alarm_onset_ns,
            alarm_evidence=standing.alarm_evidence,
        )
        alarms = self._alarms(stepped, in_run)
        return self._alarmed(stepped, alarms, bucket_ns) if len(alarms) else stepped

    def _alarms(self, standing: Standing, in_run: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Positions of the groups that alarm; ``in_run`` (groups,): whether the last alarm is recent."""
        # The mixture is a mean, so it is below its largest member; few groups need it computed.
        first = standing.detector.log_statistic.max(axis=1) >= self.log_threshold
        renewed = in_run & (standing.cusum.max(axis=1) >= RENEWAL)
        near: NDArray[np.intp] = (first | renewed).nonzero()[0]
        if not len(near):
            return near
        part = standing.take(near)
        enough = renewed[near] | (part.log_evidence() >= self.log_threshold)
        return np.asarray(near[enough & (part.bad_in_run() >= self._min_bad)])

    def _alarmed(self, standing: Standing, alarms: NDArray[np.intp], bucket_ns: int) -> Standing:
        """The groups at ``alarms`` started anew."""
        part = standing.take(alarms)
        onset_ns, lasted_ns = part.run_start_ns(), part.alarm_ns - part.alarm_onset_ns
        goes_on = part.alarm_ns != NO_ALARM
        goes_on &= onset_ns - part.alarm_ns <= np.maximum(lasted_ns // 4, SAME_RUN_NS)
        restarted = replace(
            part,
            detector=DetectorState.fresh(len(part), part.cusum.shape[1]),
            null=anew(part.null, ~goes_on),
            cusum=np.zeros_like(part.cusum),
            alarm_ns=np.full(len(part), bucket_ns + BUCKET_NS, dtype=np.int64),
            alarm_onset_ns=np.where(goes_on, part.alarm_onset_ns, onset_ns),
            alarm_evidence=np.where(goes_on, np.maximum(part.alarm_evidence, part.log_evidence()), part.log_evidence()),
        )
        return standing.replaced(alarms, restarted)


def alternatives(error_budget: float) -> NDArray[np.float64]:
    """(1, alternatives) error rates that the test looks for, from little above the budget to nearly all."""
    odds = error_budget / (1 - error_budget)
    largest = max(LARGEST_RATE / (1 - LARGEST_RATE) / odds, ODDS_RATIOS[1])
    return BernoulliDetector.of(error_budget, odds_ratios=(ODDS_RATIOS[0], largest)).alternatives


def _next_stop(position_ns: int, complete_ns: int) -> int:
    """End of the stretch from ``position_ns`` after which the next checkpoint is worth keeping."""
    for every_ns, up_to_ns in CHECKPOINTS:
        if complete_ns - position_ns <= up_to_ns:
            return min(bucket_start(position_ns, every_ns) + every_ns, complete_ns)
    return max(bucket_start(complete_ns - REWIND_NS, CHECKPOINTS[-1][0]), position_ns + BUCKET_NS)


def _worth_keeping(position_ns: int, complete_ns: int) -> bool:
    for every_ns, up_to_ns in CHECKPOINTS:
        if complete_ns - position_ns <= up_to_ns and position_ns % every_ns == 0:
            return True
    return False
