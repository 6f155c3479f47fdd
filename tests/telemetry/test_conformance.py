"""Records against a schema: the vectorised predicate says what a reader of single records would say."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.columns import Columns, Signal, columns_of
from telemetry.conformance import VALUE_TYPES, Conforms, FieldCheck
from telemetry.schema import is_log_home

FIELDS = ("tokens_out", "finish_reason", "feature.age", "feature.code")
Value = float | str | None
VALUES = st.sampled_from([None, None, 0.0, 1.0, 2.5, -3.0, 130.0, "stop", "8", "true", "AB", "a longer text"])
RECORDS = st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS, VALUES)), min_size=1, max_size=12)
CHECKS = st.builds(
    FieldCheck,
    st.sampled_from(FIELDS),
    st.sampled_from([None, None, *VALUE_TYPES]),
    st.sampled_from([None, None, 0.0, 2.0]),
    st.sampled_from([None, None, 2.5, 130.0]),
    st.sampled_from([None, None, ("stop", "8"), ("1", "AB")]),
    st.sampled_from([None, None, "[A-Z]{2}", r"\d+"]),
    st.sampled_from([None, None, 2, 5]),
)
SCHEMAS = st.builds(
    Conforms,
    st.lists(st.sampled_from(FIELDS), max_size=3, unique=True).map(tuple),
    st.lists(CHECKS, max_size=3).map(tuple),
)


def columns(signal: Signal, records: list[dict[str, Value]]) -> Columns:
    return columns_of(
        signal,
        np.zeros(len(records), dtype=np.int64),
        strings={name: [v if isinstance(v := record[name], str) else None for record in records] for name in FIELDS},
        numbers={
            name: [v if isinstance(v := record[name], float) else math.nan for record in records] for name in FIELDS
        },
    )


def is_right(value: float | str, check: FieldCheck) -> bool:
    """One value against its check, as one would write it down from the documentation."""
    number = value if isinstance(value, float) else None
    text = value if isinstance(value, str) else str(int(value)) if value.is_integer() else repr(value)
    if check.type == "number" and number is None:
        return False
    if check.type == "integer" and (number is None or not number.is_integer()):
        return False
    if check.type == "text" and number is not None:
        return False
    if check.type == "boolean" and value not in ("true", "false"):
        return False
    if check.low is not None and (number is None or number < check.low):
        return False
    if check.high is not None and (number is None or number > check.high):
        return False
    if check.allowed is not None and text not in check.allowed:
        return False
    if check.pattern is not None and not re.fullmatch(check.pattern, text):
        return False
    return check.max_length is None or len(text) <= check.max_length


def verdict(signal: Signal, record: dict[str, Value], schema: Conforms) -> bool | None:
    """Whether one record conforms; None when it is no event."""
    names = {*schema.required, *(check.field for check in schema.checks)}
    own = {name for name in names if signal == "span" and not is_log_home(name)}
    if signal == "log" or any(record[name] is not None for name in names if is_log_home(name)):
        own |= {name for name in names if is_log_home(name)}
    if signal == "span" and not own:
        return None
    if any(record[name] is None for name in schema.required if name in own):
        return False
    return all(
        is_right(value, check)
        for check in schema.checks
        if check.field in own and (value := record[check.field]) is not None
    )


@given(RECORDS, SCHEMAS, st.sampled_from(["span", "log"]))
@settings(max_examples=400, deadline=None)
def test_it_says_what_a_reader_of_single_records_says(
    records: list[dict[str, Value]], schema: Conforms, signal: Signal
) -> None:
    valid, good = schema.masks(columns(signal, records))
    expected = [verdict(signal, record, schema) for record in records]
    assert valid.tolist() == [said is not None for said in expected]
    assert (valid & good).tolist() == [said is True for said in expected]


@pytest.mark.parametrize(
    ("value", "check", "right"),
    [
        (130.0, FieldCheck("feature.age", "number", 0, 130), True),
        (130.5, FieldCheck("feature.age", "number", 0, 130), False),
        ("34", FieldCheck("feature.age", "number"), False),
        ("34", FieldCheck("feature.age", low=0), False),
        (34.0, FieldCheck("feature.age", allowed=("34",)), True),
        ("ABC", FieldCheck("feature.age", pattern="[A-Z]{2}"), False),
        ("xx", FieldCheck("feature.age", max_length=1), False),
        (None, FieldCheck("feature.age", "number", 0, 130), True),
    ],
)
def test_bounds_are_allowed_and_absence_is_no_failure(value: Value, check: FieldCheck, right: bool) -> None:
    record: dict[str, Value] = dict.fromkeys(FIELDS)
    record["feature.age"] = value
    _, good = Conforms((), (check,)).masks(columns("log", [record]))
    assert good.tolist() == [right]


def test_it_names_what_it_reads() -> None:
    assert Conforms(("a",), (FieldCheck("b"),)).names == {"a", "b"}
