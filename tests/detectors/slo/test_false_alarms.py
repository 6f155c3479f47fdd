"""How often the gate's test alarms for nothing, held against its promise by exact binomial bounds.

The statistic less the time that has passed is a supermartingale that starts at 0, so a group at its objective alarms
within T with a probability of at most T / ARL (optional stopping), whatever its traffic.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from detectors.sequential.clusters import BLOCK, DISPERSIONS
from detectors.slo.evidence import NO_ALARM, Evidence
from detectors.slo.ledger import Batch, Ledger
from telemetry.windows import BUCKET_NS
from telemetry.windows import parse_duration as ns

T0 = ns("20000d")
P0 = 0.01
GROUPS = 1000
STEPS = 240
ARL_STEPS = 2400
PROMISED = STEPS / ARL_STEPS
SIZE = (BLOCK - DISPERSIONS[1]) / (DISPERSIONS[1] - 1)
CONFIDENCE = 0.99


def clopper_pearson(alarms: int, groups: int) -> tuple[float, float]:
    """The exact two-sided interval of a share (Clopper, Pearson, Biometrika 1934)."""
    tail = (1 - CONFIDENCE) / 2
    low = beta.ppf(tail, alarms, groups - alarms + 1) if alarms else 0.0
    high = beta.ppf(1 - tail, alarms + 1, groups - alarms) if alarms < groups else 1.0
    return float(low), float(high)


def alarmed(shares: np.ndarray, per_step: int, seed: int) -> int:
    """Groups that alarm within ``STEPS`` buckets of so many events, given each block's share, (blocks, groups)."""
    rng = np.random.default_rng(seed)
    keys = [("rule", str(group)) for group in range(GROUPS)]
    ledger, evidence = Ledger(ns("2h")), Evidence(P0, ARL_STEPS * BUCKET_NS, BUCKET_NS, min_bad=1)
    total = np.full(GROUPS, per_step)
    # Clusters begin in the middle of the test's blocks.
    begun = BLOCK // 2
    for step in range(STEPS):
        now_ns = T0 + step * BUCKET_NS
        bad = rng.binomial(total, shares[(begun + step * per_step) // BLOCK])
        ledger.take_in(
            Batch(keys, np.arange(GROUPS), np.full(GROUPS, now_ns, dtype=np.int64), np.stack([total - bad, total]))
        )
        standing = evidence.advance(ledger, ledger.advance(now_ns), now_ns)
    return int((standing.alarm_ns != NO_ALARM).sum())


def shares(errors: str, rate: float, seed: int) -> np.ndarray:
    """Error share of each block of each group."""
    shape = (STEPS * 25 // BLOCK + 1, GROUPS)
    if errors == "independent":
        return np.full(shape, rate)
    return np.random.default_rng(seed).beta(rate * SIZE, (1 - rate) * SIZE, shape)


@pytest.mark.parametrize("errors", ["independent", "clustered"])
def test_a_group_at_its_objective_alarms_no_more_often_than_promised(errors):
    _, at_most = clopper_pearson(alarmed(shares(errors, P0, seed=31), per_step=25, seed=32), GROUPS)
    assert at_most < PROMISED


def test_the_bound_would_notice_a_test_that_alarms_too_often():
    """The same check of a group at one and a half times its budget, which is no false alarm."""
    at_least, _ = clopper_pearson(alarmed(shares("independent", 1.5 * P0, seed=33), per_step=25, seed=34), GROUPS)
    assert at_least > PROMISED


def test_the_exact_interval_is_that_of_the_tables():
    """1 of 10 at 99 %, from the binomial distribution itself."""
    low, high = clopper_pearson(1, 10)
    assert 1 - (1 - low) ** 10 == pytest.approx(0.005)
    assert (1 - high) ** 10 + 10 * high * (1 - high) ** 9 == pytest.approx(0.005)
