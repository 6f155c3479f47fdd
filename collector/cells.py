"""What the rules of one batch share: masks of conditions, and records by group and bucket. It counts by no rule.

Rules speak of few distinct conditions and few distinct groupings, so each is worked out once a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns, StringColumn, first_present
from telemetry.grouping import Numbers, combined, dense, sample_rows
from telemetry.matchers import Matcher, Matchers
from telemetry.rules import GoodWhen
from telemetry.windows import BUCKET_NS

Mask: TypeAlias = NDArray[np.bool_]

_UNKNOWN: Final = np.zeros(0, dtype=np.bool_)
"""What stands in a cache for nothing, where None is a value."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The (group, bucket) pairs of a batch under one grouping, ascending.

    Attributes:
        of_row: (n,) the cell of each record.
        groups: per cell, the canonical text of its group.
        buckets_ns: per cell, the start of its bucket.
    """

    of_row: Numbers
    groups: list[str]
    buckets_ns: list[int]

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class Batch:
    """The inference records of a batch, at least one, and what was worked out about them so far."""

    columns: Columns
    _conditions: dict[Matcher, Mask | None] = field(default_factory=dict)
    _selections: dict[Matchers, Mask | None] = field(default_factory=dict)
    _verdicts: dict[GoodWhen, tuple[Mask | None, Mask | None]] = field(default_factory=dict)
    _cells: dict[tuple[str, ...], Cells] = field(default_factory=dict)
    _buckets: list[tuple[Numbers, NDArray[np.int64]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns)

    def selected(self, where: Matchers) -> Mask | None:
        """(n,) bool: the records that satisfy ``where``; None when all do."""
        found = self._selections.get(where, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._selections[where] = both(*map(self._satisfying, where.items))
        return found

    def judged(self, good: GoodWhen) -> tuple[Mask | None, Mask | None]:
        """(n,) bool each: the valid events, and those of them that are good; None when all are."""
        if good not in self._verdicts:
            valid, fine = good.masks(self.columns)
            self._verdicts[good] = _or_none(valid), _or_none(fine)
        return self._verdicts[good]

    def cells(self, per: tuple[str, ...]) -> Cells:
        """The records by the fields ``per`` and by bucket."""
        if per not in self._cells:
            self._cells[per] = self._divided(per)
        return self._cells[per]

    def _satisfying(self, matcher: Matcher) -> Mask | None:
        found = self._conditions.get(matcher, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._conditions[matcher] = _or_none(matcher.mask(self.columns))
        return found

    def _divided(self, per: tuple[str, ...]) -> Cells:
        names = sorted(set(per))
        labels = [_label(self.columns, name) for name in names]
        varying = [label for label in (labels[names.index(name)] for name in per) if not _is_constant(label)]
        group, groups = combined([(label.codes + 1, len(label.values) + 1) for label in varying], len(self))
        shown = sample_rows(group, groups)
        keys = _keys(names, labels, shown)
        bucket, starts_ns = self._by_bucket()
        if len(starts_ns) == 1:
            return Cells(group, keys, starts_ns.tolist() * groups)
        cell, cells = combined([(group, groups), (bucket, len(starts_ns))], len(self))
        shown = sample_rows(cell, cells)
        return Cells(cell, [keys[number] for number in group[shown].tolist()], starts_ns[bucket[shown]].tolist())

    def _by_bucket(self) -> tuple[Numbers, NDArray[np.int64]]:
        """The bucket of each record, (n,) index into the buckets' starts (ns)."""
        if not self._buckets:
            self._buckets.append(_buckets(self.columns.time_ns))
        return self._buckets[0]


def both(*masks: Mask | None) -> Mask | None:
    """Where all ``masks`` hold; None stands for one that holds everywhere."""
    found: Mask | None = None
    for mask in masks:
        if mask is not None:
            found = mask if found is None else found & mask
    return found


def _or_none(mask: Mask) -> Mask | None:
    return None if mask.all() else mask


def _buckets(time_ns: NDArray[np.int64]) -> tuple[Numbers, NDArray[np.int64]]:
    first, last = int(time_ns.min()) // BUCKET_NS, int(time_ns.max()) // BUCKET_NS
    if first == last:
        return np.zeros(len(time_ns), dtype=np.intp), np.asarray([first * BUCKET_NS])
    numbers = time_ns // BUCKET_NS - first
    bucket, buckets = dense(numbers, last - first + 1)
    return bucket, (numbers[sample_rows(bucket, buckets)] + first) * BUCKET_NS


def _label(columns: Columns, name: str) -> StringColumn:
    """The field as text, since group labels are text."""
    numbers = columns.numbers.get(name)
    if numbers is None:
        return columns.string(name)
    return first_present([columns.string(name), StringColumn.of_numbers(numbers)])


def _is_constant(label: StringColumn) -> bool:
    return not label.values or (len(label.values) == 1 and label.is_complete())


def _keys(names: Sequence[str], labels: Sequence[StringColumn], shown: Numbers) -> list[str]:
    """The canonical texts, as ``telemetry.deltas.group_key`` writes them, of the groups that the rows ``shown`` show.

    ``names`` are sorted. Each value of a label is written once for all groups.
    """
    parts = []
    for name, label in zip(names, labels, strict=True):
        head = encode_basestring(name) + ":"
        codes = label.codes[shown].tolist()
        written = {code: head + encode_basestring(label.values[code] if code >= 0 else "") for code in set(codes)}
        parts.append([written[code] for code in codes])
    return ["{" + ",".join(texts) + "}" for texts in zip(*parts, strict=True)] or ["{}"]
