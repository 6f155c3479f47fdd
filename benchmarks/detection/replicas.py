"""Many services under one SLO, evaluated by the engine's own cohort: which of them page, and when."""

from __future__ import annotations

from copy import deepcopy
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.traffic import BUCKET_S, SWING, Counts, Traffic
from detectors.slo.burn import pair_holds
from detectors.slo.cohort import Cohort
from detectors.slo.layout import Layout
from detectors.slo.ledger import Batch
from detectors.slo.observation import Reading
from detectors.slo.policy import named_policy
from telemetry.windows import BUCKET_NS, parse_duration

OBJECTIVE_BUDGET: Final = 0.001
WINDOW: Final = "30d"
START_NS: Final = parse_duration("20000d")
ONE_PAGE_S: Final = 3600
"""Pages of a replica less than this apart are one: nobody is woken twice."""
RULE: Final = "benchmark"
POLICY: Final = named_policy("page-and-ticket", parse_duration(WINDOW))
NOTHING_MUTED: Final = np.zeros(0, dtype=np.intp)


class Replicas:
    """Services with the same traffic, evaluated with the gate and without it."""

    def __init__(self, traffic: Traffic) -> None:
        """Nothing has happened yet."""
        self.traffic = traffic
        self._keys = [(RULE, f'{{"replica":"{i}"}}') for i in range(traffic.replicas)]
        self._cohort = _cohort(self._keys)
        self._bucket = 0
        self._now_ns = START_NS
        self._last_page_s = np.full((3, traffic.replicas), -np.inf)

    def copy(self, seed: int, swing: float = SWING) -> Self:
        """The same services, with another future; a ``swing`` of 0 is traffic at its mean, day and night."""
        other = deepcopy(self)
        other.traffic.reseed(seed, swing)
        return other

    def run(self, seconds: float, rate: float, *, every_s: int = 60, stop_when_paged: bool = False) -> PagesFound:
        """Let time pass at an error rate.

        Args:
            seconds: how long.
            rate: mean error rate.
            every_s: how often the rules are evaluated, if there were requests.
            stop_when_paged: end as soon as every replica has paged, with the gate and without.
        """
        found = PagesFound(
            np.zeros((3, self.traffic.replicas), dtype=np.int64), np.full((3, self.traffic.replicas), np.inf)
        )
        begun_s = self._bucket * BUCKET_S
        busy = False
        for _ in range(round(seconds / BUCKET_S)):
            total, bad = self.traffic.next(rate)
            start_ns = START_NS + self._bucket * BUCKET_NS
            self._bucket += 1
            if total:
                busy = True
                self._count(start_ns, total, bad)
            if busy and self._bucket * BUCKET_S % every_s == 0:
                busy = False
                self._evaluate(start_ns + BUCKET_NS - 1, begun_s, found)
                if stop_when_paged and np.isfinite(found.first_s).all():
                    break
        return found

    def _count(self, start_ns: int, total: int, bad: Counts) -> None:
        count = self.traffic.replicas
        batch = Batch(
            self._keys, np.arange(count), np.full(count, start_ns, dtype=np.int64),
            np.stack([total - bad, np.full(count, total)]),
        )  # fmt: skip
        self._cohort.ledger.take_in(batch)

    def _evaluate(self, now_ns: int, begun_s: int, found: PagesFound) -> None:
        second = self._bucket * BUCKET_S
        self._cohort.advance(now_ns)
        reading = self._cohort.read(now_ns, NOTHING_MUTED)
        gated = np.any([alert.holds for alert in reading.alerts if alert.severity == "page"], axis=0)
        told = np.any([alert.holds for alert in reading.alerts], axis=0)
        for which, pages in enumerate((gated, self._plain(reading), told)):
            found.pages[which] += pages & (second - self._last_page_s[which] > ONE_PAGE_S)
            self._last_page_s[which, pages] = second
            first = pages & np.isinf(found.first_s[which])
            found.first_s[which, first] = second - begun_s

    def _plain(self, reading: Reading) -> NDArray[np.bool_]:
        """(replicas,) where a pair of severity page holds without the gate."""
        burn = dict(zip(reading.windows, reading.burn, strict=True))
        bad = dict(zip(reading.windows, reading.total - reading.good, strict=True))
        age_ns = reading.now_ns - self._cohort.ledger.first_ns
        pairs = [pair for pair in POLICY.pairs if pair.severity == "page"]
        least = self._cohort.layout.min_bad_young
        return np.asarray(np.any([pair_holds(pair, burn, bad, age_ns, least) for pair in pairs], axis=0))


class PagesFound:
    """(3, replicas) pages, and seconds to the first one (inf without).

    By the policy, by its plain pairs, and of any severity by the policy.
    """

    def __init__(self, pages: Counts, first_s: NDArray[np.float64]) -> None:
        self.pages = pages
        self.first_s = first_s


def _cohort(keys: list[tuple[str, str]]) -> Cohort:
    window_ns = parse_duration(WINDOW)
    layout = Layout(
        window_ns=window_ns, longest_ns=window_ns, calendar=None, policy=POLICY, sliced=False, step_ns=BUCKET_NS,
        unit=1,
    )  # fmt: skip
    cohort = Cohort(layout)
    cohort.enrol(RULE, OBJECTIVE_BUDGET)
    cohort.ledger.register(keys)
    return cohort
