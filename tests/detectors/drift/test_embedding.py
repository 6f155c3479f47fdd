"""The kernel test: exact level, power, agreement with the definition, and the reservoir that feeds it."""

import sys

import numpy as np
import pytest

from detectors.drift.embedding import embedding_drift, mmd_test
from detectors.drift.reservoir import Reservoir
from telemetry.errors import TailwatchError


@pytest.fixture(autouse=True)
def one_thread():
    """Kernels this small only lose by being shared out."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def sphere(rng, n, dimensions=16, shift=0.0):
    vectors = rng.normal(size=(n, dimensions))
    vectors[:, 0] += shift
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_level_is_exact():
    rng = np.random.default_rng(0)
    p = [mmd_test(sphere(rng, 30), sphere(rng, 20), seed=s, permutations=99, device="cpu").p_value for s in range(200)]
    for alpha in (0.05, 0.2):
        assert np.mean(np.array(p) <= alpha) <= alpha + 2.5 * np.sqrt(alpha * (1 - alpha) / 200)
    assert np.mean(p) == pytest.approx(0.5, abs=0.07)


def test_statistic_is_the_unbiased_estimate():
    rng = np.random.default_rng(1)
    x, y = sphere(rng, 12, 4).astype(float), sphere(rng, 9, 4, shift=1.0).astype(float)
    pooled = np.concatenate([x, y])
    squared = ((pooled[:, None] - pooled[None]) ** 2).sum(-1)
    off = squared[~np.eye(21, dtype=bool)]
    kernel = np.exp(-squared / np.sort(off)[(len(off) - 1) // 2])
    np.fill_diagonal(kernel, 0)
    expected = kernel[:12, :12].sum() / (12 * 11) + kernel[12:, 12:].sum() / (9 * 8) - 2 * kernel[:12, 12:].mean()
    assert mmd_test(x, y, seed=0, permutations=9).mmd_squared == pytest.approx(expected)


def test_a_shift_is_found_and_repeats():
    rng = np.random.default_rng(2)
    reference, current = sphere(rng, 2000), sphere(rng, 400, shift=1.0)
    found = embedding_drift(reference, current, seed=3, alpha=0.01)
    assert found.drifted
    assert (found.method, found.n_reference, found.n_current) == ("mmd", 2000, 400)
    assert found == embedding_drift(reference, current, seed=3, alpha=0.01)
    assert not embedding_drift(reference, sphere(rng, 400), seed=3, alpha=0.01).drifted


def test_evidence_alone_is_not_enough():
    rng = np.random.default_rng(4)
    found = embedding_drift(sphere(rng, 500), sphere(rng, 500, shift=0.5), seed=1, alpha=0.01, min_effect=0.9)
    assert found.p_value <= 0.01
    assert not found.drifted


def test_what_cannot_be_compared():
    rng = np.random.default_rng(5)
    few = embedding_drift(sphere(rng, 100), sphere(rng, 5), seed=0, alpha=0.05)
    assert "5 of the 30" in few.reason
    assert not few.drifted
    missing = np.full((100, 16), np.nan, dtype=np.float32)
    assert embedding_drift(sphere(rng, 100), missing, seed=0, alpha=0.05).n_current == 0
    with pytest.raises(TailwatchError, match="dimensions"):
        mmd_test(sphere(rng, 40, 16), sphere(rng, 40, 8), seed=0)
    with pytest.raises(TailwatchError, match="at least two"):
        mmd_test(sphere(rng, 1), sphere(rng, 40), seed=0)


def test_identical_vectors_are_no_drift():
    same = np.ones((50, 3))
    assert mmd_test(same, same, seed=0, permutations=99).p_value == 1.0


def test_without_torch_the_remedy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TailwatchError, match=r"tailwatch\[drift\]"):
        mmd_test(np.ones((3, 2)), np.ones((3, 2)), seed=0)


def test_reservoir_is_uniform_and_bounded():
    rng = np.random.default_rng(6)
    kept = np.zeros(40)
    for _ in range(1000):
        reservoir = Reservoir(10)
        for chunk in np.split(np.arange(40.0)[:, None], [3, 17, 30]):
            reservoir = reservoir.add(chunk, rng)
        assert len(reservoir.rows) == 10
        kept[reservoir.rows[:, 0].astype(int)] += 1
    np.testing.assert_allclose(kept / 1000, 0.25, atol=0.06)


def test_reservoir_refuses_another_model_and_skips_missing_vectors():
    rng = np.random.default_rng(7)
    reservoir = Reservoir(5).add(np.array([[1.0, 2.0], [np.nan, 1.0]]), rng)
    assert reservoir.seen == 1
    with pytest.raises(TailwatchError, match="3 dimensions"):
        reservoir.add(np.ones((1, 3)), rng)
