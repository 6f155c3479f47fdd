"""Histograms as senders made them, with fixed bounds or exponential buckets: added and subtracted exactly, no samples.

Sources: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram for the exponential
buckets: at scale s bucket i holds the values in (base^i, base^(i+1)] with base = 2^(2^-s), and two buckets of scale
s are one of scale s - 1. Quantiles of fixed bounds are interpolated linearly within a bucket, as PromQL's
``histogram_quantile`` does: the error is at most the width of the bucket that holds the rank.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from telemetry.errors import TailwatchError

MAX_BUCKETS: Final = 320
"""Buckets of one sign: twice what SDKs send, so that two moments of one instrument still merge at its own scale."""

MIN_SCALE: Final = -10
"""Here one bucket holds every number above 1: nothing coarser can be needed."""

Count = int | float
"""Whole, except where an increase was spread over several steps."""


@dataclass(frozen=True, slots=True, order=True)
class Histogram:
    """Counts between fixed bounds.

    Attributes:
        bounds: (b,) inclusive upper edges, ascending; the last bucket has none.
        counts: (b + 1,).
        total: sum of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[Count, ...]
    total: float = 0.0

    @property
    def count(self) -> Count:
        """How many values."""
        return sum(self.counts)

    def plus(self, other: Histogram) -> Histogram:
        """Both together; where bounds differ, by the bounds that both have, since only those are known of both."""
        bounds = self.bounds
        if other.bounds != bounds:
            bounds = tuple(sorted(set(bounds) & set(other.bounds)))
        counts = zip(self.coarsened(bounds).counts, other.coarsened(bounds).counts, strict=True)
        return Histogram(bounds, tuple(mine + theirs for mine, theirs in counts), self.total + other.total)

    def since(self, earlier: Histogram) -> Histogram:
        """What was added since ``earlier``; everything when it is no part of this, which a reset explains."""
        if earlier.bounds != self.bounds:
            return self
        counts = tuple(now - then for now, then in zip(self.counts, earlier.counts, strict=True))
        rest = Histogram(self.bounds, counts, self.total - earlier.total)
        return self if any(count < 0 for count in counts) else rest

    def scaled(self, fraction: float) -> Histogram:
        """This share of every bucket."""
        return Histogram(self.bounds, tuple(count * fraction for count in self.counts), self.total * fraction)

    def coarsened(self, bounds: tuple[float, ...]) -> Histogram:
        """The same values by fewer bounds, each of them one of its own."""
        if bounds == self.bounds:
            return self
        kept = set(bounds)
        counts: list[Count] = [0]
        for index, count in enumerate(self.counts):
            counts[-1] += count
            if index < len(self.bounds) and self.bounds[index] in kept:
                counts.append(0)
        return Histogram(bounds, tuple(counts), self.total)

    def quantile(self, q: float) -> float:
        """Value at rank ``q``: at least the lowest, at most the highest bound; NaN without values or bounds."""
        edges = (min(0.0, self.bounds[0]), *self.bounds) if self.bounds else ()
        highest = edges[-1] if edges else math.nan
        return _interpolated(q, [*pairwise(edges), (highest, highest)], self.counts)


@dataclass(frozen=True, slots=True, order=True)
class Buckets:
    """Counts of neighbouring exponential buckets, from index ``offset`` on; neither end is empty."""

    offset: int = 0
    counts: tuple[Count, ...] = ()

    @classmethod
    def of(cls, offset: int, counts: Sequence[Count]) -> Buckets:
        """Without the empty buckets at either end."""
        first = next((index for index, count in enumerate(counts) if count), len(counts))
        last = next((index for index in range(len(counts), first, -1) if counts[index - 1]), first)
        return cls(offset + first, tuple(counts[first:last])) if last > first else cls()

    @property
    def end(self) -> int:
        """The index after the last."""
        return self.offset + len(self.counts)

    def coarsened(self, steps: int) -> Buckets:
        """The same values ``steps`` scales down."""
        if not steps or not self.counts:
            return self
        offset = self.offset >> steps
        counts: list[Count] = [0] * (((self.end - 1) >> steps) - offset + 1)
        for index, count in enumerate(self.counts, self.offset):
            counts[(index >> steps) - offset] += count
        return Buckets(offset, tuple(counts))

    def combined(self, other: Buckets, sign: int) -> Buckets:
        """Both, the other's counts times ``sign``; of one scale."""
        if not other.counts:
            return self
        offset = min(self.offset, other.offset) if self.counts else other.offset
        counts: list[Count] = [0] * (max(self.end, other.end) - offset)
        for index, count in enumerate(self.counts, self.offset - offset):
            counts[index] += count
        for index, count in enumerate(other.counts, other.offset - offset):
            counts[index] += sign * count
        return Buckets.of(offset, counts)


