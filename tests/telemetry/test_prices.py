from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.columns import Columns, columns_of
from telemetry.derived import cost_per_1k_tokens, derived_numbers, embedding_norm, tokens_total
from telemetry.matchers import parse_matchers
from telemetry.prices import Price, PriceTable

ANY = parse_matchers([])
TOKENS = st.integers(0, 5000)


def calls(time_ns: int = 100, **numbers: float) -> Columns:
    return columns_of(
        "span", np.asarray([time_ns]), strings={"model": ["m"]}, numbers={name: [v] for name, v in numbers.items()}
    )


@settings(max_examples=100, deadline=None)
@given(total=TOKENS, cached=TOKENS, written=TOKENS, out=TOKENS, reasoning=TOKENS)
def test_each_token_is_billed_once(total: int, cached: int, written: int, out: int, reasoning: int) -> None:
    """With one price for all buckets, only the number of tokens counts."""
    cached, written = min(cached, total), min(written, max(total - cached, 0))
    reasoning = min(reasoning, out)
    columns = calls(
        tokens_in=total, tokens_cached=cached, tokens_cache_write=written, tokens_out=out, tokens_reasoning=reasoning
    )
    (cost,) = PriceTable((Price(ANY, 0, input_token=2.0, output_token=2.0),)).cost(columns)
    assert cost == 2.0 * (total + out)


def test_each_bucket_has_its_price() -> None:
    price = Price(
        ANY, 0, input_token=1, output_token=10, cached_token=100, cache_write_token=1000, reasoning_token=10_000,
        request=0.5, gpu_second=0.25,
    )  # fmt: skip
    columns = calls(tokens_in=9, tokens_cached=3, tokens_cache_write=2, tokens_out=5, tokens_reasoning=4, gpu_seconds=2)
    assert PriceTable((price,)).cost(columns).tolist() == [4 + 300 + 2000 + 10 + 40_000 + 0.5 + 0.5]


def test_the_latest_price_in_effect_wins_then_the_first() -> None:
    table = PriceTable((
        Price(ANY, 0, input_token=1),
        Price(ANY, 50, input_token=2),
        Price(ANY, 50, input_token=3),
        Price(ANY, 150, input_token=4),
    ))  # fmt: skip
    assert [table.cost(calls(at, tokens_in=1)).tolist()[0] for at in (49, 50, 149, 150)] == [1, 2, 2, 4]
    assert table.latest_effective_ns == 150
    assert PriceTable().latest_effective_ns is None


def test_what_has_no_price_or_no_usage_has_no_cost() -> None:
    other = PriceTable((Price(parse_matchers(['model="other"']), 0, input_token=1),))
    assert math.isnan(other.cost(calls(tokens_in=5))[0])
    assert math.isnan(PriceTable().cost(calls(tokens_in=5))[0])
    assert math.isnan(PriceTable((Price(ANY, 101, input_token=1),)).cost(calls(100, tokens_in=5))[0])
    assert math.isnan(PriceTable((Price(ANY, 0, input_token=1),)).cost(calls())[0])
    assert PriceTable((Price(ANY, 0, request=0.5),)).cost(calls()).tolist() == [0.5]
    assert PriceTable((Price(ANY, 0, input_token=1),)).cost(calls(tokens_in=0)).tolist() == [0.0]


def test_derived_numbers() -> None:
    nan = math.nan
    total = tokens_total(np.asarray([1, nan, nan, 3]), np.asarray([2, 5, nan, nan]))
    np.testing.assert_array_equal(total, [3, 5, nan, 3])
    per_1k = cost_per_1k_tokens(np.asarray([0.3, 1, nan, 1]), np.asarray([3.0, 0, 5, nan]))
    np.testing.assert_allclose(per_1k, [100, nan, nan, nan])
    np.testing.assert_allclose(embedding_norm(np.asarray([[3, 4], [nan, nan]], dtype=np.float32)), [5, nan])
    assert derived_numbers({}, None) == {}
    assert set(derived_numbers({"tokens_in": np.ones(1), "cost": np.ones(1)}, np.ones((1, 2), np.float32))) == {
        "tokens_total", "cost_per_1k_tokens", "embedding_norm",
    }  # fmt: skip


WHERE = st.sampled_from([["model=a"], ["model=~a|b"], ["model!=a"], [], ["model=b", "tenant=t"], ["tokens_in>5"]])
PRICES = st.lists(
    st.builds(
        lambda where, effective_ns, unit, request: Price(
            parse_matchers(where), effective_ns, input_token=unit, request=request
        ),
        WHERE,
        st.sampled_from([0, 50, 50, 200]),
        st.sampled_from([1.0, 2.0, 3.0]),
        st.sampled_from([0.0, 10.0]),
    ),
    max_size=4,
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "model": st.sampled_from([None, "a", "b"]),
            "tenant": st.sampled_from([None, "t"]),
            "tokens_in": st.sampled_from([math.nan, 4.0, 9.0]),
            "time_ns": st.sampled_from([10, 60, 300]),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(prices=PRICES, records=CALLS, at=st.sampled_from([None, 60, 300]))
def test_costs_equal_those_of_a_loop_over_the_calls(
    prices: list[Price], records: list[dict[str, Any]], at: int | None
) -> None:
    times = [record["time_ns"] if at is None else at for record in records]
    columns = columns_of(
        "span",
        np.asarray(times),
        strings={name: [record[name] for record in records] for name in ("model", "tenant")},
        numbers={"tokens_in": [record["tokens_in"] for record in records]},
    )
    expected = []
    for record, time_ns in zip(records, times, strict=True):
        tokens = record["tokens_in"]
        labels = {
            **{name: record[name] or "" for name in ("model", "tenant")},
            "tokens_in": "" if math.isnan(tokens) else str(tokens),
        }
        fitting = [price for price in prices if price.effective_ns <= time_ns and price.where.accepts(labels)]
        price = max(fitting, key=lambda one: one.effective_ns, default=None)  # the first of equals
        if price is None or (math.isnan(tokens) and not price.request):
            expected.append(math.nan)
        else:
            expected.append((0.0 if math.isnan(tokens) else tokens) * price.input_token + price.request)
    np.testing.assert_array_equal(PriceTable(tuple(prices)).cost(columns), expected)
