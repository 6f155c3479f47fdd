"""The null with clusters, against its definition by integration, and what it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from detectors.sequential.clusters import BLOCK, DISPERSIONS, PRIOR, ClusteredNull, NullState
from detectors.sequential.dispersion import dispersion

P0 = 0.02
ALL_BAD, ONE_GOOD = np.asarray([[100.0, 0.0, 100.0]]), np.asarray([[0.0, 1.0, 1.0]])
SIZE = (BLOCK - DISPERSIONS[1]) / (DISPERSIONS[1] - 1)


def counts(bad: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(series, 3) as a step takes them."""
    return np.stack([bad, total - bad, total], axis=1)


def feed(null: ClusteredNull, bad: np.ndarray, total: np.ndarray) -> tuple[NullState, np.ndarray]:
    """Steps in the rows of (steps, series) counts: the state, and the (steps, series) log probabilities."""
    state, logs = null.start(bad.shape[1]), []
    for k, n in zip(bad.astype(float), total.astype(float), strict=True):
        state, log_probability = null.step(state, counts(k, n), np.ones(bad.shape[1], dtype=np.bool_))
        logs.append(log_probability)
    return state, np.asarray(logs)


def test_a_block_has_the_probability_of_its_definition():
    """The mixture of independent errors and of a beta share, the latter integrated numerically."""
    bad, total = np.asarray([[1], [0], [3]]), np.asarray([[10], [20], [30]])
    _, logs = feed(ClusteredNull(P0), bad, total)
    share = beta(P0 * SIZE, (1 - P0) * SIZE)
    clustered = quad(lambda p: share.pdf(p) * p**4 * (1 - p) ** 56, 0, 1, limit=200)[0]
    independent = P0**4 * (1 - P0) ** 56
    assert logs.sum() == pytest.approx(np.log(PRIOR[0] * independent + PRIOR[1] * clustered), rel=1e-6)


def test_the_ratio_to_any_other_law_has_mean_one_at_most():
    """Every outcome of two steps, in one block: sums of probabilities are one, so ratios to them are fair bets."""
    n = 4
    outcomes = np.asarray([(j, k) for j in range(n + 1) for k in range(n + 1)])
    _, logs = feed(ClusteredNull(0.3), outcomes.T, np.full((2, len(outcomes)), n))
    ways = np.asarray([1, 4, 6, 4, 1])[outcomes].prod(axis=1)
    assert (ways * np.exp(logs.sum(axis=0))).sum() == pytest.approx(1.0, rel=1e-12)


def test_a_cluster_goes_on_for_one_block_and_no_longer():
    """Where every request fails, the second block is less of a surprise; the third is as much of one as the first."""
    bad = np.full((4, 1), BLOCK)
    _, logs = feed(ClusteredNull(P0), bad, bad)
    first, second, third, fourth = logs[:, 0]
    assert min(second, fourth) > max(first, third) + 20


@pytest.mark.parametrize(("errors", "expected"), [("independent", 0), ("clustered", 1)])
def test_it_learns_how_errors_cluster(errors, expected):
    rng = np.random.default_rng(5)
    shape = (200, 50)
    share = rng.beta(P0 * SIZE, (1 - P0) * SIZE, shape) if errors == "clustered" else np.full(shape, P0)
    bad = rng.binomial(BLOCK, share)
    assert np.median(dispersion(bad.T, np.full(bad.T.shape, BLOCK))) == pytest.approx(DISPERSIONS[expected], rel=0.25)
    state, _ = feed(ClusteredNull(P0), bad, np.full(shape, BLOCK))
    assert (state.log_weights.argmax(axis=1) == expected).mean() > 0.95


def test_one_block_teaches_no_more_than_its_share():
    null = ClusteredNull(P0)
    calm, _ = feed(null, np.ones((300, 1)), np.full((300, 1), 50))
    before = calm.log_weights[0]
    after, _ = null.step(calm, ALL_BAD, np.asarray([True]))
    after, _ = null.step(after, ONE_GOOD, np.asarray([True]))
    gained = (after.log_weights[0] - before)[1] - (after.log_weights[0] - before)[0]
    assert 0 < gained < 4 + 1e-9
    untaught, _ = null.step(calm, ALL_BAD, np.asarray([False]))
    untaught, _ = null.step(untaught, ONE_GOOD, np.asarray([False]))
    np.testing.assert_array_equal(untaught.log_weights, calm.log_weights)


def test_without_clusters_it_is_the_binomial_null():
    bad, total = np.asarray([[2, 0], [5, 1]]), np.asarray([[150, 1], [60, 3]])
    _, logs = feed(ClusteredNull(P0, clusters=False), bad, total)
    np.testing.assert_allclose(logs, bad * np.log(P0) + (total - bad) * np.log1p(-P0))


def test_days_without_a_failure_do_not_blind_it():
    """The rate of the last blocks falls by a fiftieth with each; where a float underflows is too far to walk here."""
    null = ClusteredNull(P0)
    state = replace(null.start(1), recent=np.asarray([[1e-305, 5e4, 5e4]]))
    clean, failing = np.asarray([[0.0, 1000.0, 1000.0]]), np.asarray([[500.0, 500.0, 1000.0]])
    for step in [clean] * 400 + [failing, clean]:
        state, log_probability = null.step(state, step, np.asarray([True]))
        assert np.isfinite(log_probability).all()
    assert np.isfinite(state.log_weights).all()
