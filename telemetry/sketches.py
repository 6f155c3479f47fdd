"""DDSketch: quantiles within 1 % relative error, merged exactly; it keeps no samples and gives no intervals.

Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019. gamma = (1 + a) / (1 - a); a positive value x has key ceil(log_gamma x) and is read back as
2 gamma^key / (1 + gamma), which is within a of x. Negatives are mirrored, zeros counted apart. Beyond
``MAX_BINS`` bins of one sign those nearest zero collapse into one, so the guarantee then holds for the
larger magnitudes only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.errors import TailwatchError

ALPHA: Final = 0.01
GAMMA: Final = (1 + ALPHA) / (1 - ALPHA)
LOG_GAMMA: Final = math.log(GAMMA)
MAX_BINS: Final = 2048
MIN_MAGNITUDE: Final = 1e-12
"""Smaller magnitudes count as zero: a picosecond, a trillionth of a dollar."""

NO_KEYS: Final = np.zeros(0, dtype=np.int32)
NO_COUNTS: Final = np.zeros(0, dtype=np.int64)


def keys_of(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Bin keys of positive ``values``, same shape."""
    exponents = np.log(values)
    exponents /= LOG_GAMMA
    return np.ceil(exponents, out=exponents).astype(np.int32)


def value_of(key: NDArray[np.int32] | int) -> NDArray[np.float64]:
    """The value that a bin stands for: within ``ALPHA`` of everything in it."""
    return np.asarray(2.0 * np.exp(np.asarray(key, dtype=np.float64) * LOG_GAMMA) / (1.0 + GAMMA))


def bin_upper(key: NDArray[np.int32] | int) -> NDArray[np.float64]:
    """The inclusive upper edge gamma^key of a bin; its lower edge, exclusive, is gamma^(key-1)."""
    return np.asarray(np.exp(np.asarray(key, dtype=np.float64) * LOG_GAMMA))


@dataclass(slots=True, eq=False)
class DDSketch:
    """A sketch: sorted bin ``keys`` with ``counts``, for positive and for mirrored negative values.

    Nobody changes one. It is not frozen, since that would make it four times as dear to make, and every batch that
    comes in makes hundreds.

    Attributes:
        keys, counts: (k,) int32 and int64, positive values, keys ascending.
        negative_keys, negative_counts: the same for magnitudes of negative values.
        zero_count: values of magnitude below ``MIN_MAGNITUDE``.
        total: sum of all values, exact up to float addition.
        low, high: smallest and largest value seen (inf, -inf when empty).
    """

    keys: NDArray[np.int32] = field(default_factory=lambda: NO_KEYS)
    counts: NDArray[np.int64] = field(default_factory=lambda: NO_COUNTS)
    negative_keys: NDArray[np.int32] = field(default_factory=lambda: NO_KEYS)
    negative_counts: NDArray[np.int64] = field(default_factory=lambda: NO_COUNTS)
    zero_count: int = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, values: NDArray[np.float64] | Sequence[float]) -> DDSketch:
        """Sketch of finite ``values``; NaN and infinities are left out."""
        finite = np.asarray(values, dtype=np.float64)
        if not len(finite):
            return cls()
        low, high = float(finite.min()), float(finite.max())
        if not math.isfinite(high - low):
            finite = finite[np.isfinite(finite)]
            if not len(finite):
                return cls()
            low, high = float(finite.min()), float(finite.max())
        if low >= MIN_MAGNITUDE:
            keys, counts = _bins(keys_of(finite))
            return cls(keys, counts, total=float(finite.sum()), low=low, high=high)
        positive = finite[finite >= MIN_MAGNITUDE]
        negative = -finite[finite <= -MIN_MAGNITUDE]
        keys, counts = _bins(keys_of(positive))
        negative_keys, negative_counts = _bins(keys_of(negative))
        return cls(
            keys, counts, negative_keys, negative_counts,
            zero_count=len(finite) - len(positive) - len(negative),
            total=float(finite.sum()), low=low, high=high,
        )  # fmt: skip

    @property
    def count(self) -> int:
        """How many values."""
        return int(self.counts.sum()) + int(self.negative_counts.sum()) + self.zero_count

    def histogram(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Representative values, ascending, and their counts."""
        values = [-value_of(self.negative_keys[::-1]), value_of(self.keys)]
        counts = [self.negative_counts[::-1], self.counts]
        if self.zero_count:
            values.insert(1, np.zeros(1))
            counts.insert(1, np.asarray([self.zero_count], dtype=np.int64))
        return np.concatenate(values), np.concatenate(counts)

    def quantile(self, q: float) -> float:
        """Value at rank floor(q (n - 1)), within 1 %; NaN when empty.

        Raises:
            TailwatchError: ``q`` is outside 0..1.
        """
        return self.quantiles((q,))[0]

    def quantiles(self, qs: Sequence[float]) -> list[float]:
        """Values at several ranks, see :meth:`quantile`."""
        if any(not 0 <= q <= 1 for q in qs):
            raise TailwatchError(f"quantiles {list(qs)} are not within 0..1", remedy="write 0.99 for the p99")
        values, counts = self.histogram()
        if not len(values):
            return [math.nan for _ in qs]
        ranks = np.floor(np.asarray(qs) * (counts.sum() - 1))
        found = values[np.searchsorted(np.cumsum(counts), ranks, side="right")]
        return [float(value) for value in np.clip(found, self.low, self.high)]

    def count_at_most(self, threshold: float) -> int:
        """How many values are at most ``threshold``, exact up to the bin that holds it."""
        values, counts = self.histogram()
        return int(counts[values <= threshold].sum())


def merge(sketches: Iterable[DDSketch]) -> DDSketch:
    """One sketch equal to the sketch of all values together."""
    parts = list(sketches)
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return DDSketch()
    keys, counts = _merge_bins([part.keys for part in parts], [part.counts for part in parts])
    negative = _merge_bins([part.negative_keys for part in parts], [part.negative_counts for part in parts])
    return DDSketch(
        keys, counts, *negative,
        zero_count=sum(part.zero_count for part in parts),
        total=math.fsum(part.total for part in parts),
        low=min(part.low for part in parts),
        high=max(part.high for part in parts),
    )  # fmt: skip


def _bins(keys: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    if not len(keys):
        return NO_KEYS, NO_COUNTS
    lowest = int(keys.min())
    counts = np.bincount(keys - lowest)
    present = np.flatnonzero(counts)
    return collapse((present + lowest).astype(np.int32), counts[present].astype(np.int64))


def _merge_bins(
    keys: list[NDArray[np.int32]], counts: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    all_keys = np.concatenate(keys)
    if not len(all_keys):
        return NO_KEYS, NO_COUNTS
    merged, place = np.unique(all_keys, return_inverse=True)
    summed = np.zeros(len(merged), dtype=np.int64)
    np.add.at(summed, place, np.concatenate(counts))
    return collapse(merged, summed)


def collapse(keys: NDArray[np.int32], counts: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """At most ``MAX_BINS`` bins: those of the smallest magnitudes become one."""
    if len(keys) <= MAX_BINS:
        return keys, counts
    cut = len(keys) - MAX_BINS
    kept = counts[cut:].copy()
    kept[0] += counts[:cut].sum()
    return keys[cut:], kept
