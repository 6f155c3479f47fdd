"""The guarantee, on any data: within 1 % of the value of the same rank; merges exact; as the reference library says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ddsketch import DDSketch as ReferenceSketch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from telemetry.errors import TailwatchError
from telemetry.sketch_batch import sketch_slots
from telemetry.sketch_merge import merge_each
from telemetry.sketches import (
    ALPHA,
    GAMMA,
    MAX_BINS,
    MIN_MAGNITUDE,
    DDSketch,
    bin_upper,
    keys_of,
    merge,
    value_of,
)

MAGNITUDES = st.floats(1e-9, 1e9)
VALUES = st.lists(st.one_of(MAGNITUDES, MAGNITUDES.map(lambda value: -value), st.just(0.0)), max_size=60)
QUANTILES = st.floats(0, 1)
SLACK = 1 + 1e-9


def within(found: float, exact: float) -> bool:
    return abs(found - exact) <= ALPHA * abs(exact) * SLACK


@settings(max_examples=200, deadline=None)
@given(values=VALUES.filter(bool), q=QUANTILES)
def test_a_quantile_is_within_one_percent_of_the_value_of_its_rank(values: list[float], q: float) -> None:
    exact = sorted(values)[math.floor(q * (len(values) - 1))]
    assert within(DDSketch.of(values).quantile(q), exact)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(MAGNITUDES, min_size=1, max_size=60), q=QUANTILES)
def test_it_agrees_with_the_reference_library(values: list[float], q: float) -> None:
    reference = ReferenceSketch(relative_accuracy=ALPHA)
    for value in values:
        reference.add(value)
    expected = reference.get_quantile_value(q)
    assert expected is not None
    # Both are within ALPHA of the same value, so within 2 ALPHA / (1 - ALPHA) of each other.
    assert abs(DDSketch.of(values).quantile(q) - expected) <= 2.03 * ALPHA * expected


@pytest.mark.parametrize("draw", ["lognormal", "pareto", "mixture"])
def test_tails_of_heavy_distributions(draw: str) -> None:
    rng = np.random.default_rng(7)
    values: dict[str, NDArray[np.float64]] = {
        "lognormal": rng.lognormal(-1, 1.5, 20_000),
        "pareto": rng.pareto(1.1, 20_000) + 0.01,
        "mixture": np.concatenate([rng.normal(0.12, 0.01, 19_600), rng.normal(4.0, 0.2, 400)]),
    }
    ordered = np.sort(values[draw])
    found = DDSketch.of(ordered).quantiles([0.0, 0.5, 0.9, 0.99, 0.999, 1.0])
    for q, value in zip([0.0, 0.5, 0.9, 0.99, 0.999, 1.0], found, strict=True):
        assert within(value, float(ordered[math.floor(q * (len(ordered) - 1))]))


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(VALUES, min_size=1, max_size=5))
def test_merging_equals_sketching_all_values(parts: list[list[float]]) -> None:
    merged = merge(DDSketch.of(part) for part in parts)
    together = DDSketch.of([value for part in parts for value in part])
    assert same(merged, together)
    assert same(merge(DDSketch.of(part) for part in reversed(parts)), together)


@settings(max_examples=100, deadline=None)
@given(a=VALUES, b=VALUES, c=VALUES)
def test_merging_is_associative(a: list[float], b: list[float], c: list[float]) -> None:
    one, two, three = DDSketch.of(a), DDSketch.of(b), DDSketch.of(c)
    assert same(merge([merge([one, two]), three]), merge([one, merge([two, three])]))


@settings(max_examples=100, deadline=None)
@given(groups=st.lists(st.lists(VALUES, max_size=4), max_size=6))
def test_merging_groups_at_once_equals_one_by_one(groups: list[list[list[float]]]) -> None:
    sketches = [[DDSketch.of(part) for part in group] for group in groups]
    merged = merge_each(sketches)
    assert len(merged) == len(groups)
    for found, group in zip(merged, sketches, strict=True):
        assert same(found, merge(group))


def test_merging_groups_at_once_keeps_to_the_largest_number_of_bins() -> None:
    wide = [DDSketch.of(np.geomspace(1e-11, top, 40_000)) for top in (1e50, 1e60)]
    plain = [DDSketch.of([1.0, 2.0]), DDSketch.of([2.0, 7.0])]
    for found, group in zip(merge_each([wide, plain]), (wide, plain), strict=True):
        assert same(found, merge(group))


def same(one: DDSketch, other: DDSketch) -> bool:
    """Equal bins and bounds; sums up to float addition."""
    magnitude = sum(abs(value) * n for value, n in zip(*other.histogram(), strict=True))
    return (
        one.keys.tolist() == other.keys.tolist()
        and one.counts.tolist() == other.counts.tolist()
        and one.negative_keys.tolist() == other.negative_keys.tolist()
        and one.negative_counts.tolist() == other.negative_counts.tolist()
        and (one.zero_count, one.low, one.high) == (other.zero_count, other.low, other.high)
        and math.isclose(one.total, other.total, rel_tol=1e-9, abs_tol=1e-9 * magnitude)
    )


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.one_of(MAGNITUDES, st.sampled_from([0.0, -2.0, math.nan, math.inf, 1e-15]))),
        max_size=60,
    )
)
def test_sketching_groups_at_once_equals_one_by_one(rows: list[tuple[int, float]]) -> None:
    group = np.asarray([row[0] for row in rows], dtype=np.intp)
    values = np.asarray([row[1] for row in rows], dtype=np.float64)
    found = sketch_slots(values, group, 5)
    assert len(found) == 5
    for number, sketch in enumerate(found):
        alone = DDSketch.of(values[group == number])
        assert (sketch is None) == (alone.count == 0)
        assert sketch is None or same(sketch, alone)


def test_an_empty_sketch_has_no_quantile_and_counts_nothing() -> None:
    empty = DDSketch.of([])
    assert math.isnan(empty.quantile(0.5))
    assert (empty.count, empty.total, empty.count_at_most(1e9)) == (0, 0.0, 0)
    assert merge([]).count == 0
    assert merge([empty, DDSketch.of([3.0])]).quantile(0.5) == 3.0


def test_non_finite_values_are_left_out() -> None:
    sketch = DDSketch.of([math.nan, math.inf, -math.inf, 2.0])
    assert (sketch.count, sketch.low, sketch.high, sketch.total) == (1, 2.0, 2.0, 2.0)


@pytest.mark.parametrize("q", [-0.1, 1.1, 99, math.nan])
def test_a_quantile_outside_its_range_is_refused(q: float) -> None:
    with pytest.raises(TailwatchError, match=r"within 0\.\.1"):
        DDSketch.of([1.0]).quantile(q)


@settings(max_examples=100, deadline=None)
@given(values=VALUES, threshold=st.floats(-1e9, 1e9))
def test_the_count_below_a_threshold_is_exact_up_to_its_bin(values: list[float], threshold: float) -> None:
    found = DDSketch.of(values).count_at_most(threshold)
    reach = 2.1 * ALPHA * abs(threshold)
    assert sum(value <= threshold - reach for value in values) <= found
    assert found <= sum(value <= threshold + reach for value in values)


@settings(max_examples=100, deadline=None)
@given(value=MAGNITUDES)
def test_a_bin_holds_its_values_and_stands_for_them(value: float) -> None:
    key = int(keys_of(np.asarray([value]))[0])
    assert float(bin_upper(key - 1)) < value * SLACK
    assert value <= float(bin_upper(key)) * SLACK
    assert within(float(value_of(key)), value)
    assert math.isclose(float(bin_upper(key)) / float(bin_upper(key - 1)), GAMMA)


def test_beyond_the_largest_number_of_bins_the_small_values_collapse_and_the_tail_stays() -> None:
    values = np.geomspace(1e-11, 1e60, 40_000)
    sketch = DDSketch.of(values)
    assert len(sketch.keys) == MAX_BINS
    assert sketch.count == len(values)
    for q in (0.9, 0.99, 1.0):
        assert within(sketch.quantile(q), float(values[math.floor(q * (len(values) - 1))]))
    again = merge([sketch, DDSketch.of(values[::2])])
    assert len(again.keys) == MAX_BINS
    assert again.count == len(values) + len(values[::2])


def test_tiny_magnitudes_are_zero() -> None:
    sketch = DDSketch.of([MIN_MAGNITUDE / 2, -MIN_MAGNITUDE / 2, MIN_MAGNITUDE])
    assert (sketch.zero_count, sketch.count) == (2, 3)


def test_an_order_of_values_does_not_matter() -> None:
    values = np.random.default_rng(1).normal(0, 5, 500)
    assert same(DDSketch.of(values), DDSketch.of(values[::-1]))
