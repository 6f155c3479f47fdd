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

from telemetry.columns import Columns
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
        result = np.full(len(columns), np.nan)
        best = np.full(len(columns), np.iinfo(np.int64).min, dtype=np.int64)
        for price in self.prices:
            applies = price.where.mask(columns) & (columns.time_ns >= price.effective_ns) & (best < price.effective_ns)
            if applies.any():
                result[applies] = _cost(price, columns.take(applies))
                best[applies] = price.effective_ns
        return result

    @property
    def latest_effective_ns(self) -> int | None:
        """When the newest price took effect; None for an empty table."""
        return max((price.effective_ns for price in self.prices), default=None)


def _cost(price: Price, columns: Columns) -> NDArray[np.float64]:
    def tokens(name: str) -> NDArray[np.float64]:
        return np.nan_to_num(columns.number(name), nan=0.0)

    cached, written, reasoning = (
        tokens("tokens_cached"),
        tokens("tokens_cache_write"),
        tokens("tokens_reasoning"),
    )
    plain_in = np.maximum(tokens("tokens_in") - cached - written, 0.0)
    plain_out = np.maximum(tokens("tokens_out") - reasoning, 0.0)
    parts: Sequence[NDArray[np.float64]] = (
        plain_in * price.input_token,
        cached * _or(price.cached_token, price.input_token),
        written * _or(price.cache_write_token, price.input_token),
        plain_out * price.output_token,
        reasoning * _or(price.reasoning_token, price.output_token),
        tokens("gpu_seconds") * price.gpu_second,
    )
    total: NDArray[np.float64] = np.sum(parts, axis=0) + price.request
    if price.request == 0:
        usage = [columns.number(name) for name in ("tokens_in", "tokens_out", "gpu_seconds")]
        total[np.isnan(usage).all(axis=0)] = np.nan
    return total


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
