"""Merging is exact, commutative and associative; what was subtracted is what was added; quantiles stay in bounds."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.errors import TailwatchError
from telemetry.histograms import MAX_BUCKETS, MIN_SCALE, Buckets, ExponentialHistogram, Histogram, edge

BOUNDS = st.lists(st.integers(-5, 20).map(float), min_size=1, max_size=6, unique=True).map(sorted).map(tuple)
COUNTS = st.integers(0, 1000)


def fixed(bounds: tuple[float, ...]) -> st.SearchStrategy[Histogram]:
    counts = st.lists(COUNTS, min_size=len(bounds) + 1, max_size=len(bounds) + 1).map(tuple)
    return st.builds(Histogram, st.just(bounds), counts, st.integers(-1000, 1000).map(float))


FIXED = BOUNDS.flatmap(fixed)
SIDES = st.builds(Buckets.of, st.integers(-300, 300), st.lists(COUNTS, max_size=40))
EXPONENTIAL = st.builds(
    ExponentialHistogram,
    st.integers(MIN_SCALE, 8),
    COUNTS,
    st.sampled_from([0.0, 1e-9, 1e-3]),
    SIDES,
    SIDES,
    st.integers(-1000, 1000).map(float),
).map(ExponentialHistogram.bounded)  # fmt: skip


@given(FIXED, FIXED, FIXED)
def test_fixed_bounds_merge_in_any_order(a: Histogram, b: Histogram, c: Histogram) -> None:
    assert a.plus(b) == b.plus(a)
    assert a.plus(b).plus(c) == a.plus(b.plus(c))
    assert a.plus(b).count == a.count + b.count


@settings(max_examples=300)
@given(EXPONENTIAL, EXPONENTIAL, EXPONENTIAL)
def test_exponential_buckets_merge_in_any_order(
    a: ExponentialHistogram, b: ExponentialHistogram, c: ExponentialHistogram
) -> None:
    assert a.plus(b) == b.plus(a)
    assert a.plus(b).plus(c) == a.plus(b.plus(c))
    assert a.plus(b).count == a.count + b.count


@given(EXPONENTIAL, EXPONENTIAL)
def test_what_was_added_comes_back_by_subtraction(a: ExponentialHistogram, b: ExponentialHistogram) -> None:
    grown = a.plus(b)
    added = grown.since(a)
    assert added.count == b.count
    assert added.total == b.total
    assert added == b.at_scale(min(grown.scale, b.scale)) or b.zero_threshold < a.zero_threshold


@given(BOUNDS.flatmap(lambda bounds: st.tuples(fixed(bounds), fixed(bounds))))
def test_what_was_added_to_fixed_bounds_comes_back(pair: tuple[Histogram, Histogram]) -> None:
    a, b = pair
    assert a.plus(b).since(a) == b


def test_a_histogram_that_fell_was_reset() -> None:
    before = Histogram((1.0, 2.0), (5, 5, 5), 20.0)
    after = Histogram((1.0, 2.0), (7, 4, 9), 30.0)
    assert after.since(before) == after
    assert ExponentialHistogram(0, 3).since(ExponentialHistogram(0, 4)) == ExponentialHistogram(0, 3)


def test_other_bounds_are_a_reset() -> None:
    after = Histogram((1.0, 3.0), (9, 9, 9))
    assert after.since(Histogram((1.0, 2.0), (1, 1, 1))) == after


def test_different_bounds_merge_by_those_that_both_have() -> None:
    merged = Histogram((1.0, 2.0, 4.0), (1, 2, 3, 4)).plus(Histogram((1.0, 4.0, 8.0), (10, 20, 30, 40)))
    assert merged.bounds == (1.0, 4.0)
    assert merged.counts == (11, 25, 74)


@given(EXPONENTIAL)
def test_there_are_never_too_many_buckets(a: ExponentialHistogram) -> None:
    wide = ExponentialHistogram(8, positive=Buckets(-200_000, (1,)))
    for merged in (a.plus(wide), wide.plus(a), a):
        assert len(merged.positive.counts) <= MAX_BUCKETS
        assert len(merged.negative.counts) <= MAX_BUCKETS


def test_indices_at_either_end_of_the_doubles_merge_without_a_list_of_all_between() -> None:
    low = ExponentialHistogram(20, positive=Buckets(-(2**30), (1,)))
    high = ExponentialHistogram(20, positive=Buckets(2**30 - 1, (1,)))
    merged = low.plus(high)
    assert merged.count == 2
    assert len(merged.positive.counts) <= MAX_BUCKETS


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200), st.integers(0, 8), st.floats(0, 1))
def test_an_exponential_quantile_is_in_the_bucket_of_its_rank(values: list[float], scale: int, q: float) -> None:
    indices = [math.ceil(math.log2(value) * 2**scale) - 1 for value in values]
    low = min(indices)
    counts = [indices.count(index) for index in range(low, max(indices) + 1)]
    found = ExponentialHistogram(scale, positive=Buckets.of(low, counts)).quantile(q)
    exact = sorted(values)[max(0, math.ceil(q * len(values)) - 1)]
    factor = 2.0 ** (2.0**-scale) * (1 + 1e-9)
    assert exact / factor <= found <= exact * factor


@pytest.mark.parametrize(
    ("counts", "q", "expected"),
    [
        ((10, 0, 0), 0.5, 0.5),
        ((0, 10, 0), 0.5, 1.5),
        ((5, 5, 0), 1.0, 2.0),
        ((0, 0, 7), 0.5, 2.0),
        ((1, 1, 0), 0.5, 1.0),
    ],
)
def test_fixed_quantiles_are_interpolated_as_prometheus_does(
    counts: tuple[int, ...], q: float, expected: float
) -> None:
    assert Histogram((1.0, 2.0), counts).quantile(q) == expected


@given(FIXED, st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_quantiles_do_not_fall(a: Histogram, qs: list[float]) -> None:
    found = [a.quantile(q) for q in sorted(qs)]
    assert all(math.isnan(one) for one in found) if not a.count else all(x <= y for x, y in pairwise(found))


def test_negative_zero_and_positive_values_are_in_order() -> None:
    one = ExponentialHistogram(0, 10, 0.0, Buckets(0, (10,)), Buckets(1, (10,)))
    assert one.quantile(0.0) == -4.0
    assert one.quantile(0.5) == 0.0
    assert one.quantile(1.0) == 2.0


def test_nothing_has_no_quantile() -> None:
    assert math.isnan(Histogram((), (0,)).quantile(0.5))
    assert math.isnan(Histogram((), (5,)).quantile(0.5))
    assert math.isnan(ExponentialHistogram().quantile(0.5))
    with pytest.raises(TailwatchError, match=r"0\.99 for the p99"):
        Histogram((1.0,), (1, 1)).quantile(99)


def test_edges_beyond_the_doubles_are_infinite() -> None:
    assert edge(0, 1024) == math.inf
    assert edge(3, 8) == 2.0


@given(FIXED, st.floats(0.01, 1))
def test_shares_add_up(a: Histogram, fraction: float) -> None:
    whole = a.scaled(fraction).plus(a.scaled(1 - fraction))
    assert whole.count == pytest.approx(a.count)
