from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.columns import columns_of
from telemetry.errors import MatcherError
from telemetry.matchers import Matcher, Matchers, parse_matcher, parse_matchers

TEXTS = st.text(max_size=12)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,10}", fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(name=NAMES, op=st.sampled_from(["=", "!="]), value=TEXTS)
def test_a_printed_matcher_reads_back(name: str, op: str, value: str) -> None:
    matcher = Matcher(name, op, value)
    assert parse_matcher(str(matcher)) == matcher


@settings(max_examples=100, deadline=None)
@given(name=NAMES, op=st.sampled_from(["=~", "!~"]), value=TEXTS)
def test_a_printed_regular_expression_reads_back(name: str, op: str, value: str) -> None:
    matcher = Matcher(name, op, re.escape(value))
    assert parse_matcher(str(matcher)) == matcher
    assert matcher.accepts(value) == (op == "=~")


@settings(max_examples=100, deadline=None)
@given(name=NAMES, op=st.sampled_from(["<", "<=", ">", ">="]), value=st.floats(allow_nan=False))
def test_a_printed_comparison_reads_back(name: str, op: str, value: float) -> None:
    matcher = Matcher(name, op, repr(value))
    assert parse_matcher(str(matcher)) == matcher


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a="b"', Matcher("a", "=", "b")),
        (" a = b ", Matcher("a", "=", "b")),
        ("a=b c", Matcher("a", "=", "b c")),
        ('a!="x\\"y\\\\z\\nw"', Matcher("a", "!=", 'x"y\\z\nw')),
        ('a=~"b|c"', Matcher("a", "=~", "b|c")),
        (r'a=~"\d+"', Matcher("a", "=~", r"\d+")),
        ("a<=8000", Matcher("a", "<=", "8000")),
        ("gen_ai.request.model=m", Matcher("gen_ai.request.model", "=", "m")),
        ('a=""', Matcher("a", "=", "")),
        ("a=", Matcher("a", "=", "")),
        ('a="=~"', Matcher("a", "=", "=~")),
    ],
)
def test_the_spellings(text: str, expected: Matcher) -> None:
    assert parse_matcher(text) == expected


@pytest.mark.parametrize("text", ["", "a", "=b", '1a="b"', 'a="b', 'a=b"', 'a="b"c"', 'a=~"("', "a<", 'a<"x"', "a>nan"])
def test_what_is_no_matcher_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matcher(text)
    assert caught.value.remedy


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet='ab=~!<>"\\ 1.(', max_size=10))
def test_any_text_is_a_matcher_or_refused(text: str) -> None:
    try:
        matcher = parse_matcher(text)
    except MatcherError:
        return
    assert parse_matcher(str(matcher)) == matcher


COLUMN = [None, "", "prod", "prod2", "xprod", "dev", "8", "1e3", "a\nb"]


@settings(max_examples=200, deadline=None)
@given(
    matchers=st.lists(
        st.builds(
            Matcher,
            st.sampled_from(["service", "absent"]),
            st.sampled_from(["=", "!=", "=~", "!~"]),
            st.sampled_from(["", "prod", "prod.*", ".*", "dev|8"]),
        ),
        max_size=3,
    ),
    rows=st.lists(st.sampled_from(COLUMN), max_size=8),
)
def test_columns_and_label_sets_agree(matchers: list[Matcher], rows: list[str | None]) -> None:
    columns = columns_of("span", np.zeros(len(rows), dtype=np.int64), strings={"service": rows})
    chosen = Matchers(tuple(matchers))
    labels = [{"service": row} if row is not None else {} for row in rows]
    assert chosen.mask(columns).tolist() == [chosen.accepts(label) for label in labels]


@settings(max_examples=200, deadline=None)
@given(
    op=st.sampled_from(["<", "<=", ">", ">=", "=", "!="]),
    bound=st.sampled_from(["0", "5", "5.5", "-1"]),
    rows=st.lists(st.sampled_from([0.0, 5.0, 5.5, -1.0, 7.25, math.nan]), max_size=8),
    name=st.sampled_from(["tokens_in", "feature.x"]),
)
def test_numbers_compare_as_numbers_and_a_missing_one_never_does(
    op: str, bound: str, rows: list[float], name: str
) -> None:
    columns = columns_of("span", np.zeros(len(rows), dtype=np.int64), numbers={name: rows})
    matcher = Matcher(name, op, bound)
    expected = {
        "<": [row < float(bound) for row in rows],
        "<=": [row <= float(bound) for row in rows],
        ">": [row > float(bound) for row in rows],
        ">=": [row >= float(bound) for row in rows],
        "=": [row == float(bound) for row in rows],
        "!=": [row != float(bound) for row in rows],
    }[op]
    assert matcher.mask(columns).tolist() == expected


def test_a_missing_numeric_field_satisfies_no_comparison_and_equals_nothing() -> None:
    columns = columns_of("span", np.zeros(2, dtype=np.int64))
    for text in ("tokens_in<5", "tokens_in>=5", 'tokens_in="5"'):
        assert not parse_matcher(text).mask(columns).any()
    assert parse_matcher('tokens_in=""').mask(columns).all()


def test_large_numbers_are_told_apart() -> None:
    columns = columns_of("span", np.zeros(2, dtype=np.int64), numbers={"tokens_in": [1_234_567, 1_234_568]})
    assert parse_matcher("tokens_in=1234567").mask(columns).tolist() == [True, False]


def test_numbers_in_text_attributes_compare_too() -> None:
    columns = columns_of("span", np.zeros(3, dtype=np.int64), strings={"custom": ["10", "x", None]})
    assert parse_matcher("custom>=5").mask(columns).tolist() == [True, False, False]


def test_an_attribute_with_texts_and_numbers_is_matched_in_both() -> None:
    columns = columns_of(
        "span",
        np.zeros(3, dtype=np.int64),
        strings={"custom": ["10", None, None]},
        numbers={"custom": [math.nan, 10.0, math.nan]},
    )
    assert parse_matcher("custom>=5").mask(columns).tolist() == [True, True, False]
    assert parse_matcher("custom=10").mask(columns).tolist() == [True, True, False]
    assert parse_matcher('custom=""').mask(columns).tolist() == [False, False, True]


def test_regular_expressions_are_anchored() -> None:
    assert parse_matchers(['a=~"b"']).accepts({"a": "b"})
    assert not parse_matchers(['a=~"b"']).accepts({"a": "abc"})


def test_the_names_a_set_speaks_of() -> None:
    assert parse_matchers(["a=1", "b!=2", "a>0"]).names == {"a", "b"}
    assert str(parse_matchers(["a=1", "b>2"])) == '{a="1", b>2}'
