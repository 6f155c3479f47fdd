"""Distributions put together: sketches and counts add up, and a field that holds both kinds can still be read."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from telemetry.deltas import Distribution, count_of, merge_distributions
from telemetry.sketches import DDSketch


@pytest.mark.parametrize(
    ("distribution", "count"),
    [(DDSketch(), 0), (DDSketch.of([1.0, -2.0, 0.0]), 3), ({}, 0), ({"yes": 3, "no": 2}, 5)],
)
def test_a_distribution_knows_how_many_values_it_holds(distribution: Distribution, count: int):
    assert count_of(distribution) == count


def test_counts_of_texts_add_up_and_the_parts_stay_as_they_are():
    first, second = {"yes": 3, "no": 2}, {"no": 1, "maybe": 4}
    assert merge_distributions([first, second]) == {"yes": 3, "no": 3, "maybe": 4}
    assert (first, second) == ({"yes": 3, "no": 2}, {"no": 1, "maybe": 4})


def test_sketches_add_up_to_the_sketch_of_all_values():
    merged = merge_distributions([DDSketch.of([1.0, 2.0]), DDSketch.of([3.0])])
    assert isinstance(merged, DDSketch)
    together = DDSketch.of([1.0, 2.0, 3.0])
    assert (merged.count, merged.low, merged.high) == (3, 1.0, 3.0)
    assert merged.quantiles((0.0, 0.5, 1.0)) == together.quantiles((0.0, 0.5, 1.0))


@pytest.mark.parametrize(
    ("numbers", "texts", "numeric"),
    [
        ([[1.0, 2.0], [3.0]], [{"n/a": 2}], True),
        ([[1.0, 2.0]], [{"n/a": 2}, {"none": 1}], False),
        ([[1.0], [2.0]], [{"n/a": 1}, {"none": 1}], True),
        ([[]], [{"n/a": 1}], False),
        ([[]], [{}], True),
    ],
    ids=["more numbers", "more texts", "a tie is numeric", "numbers of no values", "neither has values"],
)
def test_of_numbers_and_texts_under_one_key_the_kind_with_more_values_counts(
    numbers: list[list[float]], texts: list[Mapping[str, int]], numeric: bool
):
    parts: list[Distribution] = [*map(DDSketch.of, numbers), *texts]
    for order in (parts, parts[::-1]):
        merged = merge_distributions(order)
        assert isinstance(merged, DDSketch) == numeric
        assert count_of(merged) == sum(map(len, numbers) if numeric else map(count_of, texts))


def test_of_nothing_there_is_an_empty_distribution():
    merged = merge_distributions([])
    assert isinstance(merged, DDSketch)
    assert count_of(merged) == 0
