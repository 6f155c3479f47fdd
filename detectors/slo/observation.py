"""What counts say at one time, as values: of a cohort of SLOs, and of one SLO out of it. It computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detectors.slo.calendar import Period
from detectors.slo.slices import Verdict
from detectors.slo.spec import BurnPair
from detectors.slo.tier import Counts, Places
from telemetry.findings import Severity
from telemetry.windows import format_duration

Rates = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a policy and the groups in which it holds, (groups,) bool."""

    name: str
    severity: Severity
    pair: BurnPair | None
    holds: Mask
    window: str = ""
    """The pair's long window as text; empty for the sequential alert."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the data of some groups say at ``now_ns``; arrays follow the groups, and are never written again.

    Attributes:
        period: the calendar period, None for a rolling window.
        windows: lengths in nanoseconds: those of the alerts and the budget's own; a calendar window's is what has
            passed of its period, and stands last.
        window: index of the budget's own window in ``windows``.
        good, total: (windows, groups) counts, in parts of ``Slo.unit``.
        burn: (windows, groups) burn rates, 0 without traffic.
        remaining: (groups,) share of the budget left, NaN without traffic.
        alerts: the policy's alerts.
        onset_ns: (groups,) start of the current bad run, ``NO_ALARM`` where no alert holds.
        run_good, run_total: (groups,) counts since that onset; 0 where no alert holds.
        log_evidence: (groups,) log of the sequential statistic where an alert holds, of the last alarm if the alert
            rests on it; -inf elsewhere.
        silent: (groups,) whether a group has had no events for improbably long.
        outage: (groups,) whether every event of the shortest window is bad, and there are enough of them.
        overfull: (groups,) whether some window had more good events than events.
        late: (groups,) events that came more than an hour late, since the evaluation began: they count in the budget
            only.
        withdrawn: for each alert, positions of the groups in which late events proved it wrong within the last hour.
    """

    now_ns: int
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
    silent: Mask
    outage: Mask
    overfull: Mask
    late: Counts
    withdrawn: list[Places]

    def take(self, groups: Places) -> Reading:
        """The groups at these positions, which are given in ascending order."""
        return replace(
            self,
            good=self.good[:, groups], total=self.total[:, groups], burn=self.burn[:, groups],
            remaining=self.remaining[groups],
            alerts=[replace(alert, holds=alert.holds[groups]) for alert in self.alerts],
            onset_ns=self.onset_ns[groups], run_good=self.run_good[groups], run_total=self.run_total[groups],
            log_evidence=self.log_evidence[groups], silent=self.silent[groups],
            outage=self.outage[groups], overfull=self.overfull[groups], late=self.late[groups],
            withdrawn=[np.flatnonzero(np.isin(groups, wrong)) if len(wrong) else wrong for wrong in self.withdrawn],
        )  # fmt: skip

    def window_names(self, calendar_unit: str | None) -> list[str]:
        """The windows as text: ``5m``, ``30d``, ``month``."""
        names = [format_duration(length_ns) for length_ns in self.windows]
        if calendar_unit is not None:
            names[self.window] = calendar_unit
        return names


@dataclass(frozen=True, slots=True)
class Aside:
    """What is known of an SLO's groups beside its counts, by canonical group text; those without are left out.

    Attributes:
        beside: what is counted beside the SLI in its window: throttled requests, say; None where nothing is.
        excluded: what budget corrections took out of the SLO's window; None where there are none.
        corrected: the groups in which a correction covers this moment.
        latest: start and verdict of the newest judged slice; None for SLOs that judge none.
    """

    beside: Mapping[str, int] | None = None
    excluded: Mapping[str, int] | None = None
    corrected: frozenset[str] = frozenset()
    latest: Mapping[str, tuple[int, Verdict]] | None = field(default=None)


NOTHING_ASIDE = Aside()
