"""Which alerts of the last hour would never have held, had today's counts been known then. It raises no alert.

An alert ends quietly when its windows move on: what it was raised by is still so. It is withdrawn when late events
prove it wrong: they reached a bucket that had been judged, and with them its condition holds at no moment at which it
did. So the condition is looked at anew for every 10 s bucket from before the alert began: the plain rule from the
counts, the gate from the evidence's checkpoints. Alerts that began more than an hour ago stand: their events are
settled (:mod:`detectors.slo.evidence`).

An edge that fell within a bucket then may be known only to a wider bucket now, so each window is also tried a bucket
longer and shorter, and the largest burn counts: in doubt an alert stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.slo.burn import burn_rates, pair_holds
from detectors.slo.evidence import NO_ALARM, Evidence
from detectors.slo.ledger import HOUR_NS, NEVER, Ledger
from detectors.slo.observation import Alert, Mask, Rates
from detectors.slo.tier import Counts, Places
from telemetry.windows import BUCKET_NS, NANOS, bucket_start

LATE_NS: Final = 30 * NANOS
"""Events that come so long after their bucket (or their slice was judged) are late: exporters wait 5 s."""


class Hindsight:
    """When the alerts of some groups held, and which of them are proved wrong; arrays are (alerts, groups)."""

    def __init__(self, alerts: int, step_ns: int) -> None:
        """Remember ``alerts`` alerts of groups that are judged every ``step_ns``."""
        self._lag_ns = step_ns + LATE_NS
        self._noted_ns = 0
        self._held: Mask = np.zeros((alerts, 0), dtype=np.bool_)
        self._began_ns: Counts = np.full((alerts, 0), NEVER, dtype=np.int64)
        self._held_ns: Counts = np.full((alerts, 0), -1, dtype=np.int64)
        self._late_ns: Counts = np.full(0, -1, dtype=np.int64)
        self._wrong: Mask = np.zeros((alerts, 0), dtype=np.bool_)

    def keep(self, groups: Places) -> None:
        """Forget every other group."""
        self._widen(int(groups.max(initial=-1)) + 1)
        self._held, self._wrong = self._held[:, groups], self._wrong[:, groups]
        self._began_ns, self._held_ns = self._began_ns[:, groups], self._held_ns[:, groups]
        self._late_ns = self._late_ns[groups]

    def memory(self, count: int) -> dict[str, NDArray[Any]]:
        """What is remembered of ``count`` groups, as arrays whose first axis is the group."""
        self._widen(count)
        held = {"held": self._held, "began_ns": self._began_ns, "held_ns": self._held_ns, "wrong": self._wrong}
        return {name: array.T.copy() for name, array in held.items()}

    def resume(self, groups: Places, count: int, at_ns: int, memory: Mapping[str, NDArray[Any]]) -> None:
        """Remember what ``memory`` holds of ``groups`` among ``count``, as of ``at_ns``.

        What has come since then is not told from what came before: all of it may be late.

        Raises:
            KeyError, ValueError: the arrays are not those of such a memory.
        """
        self._widen(count)
        self._held[:, groups], self._wrong[:, groups] = memory["held"].T, memory["wrong"].T
        self._began_ns[:, groups], self._held_ns[:, groups] = memory["began_ns"].T, memory["held_ns"].T
        self._late_ns[groups] = at_ns

    def note(self, holds: Mask, changed_ns: Counts, now_ns: int) -> Mask:
        """Note which (alerts, groups) hold at ``now_ns``; which of the others held within the hour and are in doubt.

        ``changed_ns`` (groups,) is the earliest bucket that has changed since the last time.
        """
        self._widen(holds.shape[1])
        # As of the last time: between evaluations that are far apart, as in simulations, nothing is late for being new.
        late = changed_ns < self._noted_ns - self._lag_ns
        self._noted_ns = now_ns
        self._late_ns[late] = now_ns
        known = self._began_ns != NEVER
        if not (known.any() or holds.any()):
            return np.zeros_like(self._held)
        self._began_ns[holds & ~self._held] = now_ns
        ended = self._held & ~holds
        self._held_ns[holds] = now_ns
        self._held = holds.copy()
        over = ~holds & (self._held_ns < now_ns - HOUR_NS)
        self._began_ns[over] = NEVER
        self._wrong[holds | over] = False
        settled = (self._began_ns == NEVER) | (self._began_ns < now_ns - HOUR_NS)
        return np.asarray(~holds & ~settled & (late | (ended & (self._late_ns >= self._began_ns))))

    def judge(self, doubtful: Mask, stands: Mask) -> None:
        """Take over which of the (alerts, groups) in doubt would have held all the same."""
        self._wrong[doubtful] = ~stands[doubtful]

    def since_ns(self, doubtful: Mask) -> int:
        """From when on those in doubt must be looked at again: all that made them begin is in what came till then."""
        return int(self._began_ns[doubtful].min()) // BUCKET_NS * BUCKET_NS - self._lag_ns

    @property
    def withdrawn(self) -> list[Places]:
        """By alert, positions of the groups in which it is proved wrong: for an hour, or until it holds again."""
        return [np.flatnonzero(row) for row in self._wrong]

    def _widen(self, groups: int) -> None:
        more = ((0, 0), (0, groups - len(self._late_ns)))
        if more[1][1] > 0:
            self._held, self._wrong = np.pad(self._held, more), np.pad(self._wrong, more)
            self._began_ns = np.pad(self._began_ns, more, constant_values=NEVER)
            self._held_ns = np.pad(self._held_ns, more, constant_values=-1)
            self._late_ns = np.pad(self._late_ns, more[1], constant_values=-1)


@dataclass(frozen=True, slots=True)
class Replay:
    """The last hour of some groups, bucket by bucket, by the counts of now.

    Attributes:
        times_ns: (buckets,) starts of 10 s buckets, each taken whole.
        alarm_ns: (buckets, groups) the last alarm as of each, ``NO_ALARM`` before there is one.
        error_budget: (groups,) 1 - objective.
    """

    ledger: Ledger
    groups: Places
    times_ns: Counts
    alarm_ns: Counts
    error_budget: Rates
    min_bad_young: int

    def held(self, alert: Alert, place: int, *, hold_ns: float, gate: bool) -> bool:
        """Whether an alert's condition holds at any time for the group at ``groups[place]``.

        ``hold_ns``: how long a sequential alert outlasts its alarm.
        """
        alarm_ns = self.alarm_ns[:, place]
        lasts_ns = hold_ns if alert.pair is None else alert.pair.long_ns
        unlocked = (alarm_ns != NO_ALARM) & (self.times_ns - alarm_ns <= lasts_ns)
        if alert.pair is None:
            return bool(unlocked.any())
        if gate and not unlocked.any():
            return False
        group = int(self.groups[place])
        found = {length: self._largest_burn(place, length) for length in (alert.pair.long_ns, alert.pair.short_ns)}
        burn = {length: both[0] for length, both in found.items()}
        bad = {length: both[1] for length, both in found.items()}
        age_ns = self.times_ns + BUCKET_NS - self.ledger.first_ns[group]
        holds = pair_holds(alert.pair, burn, bad, age_ns, self.min_bad_young)
        return bool((holds & unlocked if gate else holds).any())

    def _largest_burn(self, place: int, length_ns: int) -> tuple[Rates, Counts]:
        """(times,) the largest burn and the most bad events of a window, tried a bucket longer and shorter."""
        first_ns, last_ns = int(self.times_ns[0]), int(self.times_ns[-1])
        starts, good, total = self.ledger.series(int(self.groups[place]), first_ns - length_ns - HOUR_NS, last_ns + 1)
        goods, totals = (np.concatenate([[0], np.cumsum(counts)]) for counts in (np.minimum(good, total), total))
        high = np.searchsorted(starts, self.times_ns, side="right")
        low = np.searchsorted(starts, self.times_ns - length_ns, side="left")
        edges = np.clip(low + np.asarray([[-1], [0], [1]]), 0, high)
        window_total = totals[high] - totals[edges]
        bad = window_total - (goods[high] - goods[edges])
        burn = burn_rates(window_total - bad, window_total, float(self.error_budget[place]))
        return burn.max(axis=0), bad.max(axis=0)


def replay(
    ledger: Ledger, evidence: Evidence | None, groups: Places, since_ns: int, now_ns: int, *,
    error_budget: Rates, min_bad_young: int,
) -> Replay:  # fmt: skip
    """The time from ``since_ns`` until now of the groups at these positions."""
    if evidence is not None:
        times_ns, alarm_ns = evidence.alarms_since(ledger, groups, since_ns, now_ns)
    else:
        times_ns = np.arange(bucket_start(since_ns), now_ns + 1, BUCKET_NS)
        alarm_ns = np.full((len(times_ns), len(groups)), NO_ALARM, dtype=np.int64)
    return Replay(ledger, groups, times_ns, alarm_ns, error_budget, min_bad_young)
