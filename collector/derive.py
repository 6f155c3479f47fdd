"""What a canonical record says without carrying it: duration, time per token, cost, embedding norm, fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.decode import RawColumns
from collector.normalise import as_text, has_numbers
from telemetry.columns import Columns, StringColumn, first_present
from telemetry.derived import derived_numbers
from telemetry.prices import PriceTable
from telemetry.schema import PROMPT_SOURCES
from telemetry.windows import NANOS

_FINGERPRINT_BYTES: Final = 8


def derive(columns: Columns, raw: RawColumns, prices: PriceTable, fingerprint_key: bytes | None) -> Columns:
    """``columns`` with the derived fields of ``telemetry.schema`` filled in.

    Cost is the price table's, else the one that the sender states. Logs get neither duration nor cost of
    their own: the span of the same request has them.
    """
    numbers = dict(columns.numbers)
    strings = dict(columns.strings)
    if columns.signal == "span":
        numbers["duration"] = (columns.time_ns - columns.start_ns) / NANOS
        _put(numbers, "tpot", _time_per_output_token(numbers))
        if prices.prices:
            computed = prices.cost(replace(columns, numbers=numbers))
            stated = numbers.get("cost")
            _put(numbers, "cost", computed if stated is None else np.where(np.isnan(computed), stated, computed))
    for name, values in derived_numbers(numbers, columns.embeddings).items():
        _put(numbers, name, values)
    fingerprints = _fingerprints(raw, fingerprint_key)
    if fingerprints is not None:
        strings["prompt_hash"] = first_present([columns.string("prompt_hash"), fingerprints])
    return replace(columns, numbers=numbers, strings=strings)


def _put(into: dict[str, NDArray[np.float64]], name: str, values: NDArray[np.float64] | None) -> None:
    if values is not None and has_numbers(values):
        into[name] = values


def _time_per_output_token(numbers: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """(duration - ttft) / (tokens_out - 1); missing for a single token, and where the parts exceed the whole."""
    if "ttft" not in numbers or "tokens_out" not in numbers:
        return None
    rest = numbers["duration"] - numbers["ttft"]
    tokens = numbers["tokens_out"] - 1
    result = np.full(len(rest), np.nan)
    np.divide(rest, tokens, out=result, where=(rest >= 0) & (tokens > 0))
    return result


def _fingerprints(raw: RawColumns, key: bytes | None) -> StringColumn | None:
    """A keyed hash of each prompt, 16 hex digits: equal prompts are seen to be equal and cannot be guessed."""
    found = [as_text(raw.attributes[name]) for name in PROMPT_SOURCES if name in raw.attributes]
    if key is None or not found:
        return None
    secret = key[: hashlib.blake2b.MAX_KEY_SIZE]
    return first_present(found).map(
        lambda prompt: hashlib.blake2b(prompt.encode(), key=secret, digest_size=_FINGERPRINT_BYTES).hexdigest()
    )
