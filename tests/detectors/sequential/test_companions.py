"""Dispersion, onset and e-BH."""

import numpy as np
import pytest

from detectors.sequential.dispersion import dispersion
from detectors.sequential.e_bh import e_bh
from detectors.sequential.onset import most_likely_onset
from telemetry.errors import TailwatchError


def test_dispersion_is_one_for_independent_events_and_the_cluster_size_for_clustered_ones():
    rng = np.random.default_rng(2)
    independent = rng.binomial(1000, 0.02, (1, 2000))
    clustered = 4 * rng.binomial(250, 0.02, (1, 2000))
    totals = np.full((1, 2000), 1000)
    assert dispersion(independent, totals)[0] == pytest.approx(1.0, abs=0.1)
    assert dispersion(clustered, totals)[0] == pytest.approx(4 * 0.98 / (1 - 0.02), rel=0.1)


def test_dispersion_is_never_below_one_and_one_where_unknown():
    assert dispersion([[1, 1, 1, 1]], [[100, 100, 100, 100]]).tolist() == [1.0]
    assert dispersion([[0, 0], [3, 0]], [[0, 0], [5, 0]]).tolist() == [1.0, 1.0]


def test_onset_is_found_within_a_block_or_two():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        rates = np.where(np.arange(60) < 40, 0.001, 0.02)
        found.append(most_likely_onset(rng.binomial(300, rates), np.full(60, 300), 0.001))
    assert np.median(np.abs(np.array(found) - 40)) <= 1


def test_no_onset_without_a_change():
    assert most_likely_onset([0] * 20, [1000] * 20, 0.001) is None
    assert most_likely_onset([], [], 0.001) is None


def test_e_bh_holds_its_rate_for_dependent_e_values():
    rng = np.random.default_rng(4)
    wrong = []
    for _ in range(2000):
        z = rng.normal() * 0.8 + rng.normal(size=20) * 0.6  # correlation 0.64, variance 1
        log_e = 2 * z - 2  # E exp = 1 under the null
        log_e[:5] += 8
        found = e_bh(log_e, 0.1)
        wrong.append(found[5:].sum() / max(found.sum(), 1))
    assert np.mean(wrong) <= 0.1


def test_e_bh_follows_its_definition():
    assert e_bh(np.log([41, 41, 1, 1]), 0.05).tolist() == [True, True, False, False]
    assert e_bh(np.log([39, 39, 1, 1]), 0.05).tolist() == [False] * 4
    assert e_bh([], 0.05).tolist() == []
    with pytest.raises(TailwatchError):
        e_bh([1.0], 0)
