from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.columns import ByteColumn, Columns, StringColumn, columns_of, empty_columns, first_present
from telemetry.errors import TailwatchError

ITEMS = st.lists(st.one_of(st.none(), st.sampled_from(["", "a", "b", "É", "a b"])), max_size=12)


@settings(max_examples=100, deadline=None)
@given(items=ITEMS)
def test_strings_come_back_and_each_is_interned_once(items: list[str | None]) -> None:
    column = StringColumn.of(items)
    assert column.tolist() == [item or "" for item in items]
    assert column.optional() == [item or None for item in items]
    assert len(set(column.values)) == len(column.values)
    assert len(column) == len(items)


@settings(max_examples=100, deadline=None)
@given(items=ITEMS)
def test_a_mask_is_one_verdict_a_value(items: list[str | None]) -> None:
    column = StringColumn.of(items)
    found = column.mask([value == "a" for value in column.values], missing=True)
    assert found.tolist() == [item == "a" or not item for item in items]


@settings(max_examples=100, deadline=None)
@given(items=ITEMS, index=st.lists(st.integers(0, 11), max_size=5))
def test_taking_rows(items: list[str | None], index: list[int]) -> None:
    rows = np.asarray([at for at in index if at < len(items)], dtype=np.intp)
    assert StringColumn.of(items).take(rows).tolist() == [items[at] or "" for at in rows]


@settings(max_examples=100, deadline=None)
@given(items=ITEMS)
def test_mapping_merges_equal_results(items: list[str | None]) -> None:
    column = StringColumn.of(items).map(lambda value: None if value == "b" else value[0])
    assert column.tolist() == ["" if not item or item == "b" else item[0] for item in items]
    assert len(set(column.values)) == len(column.values)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(*[st.sampled_from([None, "a", "b"])] * 3), max_size=10))
def test_the_first_present_value_wins(rows: list[tuple[str | None, ...]]) -> None:
    columns = [StringColumn.of(row[place] for row in rows) for place in range(3)]
    assert first_present(columns).tolist() == [next((value for value in row if value), "") for row in rows]


@pytest.mark.parametrize(
    ("number", "text"),
    [(8.0, "8"), (-3.0, "-3"), (0.25, "0.25"), (1_234_567.0, "1234567"), (1e300, "1e+300"), (math.nan, "")],
)
def test_numbers_read_as_people_write_them(number: float, text: str) -> None:
    assert StringColumn.of_numbers(np.asarray([number, 8.0, number])).tolist() == [text, "8", text]


@settings(max_examples=100, deadline=None)
@given(numbers=st.lists(st.floats(allow_infinity=False, allow_nan=False), max_size=8))
def test_the_text_of_a_number_is_that_number(numbers: list[float]) -> None:
    column = StringColumn.of_numbers(np.asarray(numbers, dtype=np.float64))
    assert [float(text) for text in column.tolist()] == numbers


def batch() -> Columns:
    return columns_of(
        "log",
        np.asarray([10, 20, 30], dtype=np.int64),
        start_ns=np.asarray([1, 2, 3], dtype=np.int64),
        strings={"service": ["a", None, "b"]},
        numbers={"ttft": [0.5, math.nan, 2.0]},
    )


def test_an_absent_column_reads_as_missing() -> None:
    assert batch().string("absent").tolist() == ["", "", ""]
    assert np.isnan(batch().number("absent")).all()
    assert len(batch().number("absent")) == 3


@pytest.mark.parametrize("index", [[2, 0], [True, False, True][::-1], []])
def test_taking_rows_of_a_batch_takes_every_column(index: list[int]) -> None:
    base = batch()
    whole = Columns(
        signal=base.signal, time_ns=base.time_ns, start_ns=base.start_ns,
        trace_id=np.arange(48, dtype=np.uint8).reshape(3, 16), span_id=np.arange(24, dtype=np.uint8).reshape(3, 8),
        parent_span_id=base.parent_span_id, name=StringColumn.of(["x", "y", "z"]), strings=base.strings,
        numbers=base.numbers, is_inference=np.asarray([True, False, True]), raw=ByteColumn.of([b"0", b"1", b"2"]),
        resource=np.asarray([1, 0, 1], dtype=np.int32), resources=(b"r", b"s"),
        embeddings=np.arange(6, dtype=np.float32).reshape(3, 2),
    )  # fmt: skip
    chosen = np.asarray(index, dtype=np.bool_ if True in [item is True for item in index] else np.intp)
    rows = np.arange(3)[chosen]
    taken = whole.take(chosen)
    assert len(taken) == len(rows)
    assert taken.time_ns.tolist() == whole.time_ns[rows].tolist()
    assert taken.start_ns.tolist() == whole.start_ns[rows].tolist()
    assert taken.trace_id.tolist() == whole.trace_id[rows].tolist()
    assert taken.name.tolist() == [whole.name.tolist()[row] for row in rows]
    assert taken.string("service").tolist() == [whole.string("service").tolist()[row] for row in rows]
    np.testing.assert_array_equal(taken.number("ttft"), whole.number("ttft")[rows])
    assert taken.raw.tolist() == [whole.raw[row] for row in rows]
    assert taken.resource.tolist() == whole.resource[rows].tolist()
    assert taken.embeddings is not None
    assert whole.embeddings is not None
    assert taken.embeddings.tolist() == whole.embeddings[rows].tolist()
    assert taken.is_inference.tolist() == whole.is_inference[rows].tolist()


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(TailwatchError, match="column service has 2 values"):
        columns_of("span", np.zeros(3, dtype=np.int64), strings={"service": ["a", "b"]})
    with pytest.raises(TailwatchError, match="column ttft has 1 values"):
        columns_of("span", np.zeros(3, dtype=np.int64), numbers={"ttft": [1.0]})


def test_an_empty_batch_has_every_column() -> None:
    empty = empty_columns("log")
    assert (len(empty), empty.signal) == (0, "log")
    assert empty.string("service").tolist() == []
    assert len(empty.take(np.zeros(0, dtype=np.bool_))) == 0
