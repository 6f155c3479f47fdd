"""Cleaning of values: each kind takes what it says and refuses the rest with a reason."""

import math
from decimal import Decimal
from enum import Enum, StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue
from tailwatch_sdk import values


class Colour(Enum):
    RED = "red"


class Kind(StrEnum):
    CODE = "code"


def encode(value: object) -> AnyValue:
    """As the exporter does it."""
    if isinstance(value, tuple):
        return AnyValue(array_value=ArrayValue(values=[encode(item) for item in value]))
    field = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
    return AnyValue(**{field: value})  # type: ignore[arg-type]  # the field and the type agree


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.just(object()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(anything)
def test_whatever_is_accepted_can_be_encoded_and_whatever_is_refused_is_a_value_error(value: object) -> None:
    for clean in (
        values.attribute,
        values.scalar,
        values.text,
        values.count,
        values.amount,
        values.finite,
        values.flag,
    ):
        try:
            cleaned: Any = clean(value)
        except ValueError:
            continue
        assert encode(cleaned).SerializeToString()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_vectors_keep_every_number(numbers: list[float]) -> None:
    assert values.vector(numbers) == values.vector(tuple(numbers)) == values.vector(np.array(numbers)) == tuple(numbers)


@pytest.mark.parametrize(
    ("clean", "given_value", "expected"),
    [
        (values.count, 0, 0),
        (values.count, 3.0, 3),
        (values.count, np.uint8(3), 3),
        (values.amount, 2, 2.0),
        (values.amount, np.float16(0.5), 0.5),
        (values.amount, Fraction(1, 2), 0.5),
        (values.amount, Decimal("0.25"), 0.25),
        (values.finite, -1.5, -1.5),
        (values.text, Colour.RED, "red"),
        (values.text, Kind.CODE, "code"),
        (values.text, 7, "7"),
        (values.text, "ü" * 40_000, "ü" * values.MAX_TEXT),
        (values.text, "a\udc80", "a?"),
        (values.flag, np.bool_(0), False),
        (values.attribute, (1, "a", True), (1, "a", True)),
        (values.attribute, np.array([[1]])[0], (1,)),
        (values.attribute, np.array(5), 5),
        (values.attribute, range(3), (0, 1, 2)),
        (values.attribute, Colour.RED, "red"),
        (values.scalar, Fraction(1, 4), 0.25),
        (values.scalar, -(2**63), -(2**63)),
    ],
)
def test_accepted(clean: Any, given_value: object, expected: object) -> None:
    cleaned = clean(given_value)
    assert cleaned == expected
    assert type(cleaned) is type(expected)


@pytest.mark.parametrize(
    ("clean", "given_value", "reason"),
    [
        (values.count, -1, "must be >= 0, got -1"),
        (values.count, 1.5, "must be a whole number, got 1.5"),
        (values.count, "12", "must be a whole number, got '12'"),
        (values.count, 2**63, "must fit in 64 bits"),
        (values.amount, -0.1, "must be >= 0, got -0.1"),
        (values.amount, math.inf, "must be finite, got inf"),
        (values.finite, "0.5", "must be a number, got '0.5'"),
        (values.finite, 10**400, "must be a number, got"),
        (values.finite, math.nan, "must be finite, got nan"),
        (values.flag, 1, "must be True or False, got 1"),
        (values.text, b"x", "must be text, got bytes"),
        (values.scalar, None, "must be str, bool, int, float or a list of these, got NoneType"),
        (values.attribute, {"a": 1}, "must be str, bool, int, float or a list of these, got dict"),
        (values.attribute, [[1]], "must be str, bool, int, float or a list of these, got list"),
        (values.attribute, [0] * 20_000, "has 20000 items, at most 16384 are sent"),
        (values.vector, [], "must have 1 to 16384 numbers, got 0"),
        (values.vector, "abc", "must be a list of numbers, got str"),
    ],
)
def test_refused_with_a_reason(clean: Any, given_value: object, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        clean(given_value)
    assert str(caught.value).startswith(reason)


def test_a_reason_never_repeats_a_long_text() -> None:
    with pytest.raises(ValueError) as caught:
        values.count("a prompt that is long enough to be private, and then some")
    assert str(caught.value) == "must be a whole number, got str"
