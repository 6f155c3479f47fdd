from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.grouping import combined, dense, fits_table, occurrences, sample_rows

SIZES = st.sampled_from([1, 7, 5000, 10**12])
"""The last ones are beyond any table, so that rows are sorted."""


@st.composite
def codes(draw: st.DrawFn) -> tuple[list[int], int]:
    size = draw(SIZES)
    return draw(st.lists(st.one_of(st.integers(0, size - 1), st.integers(0, min(size, 3) - 1)), max_size=30)), size


@settings(max_examples=150, deadline=None)
@given(drawn=codes())
def test_numbers_and_counts_are_those_of_a_sort(drawn: tuple[list[int], int]) -> None:
    values, size = drawn
    given_codes = np.asarray(values, dtype=np.intp)
    distinct, inverse, counts = np.unique(given_codes, return_inverse=True, return_counts=True)
    present, found = occurrences(given_codes, size)
    assert (present.tolist(), found.tolist()) == (distinct.tolist(), counts.tolist())
    numbers, count = dense(given_codes, size)
    assert (numbers.tolist(), count) == (inverse.tolist(), len(distinct))
    if values:
        assert given_codes[sample_rows(numbers, count)].tolist() == distinct.tolist()


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(*(st.integers(0, 3) for _ in range(4))), max_size=30),
    width=st.sampled_from([4, 5000, 10**9]),
)
def test_rows_of_several_columns_are_numbered_in_order(rows: list[tuple[int, ...]], width: int) -> None:
    columns = [(np.asarray([row[place] for row in rows], dtype=np.int32), width) for place in range(4)]
    numbers, count = combined(columns, len(rows))
    ordered = sorted(set(rows))
    assert count == len(ordered)
    assert [ordered[number] for number in numbers] == rows


@pytest.mark.parametrize("rows", [0, 3])
def test_without_a_column_all_rows_are_one_group(rows: int) -> None:
    numbers, count = combined([], rows)
    assert (numbers.tolist(), count) == ([0] * rows, min(rows, 1))


def test_tables_stay_within_a_few_times_the_rows() -> None:
    assert fits_table(1000, 1)
    assert not fits_table(10**6, 1000)
