"""What one commit adds to the counters: appended, never updated, merged on read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telemetry.sketches import DDSketch, merge

OVERFLOW_GROUP: Final = "__overflow__"
"""Value of every group label beyond the cardinality limit."""

Distribution = DDSketch | Mapping[str, int]
"""A numeric field's sketch, or a string field's counts per value."""


class SliDelta(NamedTuple):
    """``good`` of ``total`` more events of ``rule`` and ``group`` in the bucket starting at ``bucket_ns``."""

    rule: str
    group: str
    bucket_ns: int
    good: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class SliColumns:
    """Deltas as columns of one length, for whoever takes in many at once; iterating gives :class:`SliDelta` rows."""

    rules: Sequence[str]
    groups: Sequence[str]
    bucket_ns: NDArray[np.int64]
    good: NDArray[np.int64]
    total: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, int, int, int]]) -> SliColumns:
        """Rows of (rule, group, bucket_ns, good, total), such as :class:`SliDelta`."""
        rules, groups, *numbers = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), (), (), ())
        bucket_ns, good, total = (np.asarray(column, dtype=np.int64) for column in numbers)
        return cls(rules, groups, bucket_ns, good, total)

    def __len__(self) -> int:
        return len(self.bucket_ns)

    def __iter__(self) -> Iterator[SliDelta]:
        numbers = self.bucket_ns.tolist(), self.good.tolist(), self.total.tolist()
        return map(SliDelta, self.rules, self.groups, *numbers)

    def without(self, rules: frozenset[str]) -> SliColumns:
        """The rows of other rules."""
        if not rules.isdisjoint(self.rules):
            return self.take(np.asarray([i for i, rule in enumerate(self.rules) if rule not in rules], dtype=np.intp))
        return self

    def take(self, rows: NDArray[np.intp]) -> SliColumns:
        """The rows at these positions."""
        at = rows.tolist()
        rules, groups = [self.rules[i] for i in at], [self.groups[i] for i in at]
        return SliColumns(rules, groups, self.bucket_ns[rows], self.good[rows], self.total[rows])


class DistributionDelta(NamedTuple):
    """More values of ``field``, for the same key as a :class:`SliDelta`."""

    rule: str
    group: str
    bucket_ns: int
    field: str
    distribution: Distribution


def count_of(distribution: Distribution) -> int:
    """How many values a distribution holds."""
    return distribution.count if isinstance(distribution, DDSketch) else sum(distribution.values())


def merge_distributions(parts: Sequence[Distribution]) -> Distribution:
    """One distribution of all values together; of numbers and texts under one key, the kind with more values.

    A field has one kind by its meaning. Stray values of the other kind are a fault of the data, which must not keep
    the field from being read.
    """
    sketches = [part for part in parts if isinstance(part, DDSketch)]
    texts = [part for part in parts if not isinstance(part, DDSketch)]
    if not texts or (sketches and sum(map(count_of, sketches)) >= sum(map(count_of, texts))):
        return merge(sketches)
    total: Counter[str] = Counter()
    for part in texts:
        total.update(part)
    return dict(total)


def group_key(labels: Mapping[str, str]) -> str:
    """The canonical text of a group: JSON with sorted keys, so that equal groups are equal texts."""
    return json.dumps(dict(labels), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def group_labels(key: str) -> dict[str, str]:
    """The labels of a canonical group text."""
    labels: dict[str, str] = json.loads(key)
    return labels
