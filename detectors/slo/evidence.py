"""Evidence that an objective is being violated: a sequential test per group over a ledger's buckets. It pages nobody.

Null: every event is bad with probability at most 1 - objective, whatever came before. Statistic: the mixture e-SR of
:mod:`detectors.sequential.mixture`, one step a 10 s bucket (or slice) that has events. Alarm: it reaches
ARL / bucket width, and the current run of bad events counts at least ``min_bad``. After an alarm it starts anew, so an
incident that ended leaves nothing behind, and one that goes on alarms again and again.

Guarantee: a group exactly at its objective raises its first false alarm after the ARL on average or later, in time that
has traffic. Looking into the bucket that is still filling does not weaken that: within a bucket the likelihood ratio
is itself a martingale that starts at 1, so statistic minus buckets begun remains a supermartingale. Assumes that
errors do not cluster beyond what the null allows; ``min_bad`` only delays alarms.

Onset: for the leading alternative, the start of its CUSUM's current excursion, which is the maximum likelihood
estimate of the change point (Page, "Continuous inspection schemes", Biometrika 1954).

The state is a function of the ledger's counts: it is kept at checkpoints of the last hour, and late events take the
groups that they touch back to the checkpoint before them. Events that are later still count in budget and burn only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.sequential.increments import bernoulli_log_increments
from detectors.sequential.mixture import BernoulliDetector, DetectorState, threshold
from detectors.slo.ledger import HOUR_NS, MIDDLE_NS, MINUTE_NS, NEVER, Counts, Ledger
from telemetry.windows import BUCKET_NS, bucket_start

MIN_BAD_EVENTS: Final = 5
"""Bad events that a run needs: a single failure of a quiet service is no incident, whatever its likelihood ratio."""
MIN_BAD_SLICES: Final = 2
"""Bad slices that a run needs; each of them is a verdict over many events already."""
SAME_RUN_NS: Final = 30 * MINUTE_NS
"""Alarms no further apart than this, or than a quarter of what the run has lasted, are one run and keep its onset."""
CHECKPOINTS: Final = ((BUCKET_NS, MINUTE_NS), (MINUTE_NS, MIDDLE_NS), (MIDDLE_NS, HOUR_NS + MIDDLE_NS))
"""(every, up to this age): late events are mostly seconds late, so checkpoints are dense at the end. The last row
reaches one of its steps beyond the hour, so that an event an hour late finds a checkpoint before it."""
REWIND_NS: Final = CHECKPOINTS[-1][1]
NO_ALARM: Final = -1


@dataclass(frozen=True, slots=True)
class Standing:
    """Where every group stands; arrays are (groups,) or (groups, alternatives).

    Attributes:
        position_ns: end of the last bucket that was taken in.
        detector: the e-SR statistics.
        cusum: log CUSUM of every alternative, for the onset.
        onset_ns: start of the bucket in which each CUSUM left zero.
        bad: bad events since then.
        alarm_ns: end of the last bucket that alarmed, ``NO_ALARM`` before there is one.
        alarm_onset_ns: onset of the run that it belongs to.
        alarm_evidence: log of the statistic that raised it, which starts anew then; -inf before there is one.
    """

    position_ns: int
    detector: DetectorState
    cusum: NDArray[np.float64]
    onset_ns: Counts
    bad: Counts
    alarm_ns: Counts
    alarm_onset_ns: Counts
    alarm_evidence: NDArray[np.float64]

    @classmethod
    def fresh(cls, position_ns: int, groups: int, alternatives: int) -> Standing:
        """Groups that have seen nothing."""
        shape = (groups, alternatives)
        return cls(
            position_ns, DetectorState.fresh(groups, alternatives), np.zeros(shape), np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64), np.full(groups, NO_ALARM, dtype=np.int64),
            np.full(groups, NO_ALARM, dtype=np.int64), np.full(groups, -np.inf),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.alarm_ns)

    def take(self, groups: NDArray[np.intp]) -> Standing:
        """The groups at these positions."""
        return Standing(
            self.position_ns, self.detector.take(groups), self.cusum[groups], self.onset_ns[groups], self.bad[groups],
            self.alarm_ns[groups], self.alarm_onset_ns[groups], self.alarm_evidence[groups],
        )  # fmt: skip

    def extended(self, groups: int) -> Standing:
        """Fresh groups appended, up to ``groups``."""
        more = Standing.fresh(self.position_ns, groups - len(self), self.cusum.shape[1])
        return Standing(
            self.position_ns, self.detector.extend(groups - len(self)),
            np.concatenate([self.cusum, more.cusum]), np.concatenate([self.onset_ns, more.onset_ns]),
            np.concatenate([self.bad, more.bad]), np.concatenate([self.alarm_ns, more.alarm_ns]),
            np.concatenate([self.alarm_onset_ns, more.alarm_onset_ns]),
            np.concatenate([self.alarm_evidence, more.alarm_evidence]),
        )  # fmt: skip

    def replaced(self, groups: NDArray[np.intp], other: Standing) -> Standing:
        """The groups at these positions as in ``other``."""

        def put(mine: NDArray[np.generic], theirs: NDArray[np.generic]) -> NDArray[np.generic]:
            merged = mine.copy()
            merged[groups] = theirs
            return merged

        detector = DetectorState(
            put(self.detector.log_statistic, other.detector.log_statistic),  # type: ignore[arg-type]  # dtype is kept
            put(self.detector.steps, other.detector.steps),  # type: ignore[arg-type]  # dtype is kept
        )
        names = ("cusum", "onset_ns", "bad", "alarm_ns", "alarm_onset_ns", "alarm_evidence")
        fields = {name: put(getattr(self, name), getattr(other, name)) for name in names}
        return replace(self, detector=detector, **fields)  # type: ignore[arg-type]  # dtypes are kept

    def bad_in_run(self) -> Counts:
        """(groups,) bad events in the current run of the leading alternative."""
        best = self.detector.best_alternative()
        return np.take_along_axis(self.bad, best[:, None], axis=1)[:, 0]

    def onset(self) -> Counts:
        """(groups,) start of that run."""
        best = self.detector.best_alternative()
        return np.take_along_axis(self.onset_ns, best[:, None], axis=1)[:, 0]


class Evidence:
    """The sequential test of one SLO."""

    def __init__(self, error_budget: float, arl_ns: int, step_ns: int, min_bad: int, unit: int = 1) -> None:
        """Test "share of bad events <= error_budget".

        Args:
            error_budget: 1 - objective.
            arl_ns: mean time with traffic between false alarms of a group.
            step_ns: width of a step: a bucket, or a slice.
            min_bad: bad events (or slices) that a run needs before it alarms.
            unit: parts that an event or slice is counted in. A slice that is bad in part takes the part of the
                log-likelihood ratio; its mean is then at most that of a bet that is linear in the part (Jensen), so
                the guarantee holds for every distribution of parts.
        """
        self.arl_ns = arl_ns
        self.log_threshold = threshold(max(arl_ns / step_ns, 2.0))
        self._detector = BernoulliDetector.of(error_budget)
        self._unit = unit
        self._min_bad = min_bad * unit
        self._checkpoints: list[Standing] = []
        self.standing = Standing.fresh(0, 0, self._detector.alternatives.shape[1])

    def keep(self, groups: NDArray[np.intp]) -> None:
        """Forget every other group."""
        self._checkpoints = [point.take(groups) for point in self._checkpoints]
        self.standing = self.standing.take(groups)

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
            self._checkpoints = [Standing.fresh(begin, len(ledger), self._detector.alternatives.shape[1])]
        self._checkpoints = [
            point.extended(len(ledger)) if len(point) < len(ledger) else point for point in self._checkpoints
        ]
        self._rewind(ledger, changed_ns)
        newest, complete_ns = self._checkpoints[-1], bucket_start(now_ns)
        while newest.position_ns < complete_ns:
            newest = self._run(newest, ledger, _next_stop(max(newest.position_ns, ledger.fine_floor_ns), complete_ns))
            self._checkpoints.append(newest)
        self._checkpoints = [
            point for point in self._checkpoints if point is newest or _worth_keeping(point.position_ns, complete_ns)
        ]
        self.standing = self._run(newest, ledger, bucket_start(now_ns) + BUCKET_NS)
        return self.standing

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
        good, total = ledger.recent(start_ns, max(end_ns, start_ns))
        if groups is not None:
            good, total = good[:, groups], total[:, groups]
        for row in np.flatnonzero(total.any(axis=1)):
            standing = self._step(standing, start_ns + int(row) * BUCKET_NS, good[row], total[row])
        return replace(standing, position_ns=end_ns)

    def _step(self, standing: Standing, bucket_ns: int, good: Counts, total: Counts) -> Standing:
        total = np.maximum(total, 0)
        bad = np.clip(total - good, 0, total)
        present = total > 0
        increments = bernoulli_log_increments(
            bad / self._unit, total / self._unit, self._detector.p0, self._detector.alternatives
        )
        detector = standing.detector.advance(increments, present, self._detector.recursion)
        begins = (standing.cusum <= 0) & present[:, None]
        stepped = replace(
            standing,
            detector=detector,
            cusum=np.maximum(standing.cusum + increments, 0.0),
            onset_ns=np.where(begins, bucket_ns, standing.onset_ns),
            bad=np.where(begins, 0, standing.bad) + bad[:, None],
        )
        alarms = self._alarms(stepped, present)
        return stepped if alarms is None else self._alarmed(stepped, alarms, bucket_ns)

    def _alarms(self, standing: Standing, present: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """(groups,) which groups alarm; None when none does."""
        # The mixture is a mean, so it is below its largest member; few groups need it computed.
        largest = standing.detector.log_statistic.max(axis=1)
        near = np.flatnonzero(present & (largest >= self.log_threshold))
        if not len(near):
            return None
        part = standing.take(near)
        found = near[(part.detector.log_evidence() >= self.log_threshold) & (part.bad_in_run() >= self._min_bad)]
        if not len(found):
            return None
        alarms = np.zeros(len(standing), dtype=np.bool_)
        alarms[found] = True
        return alarms

    def _alarmed(self, standing: Standing, alarms: NDArray[np.bool_], bucket_ns: int) -> Standing:
        onset_ns = standing.onset()
        lasted_ns = standing.alarm_ns - standing.alarm_onset_ns
        near = onset_ns - standing.alarm_ns <= np.maximum(lasted_ns // 4, SAME_RUN_NS)
        goes_on = (standing.alarm_ns != NO_ALARM) & near
        run_onset_ns = np.where(goes_on, standing.alarm_onset_ns, onset_ns)
        return replace(
            standing,
            detector=standing.detector.reset(alarms),
            cusum=np.where(alarms[:, None], 0.0, standing.cusum),
            alarm_ns=np.where(alarms, bucket_ns + BUCKET_NS, standing.alarm_ns),
            alarm_onset_ns=np.where(alarms, run_onset_ns, standing.alarm_onset_ns),
            alarm_evidence=np.where(alarms, standing.detector.log_evidence(), standing.alarm_evidence),
        )


def _next_stop(position_ns: int, complete_ns: int) -> int:
    """End of the stretch from ``position_ns`` after which the next checkpoint is worth keeping."""
    for every_ns, up_to_ns in CHECKPOINTS:
        if complete_ns - position_ns <= up_to_ns:
            return min(bucket_start(position_ns, every_ns) + every_ns, complete_ns)
    return max(bucket_start(complete_ns - REWIND_NS, CHECKPOINTS[-1][0]), position_ns + BUCKET_NS)


def _worth_keeping(position_ns: int, complete_ns: int) -> bool:
    return any(
        complete_ns - position_ns <= up_to_ns and position_ns % every_ns == 0 for every_ns, up_to_ns in CHECKPOINTS
    )
