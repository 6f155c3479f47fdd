"""The sequential test over ledgers: its false-alarm rate, its onsets, late data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detectors.slo.evidence import MIN_BAD_EVENTS, NO_ALARM, Evidence, Standing
from detectors.slo.ledger import Ledger
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS
from telemetry.windows import parse_duration as ns

T0 = 1_700_006_400_000_000_000


def run(
    bad: np.ndarray,
    total: np.ndarray,
    *,
    budget: float | np.ndarray = 0.01,
    arl: str = "30d",
    min_bad: int = MIN_BAD_EVENTS,
) -> tuple[Ledger, Evidence, list[Standing]]:
    """Feed (buckets, groups) counts a bucket at a time."""
    ledger, evidence = Ledger(ns("30d")), Evidence(budget, ns(arl), BUCKET_NS, min_bad)
    standings = []
    for k in range(len(bad)):
        now_ns = T0 + k * BUCKET_NS
        ledger.add(
            SliDelta("r", str(g), now_ns, int(total[k, g] - bad[k, g]), int(total[k, g]))
            for g in range(bad.shape[1]) if total[k, g]
        )  # fmt: skip
        standings.append(evidence.advance(ledger, ledger.advance(now_ns), now_ns))
    return ledger, evidence, standings


def test_the_mean_time_between_false_alarms_is_at_least_the_stated_one():
    """At exactly the objective, ARL 1 h = 360 buckets, 100 groups for 360 buckets: at most 100 first alarms expected.

    With min_bad 1 the bound is the e-detector's own; simulation puts the share that alarms well below one half.
    """
    rng = np.random.default_rng(11)
    total = np.full((360, 100), 20)
    _, _, standings = run(rng.binomial(total, 0.01), total, arl="1h", min_bad=1)
    alarmed = standings[-1].alarm_ns != NO_ALARM
    assert alarmed.mean() < 0.6
    assert alarmed.any(), "a bound that is never used would not be tight enough to be useful"


def test_a_service_better_than_its_objective_hardly_ever_alarms():
    rng = np.random.default_rng(12)
    total = np.full((360, 60), 20)
    _, _, standings = run(rng.binomial(total, 0.004), total, arl="1d")
    assert (standings[-1].alarm_ns == NO_ALARM).all()


def test_the_onset_is_the_bucket_in_which_errors_began():
    rng = np.random.default_rng(13)
    total = np.full((80, 30), 50)
    rates = np.where(np.arange(80) < 40, 0.0, 0.3)[:, None]
    _, _, standings = run(rng.binomial(total, rates), total)
    assert set((standings[-1].alarm_onset_ns - T0) // BUCKET_NS) == {40}


def test_a_run_that_goes_on_keeps_its_onset_and_a_new_one_has_its_own():
    total = np.full((700, 1), 20)
    bad = np.zeros_like(total)
    bad[100:400] = 5
    bad[690:] = 20
    _, _, standings = run(bad, total)
    onsets = [(int(standing.alarm_onset_ns[0]) - T0) // BUCKET_NS for standing in standings]
    assert set(onsets[110:400]) == {100}
    assert onsets[-1] == 690


def test_where_errors_cluster_ten_times_the_evidence_is_asked_for():
    """Of a group known to cluster, of one known not to, and of one of which nobody knows: something between."""
    _, _, standings = run(np.full((3, 3), 2), np.full((3, 3), 50))
    known = replace(standings[-1].null, log_weights=np.log(np.asarray([[1e-9, 1.0], [1.0, 1e-9], [0.5, 0.5]])))
    standing = replace(standings[-1], null=known)
    less = standing.detector.log_evidence() - standing.log_evidence()
    np.testing.assert_allclose(np.exp(less), [10, 1, np.sqrt(10)], rtol=1e-6)


def test_few_failures_are_no_run_however_unlikely():
    total = np.full((60, 1), 1)
    bad = np.zeros_like(total)
    bad[-4:] = 1
    _, evidence, standings = run(bad, total, budget=0.00001, min_bad=5)
    assert standings[-1].detector.log_evidence()[0] > evidence.log_threshold
    assert standings[-1].alarm_ns.tolist() == [NO_ALARM]


@pytest.mark.parametrize("late_by", [1, 5, 40, 200, 357])
def test_late_events_lead_to_the_same_standing_as_punctual_ones(late_by):
    rng = np.random.default_rng(14)
    total = np.full((600, 3), 20)
    bad = rng.binomial(total, 0.005)
    bad[600 - late_by - 3 : 600 - late_by, 1] = 10
    _, _, punctual = run(bad, total)
    early = bad.copy()
    early[:, 1] = np.where(bad[:, 1] == 10, 0, bad[:, 1])
    ledger, evidence, _ = run(early, total)
    now_ns = T0 + 599 * BUCKET_NS
    moved = np.flatnonzero(bad[:, 1] != early[:, 1])
    ledger.add(SliDelta("r", "1", T0 + int(k) * BUCKET_NS, -10, 0) for k in moved)
    standing = evidence.advance(ledger, ledger.advance(now_ns), now_ns)
    np.testing.assert_allclose(standing.detector.log_statistic, punctual[-1].detector.log_statistic, rtol=1e-9)
    assert standing.alarm_ns.tolist() == punctual[-1].alarm_ns.tolist()
    assert standing.alarm_onset_ns.tolist() == punctual[-1].alarm_onset_ns.tolist()
    np.testing.assert_allclose(standing.alarm_evidence, punctual[-1].alarm_evidence, rtol=1e-9)


def test_buckets_without_traffic_are_no_steps():
    total = np.zeros((50, 1), dtype=int)
    total[[0, 20, 49]] = 10
    _, _, standings = run(np.zeros_like(total), total)
    assert standings[-1].detector.steps.tolist() == [3]


def test_new_groups_join_and_forgotten_ones_leave():
    total = np.full((40, 2), 10)
    total[:20, 1] = 0
    bad = np.zeros_like(total)
    bad[30:, 1] = 10
    ledger, evidence, standings = run(bad, total)
    assert (standings[-1].alarm_ns != NO_ALARM).tolist() == [False, True]
    kept = np.asarray([1])
    ledger.keep(kept)
    evidence.keep(kept)
    now_ns = T0 + 40 * BUCKET_NS
    ledger.add([SliDelta("r", "1", now_ns, 0, 10)])
    assert evidence.advance(ledger, ledger.advance(now_ns), now_ns).alarm_ns.tolist() == [now_ns + BUCKET_NS]


def test_groups_of_several_budgets_stand_as_they_would_alone():
    """Some have no events in some buckets, and one has late ones: groups are then taken apart and put together."""
    budgets = np.asarray([0.001, 0.05, 0.001, 0.01])
    rng = np.random.default_rng(15)
    total = rng.poisson([200, 2, 30, 100], (240, 4))
    total[0] = 1
    bad = rng.binomial(total, np.where(np.arange(240)[:, None] < 120, budgets, 8 * budgets))
    late = SliDelta("r", "1", T0 + 200 * BUCKET_NS, 0, 5)

    def standing(groups: list[int], budget: float | np.ndarray) -> Standing:
        ledger, evidence, _ = run(bad[:, groups], total[:, groups], budget=budget)
        ledger.add([late._replace(group=str(groups.index(1)))] if 1 in groups else [])
        now_ns = T0 + 239 * BUCKET_NS
        return evidence.advance(ledger, ledger.advance(now_ns), now_ns)

    together = standing([0, 1, 2, 3], budgets)
    assert (together.alarm_ns != NO_ALARM).any()
    for group, budget in enumerate(budgets):
        alone, place = standing([group], float(budget)), np.asarray([group])
        for name, array in together.take(place).arrays().items():
            np.testing.assert_allclose(array, alone.arrays()[name], rtol=1e-9, err_msg=name)
