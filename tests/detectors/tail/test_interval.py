"""Coverage of the intervals: at one look, at every look, on sketches; and what is said when there can be none."""

import numpy as np
import pytest
from scipy.stats import binom

from detectors.tail import quantile_interval
from detectors.tail.order_statistics import ranks_always, ranks_fixed, smallest_sample
from telemetry.errors import TailwatchError
from telemetry.sketches import DDSketch


@pytest.mark.parametrize("n", [1, 5, 59, 60, 368, 1000, 5000])
@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
def test_ranks_satisfy_the_binomial_condition_and_are_the_tightest(n, quantile):
    lower, upper = ranks_fixed(n, quantile)
    if lower is not None:
        assert binom.cdf(lower - 1, n, quantile) <= 0.025 < binom.cdf(lower, n, quantile)
    else:
        assert binom.cdf(0, n, quantile) > 0.025
    if upper is not None:
        assert binom.sf(upper - 1, n, quantile) <= 0.025 < binom.sf(upper - 2, n, quantile)
    else:
        assert binom.sf(n - 1, n, quantile) > 0.025


def test_the_p99_has_no_upper_bound_below_368_values():
    assert (smallest_sample(0.99), smallest_sample(0.999)) == (368, 3688)
    rng = np.random.default_rng(0)
    below, enough = (quantile_interval(rng.lognormal(size=n), 0.99) for n in (367, 368))
    assert below.high is None
    assert not below.enough_data
    assert "368" in below.reason
    assert enough.high is not None
    assert enough.enough_data


def test_low_quantiles_lack_their_lower_bound():
    found = quantile_interval(np.arange(100.0), 0.01)
    assert found.low is None
    assert "lower" in found.reason
    assert "368" in found.reason


def test_no_values_is_no_number():
    for empty in (np.zeros(0), np.array([np.nan]), DDSketch()):
        found = quantile_interval(empty, 0.99)
        assert (found.estimate, found.low, found.high, found.n) == (None, None, None, 0)
        assert found.reason


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_fixed_interval_covers(quantile):
    rng = np.random.default_rng(1)
    rounds = 1500
    truth = -np.log1p(-quantile)
    sample = np.sort(rng.exponential(size=(rounds, 600)), axis=1)
    lower, upper = ranks_fixed(600, quantile)
    covered = (sample[:, lower - 1] <= truth) & (truth <= sample[:, upper - 1])
    assert covered.mean() >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / rounds)


def test_watching_a_fixed_interval_miscovers_and_the_time_uniform_one_does_not():
    rng = np.random.default_rng(2)
    rounds, looks = 400, np.unique(np.geomspace(400, 20_000, 250).astype(int))
    below = np.cumsum(rng.random((rounds, looks[-1])) < 0.99, axis=1, dtype=np.int32)[:, looks - 1]

    def ever_missed(ranks_of):
        missed = np.zeros(rounds, dtype=bool)
        for place, n in enumerate(looks):
            lower, upper = ranks_of(int(n), 0.99)
            s = below[:, place]
            missed |= (s < lower) if lower is not None else False
            missed |= (s > upper - 1) if upper is not None else False
        return missed.mean()

    assert ever_missed(ranks_fixed) > 0.25
    assert ever_missed(ranks_always) <= 0.05


def test_time_uniform_is_wider_than_fixed():
    for n in (10_000, 100_000):
        fixed, always = ranks_fixed(n, 0.99), ranks_always(n, 0.99)
        assert always[0] < fixed[0]
        assert fixed[1] < always[1]
    values = np.random.default_rng(3).exponential(size=10_000)
    found = quantile_interval(values, 0.99, always_valid=True)
    assert found.low < found.estimate < found.high


def test_time_uniform_says_when_it_has_no_bound():
    found = quantile_interval(np.arange(1.0, 200.0), 0.99, always_valid=True)
    assert found.high is None
    assert "always-valid" in found.reason


def test_a_sketch_brackets_the_exact_interval():
    values = np.random.default_rng(4).lognormal(-2, 1, 3000)
    exact = quantile_interval(values, 0.99)
    sketched = quantile_interval(DDSketch.of(values), 0.99)
    assert sketched.low <= exact.low
    assert exact.high <= sketched.high
    assert sketched.estimate == pytest.approx(exact.estimate, rel=0.01)
    assert sketched.high == pytest.approx(exact.high, rel=0.025)


def test_discrete_values_still_cover():
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(400):
        found = quantile_interval(rng.poisson(3, 500).astype(float), 0.9)
        covered.append(found.low <= 5 <= found.high)  # P(X <= 4) = 0.815, P(X <= 5) = 0.916
    assert np.mean(covered) >= 0.95


@pytest.mark.parametrize(("quantile", "confidence"), [(0, 0.95), (1, 0.95), (99, 0.95), (0.99, 1.0)])
def test_impossible_settings_are_refused(quantile, confidence):
    with pytest.raises(TailwatchError, match=r"within \(0, 1\)"):
        quantile_interval(np.ones(3), quantile, confidence=confidence)
