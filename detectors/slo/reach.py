"""What the sequential test can notice at a given traffic, worked out from its formula; it looks at no data.

For k bad of n events that come one by one at an even pace, the statistic is at least the mean over the alternatives q
of q^k (1 - q)^(n - k) / (p0^k (1 - p0)^(n - k)), times the weight of one step, the mean gap between events. The alarm
needs it to reach ARL / step, and k to be at least ``min_bad``. That is for errors known to be independent: where they
cluster, or while nobody knows, the test asks for more.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from detectors.slo.evidence import LONGEST_STEP_NS, alternatives
from telemetry.windows import BUCKET_NS


@dataclass(frozen=True, slots=True)
class Reach:
    """What is noticed of a group with a steady traffic.

    Attributes:
        error_budget: 1 - objective.
        arl_ns: mean time between false alarms.
        min_bad: bad events that an alarm needs.
        gap_ns: mean time between events.
    """

    error_budget: float
    arl_ns: int
    min_bad: int
    gap_ns: float

    def outage_ns(self) -> float:
        """Mean time until an outage, every event bad, raises the alarm."""
        bad = self.min_bad
        while not self._alarms(bad, bad):
            bad += 1
        return bad * self.gap_ns

    def error_rate(self, within_ns: int) -> float | None:
        """The smallest error rate that raises the alarm within a time, if its events come as expected; None: none."""
        events = math.floor(within_ns / self.gap_ns)
        if events < self.min_bad or not self._alarms(events, events):
            return None
        return bisect_left(range(events), 1, lo=self.min_bad, key=lambda bad: int(self._alarms(bad, events))) / events

    def _alarms(self, bad: int, events: int) -> bool:
        rates = alternatives(self.error_budget)[0]
        p0, good = self.error_budget, events - bad
        logs = bad * np.log(rates / p0) + good * (np.log1p(-rates) - np.log1p(-p0))
        weight_ns = min(max(self.gap_ns, BUCKET_NS), LONGEST_STEP_NS)
        evidence = float(np.logaddexp.reduce(logs)) - math.log(len(rates)) + math.log(weight_ns)
        return evidence >= math.log(self.arl_ns)
