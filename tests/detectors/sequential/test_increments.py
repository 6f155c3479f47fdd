"""Increments are fair bets under the null, and a block is the product of its events."""

import numpy as np
import pytest
from scipy.stats import binom

from detectors.sequential.increments import bernoulli_log_increments, bounded_mean_log_increments
from telemetry.errors import TailwatchError

P0 = np.array([[0.01]])
Q = np.array([[0.02, 0.1, 0.5]])


def test_a_block_is_the_product_of_its_events():
    block = bernoulli_log_increments([3], [10], P0, Q)
    singles = bernoulli_log_increments([1], [1], P0, Q) * 3 + bernoulli_log_increments([0], [1], P0, Q) * 7
    np.testing.assert_allclose(block, singles)
    np.testing.assert_allclose(np.exp(block), (Q / P0) ** 3 * ((1 - Q) / (1 - P0)) ** 7)


@pytest.mark.parametrize("dispersion", [1.0, 3.0])
@pytest.mark.parametrize("rate", [0.01, 0.004, 0.0])
def test_expectation_is_at_most_one_everywhere_in_the_null(rate, dispersion):
    n = 50
    k = np.arange(n + 1)
    increments = np.exp(bernoulli_log_increments(k, np.full(n + 1, n), P0, Q, dispersion))
    expectation = binom.pmf(k, n, rate) @ increments
    assert (expectation <= 1 + 1e-12).all()
    if rate == 0.01 and dispersion == 1.0:
        np.testing.assert_allclose(expectation, 1.0)


def test_bounded_mean_is_fair_at_the_null_and_never_negative():
    values = np.array([0.0, 0.05])
    weights = np.array([0.8, 0.2])  # mean 0.01
    increments = np.exp(bounded_mean_log_increments(values, P0, np.array([[0.1, 0.9]])))
    np.testing.assert_allclose(weights @ increments, 1.0)
    assert (increments > 0).all()


def test_a_missing_value_and_an_empty_block_say_nothing():
    assert not bounded_mean_log_increments([np.nan], P0, np.array([[0.5]])).any()
    assert not bernoulli_log_increments([0], [0], P0, Q).any()


def test_impossible_input_is_refused_in_one_sentence():
    with pytest.raises(TailwatchError, match="more bad events than events"):
        bernoulli_log_increments([2], [1], P0, Q)
    with pytest.raises(TailwatchError, match="dispersion"):
        bernoulli_log_increments([1], [1], P0, Q, 0.5)
    with pytest.raises(TailwatchError, match="negative"):
        bounded_mean_log_increments([-0.1], P0, np.array([[0.5]]))
