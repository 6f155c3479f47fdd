"""Prices of models as values, and the cost of a batch of calls; reading the YAML is the edge's.

Token buckets exclude each other: cached and cache-write tokens are part of ``tokens_in`` and reasoning tokens part
of ``tokens_out``, so each token is billed once. A call of a model without a price, or without any usage to
multiply the price with, has no cost (NaN), never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns, StringColumn
from telemetry.matchers import Matchers


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars: per token of each bucket, per request, per GPU second; valid from ``effective_ns`` on.

    ``where`` matches canonical fields (model, provider, ...). Buckets without a price of their own cost as
    input (cached, cache write) or output (reasoning) tokens do.
    """

    where: Matchers
    effective_ns: int
    input_token: float = 0.0
    output_token: float = 0.0
    cached_token: float | None = None
    cache_write_token: float | None = None
    reasoning_token: float | None = None
    request: float = 0.0
    gpu_second: float = 0.0


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices: of those in effect at a record's time the latest effective wins, and of equals the first listed."""

    prices: tuple[Price, ...] = ()

    def cost(self, columns: Columns) -> NDArray[np.float64]:
        """(n,) US dollars per record; NaN where no price applies."""
        # A stable sort: of prices that took effect together the first listed comes first.
        ordered = sorted(self.prices, key=lambda price: -price.effective_ns)
        candidates = [price for price in ordered if not price.where.excludes(columns)]
        if not candidates or not len(columns):
            return np.full(len(columns), np.nan)
        return _cost(candidates, _first_applicable(candidates, columns), columns)

    @property
    def latest_effective_ns(self) -> int | None:
        """When the newest price took effect; None for an empty table."""
        return max((price.effective_ns for price in self.prices), default=None)


def _first_applicable(prices: Sequence[Price], columns: Columns) -> NDArray[np.intp]:
    """(n,) the number of the first of ``prices`` that applies to each record; -1 where none does."""
    names = {name for price in prices for name in price.where.names}
    name = next(iter(names), "")
    if len(names) == 1 and name in columns.strings and name not in columns.numbers:
        first_ns = columns.time_ns.min()
        if all(price.effective_ns <= first_ns for price in prices):
            return _first_accepting(prices, name, columns.strings[name])
    chosen = np.full(len(columns), -1, dtype=np.intp)
    for number, price in enumerate(prices):
        applies = price.where.mask(columns) & (chosen < 0) & (columns.time_ns >= price.effective_ns)
        chosen[applies] = number
    return chosen


def _first_accepting(prices: Sequence[Price], name: str, column: StringColumn) -> NDArray[np.intp]:
    """The same for prices that all are in effect and depend on the text of one field: once for each of its values."""
    numbers = [
        next((number for number, price in enumerate(prices) if price.where.accepts({name: text})), -1)
        for text in (*column.values, "")
    ]
    return np.asarray(numbers, dtype=np.intp)[column.codes]


def _cost(prices: Sequence[Price], chosen: NDArray[np.intp], columns: Columns) -> NDArray[np.float64]:
    """(n,) US dollars: what record ``i`` costs by ``prices[chosen[i]]``; NaN where that is -1."""
    n = len(columns)

    def quantity(name: str) -> NDArray[np.float64] | None:
        values = columns.numbers.get(name)
        return None if values is None else np.where(np.isnan(values), 0.0, values)

    def each(unit_prices: Sequence[float], missing: float = 0.0) -> NDArray[np.float64]:
        return np.asarray([*unit_prices, missing])[chosen]

    tokens_in, tokens_out = quantity("tokens_in"), quantity("tokens_out")
    cached, written, reasoning = (
        quantity("tokens_cached"),
        quantity("tokens_cache_write"),
        quantity("tokens_reasoning"),
    )
    parts = (
        (_less(tokens_in, cached, written), [price.input_token for price in prices]),
        (cached, [_or(price.cached_token, price.input_token) for price in prices]),
        (written, [_or(price.cache_write_token, price.input_token) for price in prices]),
        (_less(tokens_out, reasoning), [price.output_token for price in prices]),
        (reasoning, [_or(price.reasoning_token, price.output_token) for price in prices]),
        (quantity("gpu_seconds"), [price.gpu_second for price in prices]),
    )
    total = np.zeros(n)
    for amount, unit_prices in parts:
        if amount is not None and any(unit_prices):
            total += amount * each(unit_prices)
    requests = [price.request for price in prices]
    total += each(requests, np.nan)
    total[_without_usage(columns) & (each(requests) == 0)] = np.nan
    return total


def _less(whole: NDArray[np.float64] | None, *parts: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """What is left of ``whole`` without its ``parts``, at least 0."""
    if whole is None:
        return None
    for part in parts:
        if part is not None:
            whole = whole - part
    return np.maximum(whole, 0.0)


def _without_usage(columns: Columns) -> NDArray[np.bool_]:
    missing = np.ones(len(columns), dtype=np.bool_)
    for name in ("tokens_in", "tokens_out", "gpu_seconds"):
        if name in columns.numbers:
            missing &= np.isnan(columns.numbers[name])
    return missing


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
