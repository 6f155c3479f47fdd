"""Each method against an independent oracle, and the pair of them against the table of what fixed thresholds do."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from detectors.drift.chi_squared import chi_squared_test, pool_small_cells
from detectors.drift.effects import jensen_shannon_distance, population_stability_index, total_variation
from detectors.drift.kolmogorov_smirnov import ks_test
from detectors.drift.multiplicity import benjamini_hochberg
from detectors.drift.wasserstein import normed_wasserstein
from telemetry.sketches import DDSketch


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def test_exact_ks_agrees_with_scipy(rng):
    for shift in (0.0, 0.05, 0.3):
        first, second = rng.normal(size=700), rng.normal(size=400) + shift
        oracle = stats.ks_2samp(first, second, method="asymp")
        statistic, p_value = ks_test(first, second)
        assert statistic == pytest.approx(oracle.statistic)
        exact = stats.ks_2samp(first, second, method="exact").pvalue
        assert p_value == pytest.approx(exact, rel=0.25, abs=0.02)
        assert p_value >= exact * 0.999, "the plain limit is the conservative side"


def test_binned_ks_never_exceeds_the_exact_one_and_comes_close(rng):
    first, second = rng.lognormal(size=3000), rng.lognormal(0.1, size=1000)
    exact, _ = ks_test(first, second)
    binned, _ = ks_test(DDSketch.of(first), DDSketch.of(second))
    assert exact - 0.02 < binned <= exact


def test_sketches_with_negatives_and_zeros(rng):
    first = np.concatenate([rng.normal(size=2000), np.zeros(300)])
    assert ks_test(DDSketch.of(first), DDSketch.of(first)) == (0.0, 1.0)
    statistic, p_value = ks_test(DDSketch.of(first), DDSketch.of(-np.abs(first)))
    assert statistic == pytest.approx(1000 / 2300, abs=0.03)
    assert p_value < 1e-12


def test_wasserstein_agrees_with_scipy(rng):
    first, second = rng.lognormal(size=3000), rng.lognormal(0.2, size=1000)
    oracle = stats.wasserstein_distance(first, second) / first.std()
    assert normed_wasserstein(first, second) == pytest.approx(oracle)
    assert normed_wasserstein(DDSketch.of(first), DDSketch.of(second)) == pytest.approx(oracle, rel=0.02)


def test_wasserstein_is_finite_and_sober_for_constants():
    ones = DDSketch.of([1.0] * 100)
    assert normed_wasserstein(ones, DDSketch.of([1.001] * 100)) < 1e-9, "within a bin's width nothing can be told"
    assert normed_wasserstein(ones, DDSketch.of([2.0] * 100)) > 10
    assert normed_wasserstein(DDSketch.of([0.0] * 100), DDSketch.of([5.0] * 100)) == pytest.approx(2.0, rel=0.02)
    assert normed_wasserstein(ones, DDSketch()) == 0.0
    assert normed_wasserstein(np.array([1.0]), np.array([1.0])) == 0.0


def test_chi_squared_agrees_with_scipy(rng):
    first = dict(zip("abcd", rng.multinomial(2000, [0.4, 0.3, 0.2, 0.1]).tolist(), strict=True))
    second = dict(zip("abcd", rng.multinomial(300, [0.3, 0.3, 0.2, 0.2]).tolist(), strict=True))
    oracle = stats.chi2_contingency([list(first.values()), list(second.values())], correction=False)
    statistic, p_value, cells = chi_squared_test(first, second)
    assert (statistic, p_value, cells) == pytest.approx((oracle.statistic, oracle.pvalue, 4))


def test_small_cells_are_pooled_and_none_is_lost():
    table = np.array([[5000, 4000, 3, 2, 1, 0], [60, 40, 0, 0, 0, 1]])
    pooled = pool_small_cells(table)
    np.testing.assert_array_equal(pooled.sum(axis=1), table.sum(axis=1))
    expected = pooled.sum(axis=1, keepdims=True) * pooled.sum(axis=0) / pooled.sum()
    assert pooled.shape[1] == 2
    assert expected.min() >= 5
    assert pool_small_cells(np.array([[3, 1], [2, 1]])).shape == (2, 1)


def test_a_new_category_counts_and_thousands_of_rare_ones_do_not(rng):
    assert chi_squared_test({"a": 1000}, {"a": 500, "new": 100})[1] < 1e-6
    users = [{f"user{i}": 1 for i in rng.choice(100_000, 1000, replace=False)} for _ in range(2)]
    assert chi_squared_test(*users)[1] == 1.0


def test_effects_agree_with_their_definitions(rng):
    first = dict(zip("abc", [500, 300, 200], strict=True))
    second = dict(zip("abc", [200, 300, 500], strict=True))
    assert jensen_shannon_distance(first, second) == pytest.approx(jensenshannon([0.5, 0.3, 0.2], [0.2, 0.3, 0.5], 2))
    assert total_variation(first, second) == pytest.approx(0.3)
    assert population_stability_index(first, second) == pytest.approx(0.6 * np.log(2.5), rel=0.02)
    assert population_stability_index({"a": 10}, {"b": 10}) < np.inf
    for effect in (jensen_shannon_distance, total_variation, population_stability_index):
        assert effect(first, first) == pytest.approx(0.0, abs=1e-9)
        assert effect(first, {}) == 0.0


def test_benjamini_hochberg_agrees_with_scipy(rng):
    p = rng.random(50) ** 3
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))
    assert len(benjamini_hochberg([])) == 0


def flagged(n, shift, rng, rounds):
    """Share of windows of ``n`` that each criterion flags; lognormal, one reference of 5,000 a window."""
    edges = np.quantile(rng.lognormal(size=100_000), np.linspace(0, 1, 11)[1:-1])
    votes = {"ks": 0, "wasserstein": 0, "js": 0, "psi": 0, "both": 0}
    for _ in range(rounds):
        reference, current = rng.lognormal(size=5000), rng.lognormal(shift, size=n)
        evidence = ks_test(reference, current)[1] <= 0.05
        effect = normed_wasserstein(reference, current) >= 0.1
        tables = [
            {str(k): int(c) for k, c in enumerate(np.bincount(np.searchsorted(edges, side), minlength=10))}
            for side in (reference, current)
        ]
        votes["ks"] += evidence
        votes["wasserstein"] += effect
        votes["js"] += jensen_shannon_distance(*tables) >= 0.1
        votes["psi"] += population_stability_index(*tables) >= 0.1
        votes["both"] += evidence and effect
    return {name: count / rounds for name, count in votes.items()}


def test_effect_thresholds_alone_flag_small_windows_without_any_drift(rng):
    """No drift: an effect of 0.1 is the rule at n = 50 and rare at 1,000; evidence keeps its 5 % everywhere."""
    table = {n: flagged(n, 0.0, rng, 150) for n in (50, 200, 1000)}
    assert table[50]["wasserstein"] > 0.85
    assert 0.2 < table[200]["wasserstein"] < 0.5
    assert table[1000]["wasserstein"] < 0.05
    assert table[50]["js"] > 0.9
    assert table[50]["psi"] > 0.6
    assert all(row["ks"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150) for row in table.values())
    assert all(row["both"] <= row["ks"] for row in table.values())


def test_a_real_shift_of_a_fifth_is_found_at_a_thousand(rng):
    row = flagged(1000, 0.2, rng, 100)
    assert row["ks"] >= 0.98
    assert row["wasserstein"] > 0.9
    assert row["both"] > 0.9
    assert row["psi"] < 0.05, "binned PSI at its customary 0.1 sleeps through it"