@dataclass(frozen=True, slots=True, order=True)
class ExponentialHistogram:
    """Counts in exponential buckets, of at most ``MAX_BUCKETS`` a sign once :meth:`bounded`.

    Attributes:
        scale: the resolution; a value is known within a factor of 2^(2^-scale).
        zero_count: values of a magnitude of at most ``zero_threshold``.
        positive, negative: values by magnitude.
        total: sum of all values.
    """

    scale: int = 20
    zero_count: Count = 0
    zero_threshold: float = 0.0
    positive: Buckets = Buckets()
    negative: Buckets = Buckets()
    total: float = 0.0

    @property
    def count(self) -> Count:
        """How many values."""
        return sum(self.positive.counts) + sum(self.negative.counts) + self.zero_count

    def bounded(self) -> ExponentialHistogram:
        """The same at the highest scale that needs no more than ``MAX_BUCKETS`` buckets a sign."""
        return self.at_scale(_fitting(self.scale, (self.positive,), (self.negative,)))

    def at_scale(self, scale: int) -> ExponentialHistogram:
        """The same at ``scale``, which is at most its own."""
        steps = self.scale - scale
        if not steps:
            return self
        positive, negative = self.positive.coarsened(steps), self.negative.coarsened(steps)
        return ExponentialHistogram(scale, self.zero_count, self.zero_threshold, positive, negative, self.total)

    def plus(self, other: ExponentialHistogram) -> ExponentialHistogram:
        """Both together, at the highest scale that both know and that keeps the bound."""
        return self._combined(other, 1)

    def since(self, earlier: ExponentialHistogram) -> ExponentialHistogram:
        """What was added since ``earlier``; everything when it is no part of this, which a reset explains."""
        rest = self._combined(earlier, -1)
        counts = (*rest.positive.counts, *rest.negative.counts, rest.zero_count)
        return self if any(count < 0 for count in counts) else rest

    def scaled(self, fraction: float) -> ExponentialHistogram:
        """This share of every bucket."""
        positive, negative = (
            Buckets.of(side.offset, [count * fraction for count in side.counts])
            for side in (self.positive, self.negative)
        )
        return ExponentialHistogram(
            self.scale, self.zero_count * fraction, self.zero_threshold, positive, negative, self.total * fraction
        )

    def quantile(self, q: float) -> float:
        """Value at rank ``q``, within the bucket that holds it; NaN without values."""
        negative = [(-high, -low) for low, high in self._edges(self.negative)][::-1]
        edges = [*negative, (0.0, 0.0), *self._edges(self.positive)]
        return _interpolated(q, edges, [*self.negative.counts[::-1], self.zero_count, *self.positive.counts])

    def _edges(self, side: Buckets) -> list[tuple[float, float]]:
        return list(pairwise(edge(self.scale, index) for index in range(side.offset, side.end + 1)))

    def _combined(self, other: ExponentialHistogram, sign: int) -> ExponentialHistogram:
        common = min(self.scale, other.scale)
        mine, theirs = self.at_scale(common), other.at_scale(common)
        scale = _fitting(common, (mine.positive, theirs.positive), (mine.negative, theirs.negative))
        mine, theirs = mine.at_scale(scale), theirs.at_scale(scale)
        return ExponentialHistogram(
            scale,
            mine.zero_count + sign * theirs.zero_count,
            # Values that one of them counts as zero may be as large as the larger threshold.
            max(mine.zero_threshold, theirs.zero_threshold),
            mine.positive.combined(theirs.positive, sign),
            mine.negative.combined(theirs.negative, sign),
            mine.total + sign * theirs.total,
        )


def edge(scale: int, index: int) -> float:
    """The exclusive lower edge base^index of an exponential bucket; infinite beyond the largest double."""
    exponent = math.ldexp(index, -scale)
    return math.inf if exponent >= 1024 else math.pow(2.0, exponent)


def _fitting(scale: int, *sides: tuple[Buckets, ...]) -> int:
    """The highest scale, from ``scale`` down, at which the buckets of each side, together, are few enough."""
    steps = 0
    for side in sides:
        filled = [buckets for buckets in side if buckets.counts]
        low = min((buckets.offset for buckets in filled), default=0)
        high = max((buckets.end for buckets in filled), default=1) - 1
        while scale - steps > MIN_SCALE and (high >> steps) - (low >> steps) >= MAX_BUCKETS:
            steps += 1
    return scale - steps


def _interpolated(q: float, edges: Iterable[tuple[float, float]], counts: Sequence[Count]) -> float:
    """Linear interpolation at rank ``q`` of the count.

    Raises:
        TailwatchError: ``q`` is outside 0..1.
    """
    if not 0 <= q <= 1:
        raise TailwatchError(f"the quantile {q} is not within 0..1", remedy="write 0.99 for the p99")
    rank, seen = q * sum(counts), 0.0
    found = math.nan
    for (low, high), count in zip(edges, counts, strict=True):
        if not count:
            continue
        found = high if math.isfinite(high) else low
        if seen + count >= rank:
            return low + (found - low) * min(1.0, max(0.0, (rank - seen) / count))
        seen += count
    return found
