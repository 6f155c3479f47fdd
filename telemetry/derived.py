"""Numeric fields that follow from others and are not stored: one definition for intake and for stored rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def tokens_total(tokens_in: NDArray[np.float64], tokens_out: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) tokens in and out together; one that is missing counts 0, NaN when both are missing."""
    total = tokens_in + tokens_out
    partial = np.isnan(total).nonzero()[0]
    if len(partial):
        total[partial] = np.where(np.isnan(tokens_in[partial]), tokens_out[partial], tokens_in[partial])
    return total


def cost_per_1k_tokens(cost: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) US dollars per 1000 tokens; NaN without a cost or without tokens."""
    per_token = np.full(len(cost), np.nan)
    np.divide(cost, total, out=per_token, where=total > 0)
    return per_token * 1000


def embedding_norm(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) Euclidean length of each row of (n, d); NaN for a row of NaN."""
    return np.asarray(np.linalg.norm(embeddings.astype(np.float64), axis=1))


def derived_numbers(
    numbers: Mapping[str, NDArray[np.float64]], embeddings: NDArray[np.float32] | None
) -> dict[str, NDArray[np.float64]]:
    """The derived fields that ``numbers`` and ``embeddings`` allow, by canonical name."""
    derived: dict[str, NDArray[np.float64]] = {}
    if "tokens_in" in numbers or "tokens_out" in numbers:
        known = [numbers[name] for name in ("tokens_in", "tokens_out") if name in numbers]
        derived["tokens_total"] = known[0] if len(known) == 1 else tokens_total(*known)
        if "cost" in numbers:
            derived["cost_per_1k_tokens"] = cost_per_1k_tokens(numbers["cost"], derived["tokens_total"])
    if "confidence" in numbers:
        # A sketch of it tells 0.99 from 0.999, which one of the confidence itself, within 1 %, does not.
        derived["doubt"] = 1.0 - numbers["confidence"]
    if embeddings is not None:
        derived["embedding_norm"] = embedding_norm(embeddings)
    return derived
