"""Counts a batch by the rules: exact good and total, and distributions, per group and 10 s bucket of event time.

Every event of a rule is counted in the signal that is its home, so that a request seen as span and as inference
log counts once: rules over span fields count spans; rules over fields that logs feed (``is_log_home``) count
the records, of either signal, that carry them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from collector.cardinality import CardinalityGuard
from telemetry.columns import Columns, StringColumn, first_present
from telemetry.deltas import OVERFLOW_GROUP, Distribution, DistributionDelta, SliDelta, group_key
from telemetry.rules import GoodWhen, Present, RollupRule
from telemetry.schema import is_log_home
from telemetry.sketches import DDSketch, sketch_groups
from telemetry.windows import BUCKET_NS


@dataclass(frozen=True, slots=True)
class Deltas:
    """What one batch adds to the counters."""

    sli: tuple[SliDelta, ...] = ()
    distributions: tuple[DistributionDelta, ...] = ()


@dataclass(frozen=True, slots=True)
class _Cells:
    """The (group, bucket) pairs of a rule's events: pair number of each event, and what the pairs are."""

    of_event: NDArray[np.intp]
    groups: tuple[str, ...]
    buckets_ns: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.groups)


def roll_up(columns: Columns, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int) -> Deltas:
    """The deltas of ``columns`` under ``rules``; groups beyond ``guard``'s limit share :data:`OVERFLOW_GROUP`."""
    inference = columns if columns.is_inference.all() else columns.take(columns.is_inference)
    if not len(inference):
        return Deltas()
    parts = [_roll_up_rule(inference, rule, guard, now_ns) for rule in rules]
    return Deltas(
        tuple(chain.from_iterable(part.sli for part in parts)),
        tuple(chain.from_iterable(part.distributions for part in parts)),
    )


def _roll_up_rule(columns: Columns, rule: RollupRule, guard: CardinalityGuard, now_ns: int) -> Deltas:
    fields = [name for name in rule.distributions if columns.signal == "span" or is_log_home(name)]
    good_when = _at_home(rule, columns)
    if good_when is None and not fields:
        return Deltas()
    events = rule.where.mask(columns)
    good = np.zeros(len(columns), dtype=np.bool_)
    if good_when is not None:
        valid, good = good_when.masks(columns)
        events &= valid
    if not events.any():
        return Deltas()
    counted = columns if events.all() else columns.take(events)
    cells = _cells(counted, rule, guard, now_ns)
    return Deltas(
        () if good_when is None else _sli(rule, cells, good[events]),
        tuple(
            delta
            for name in fields
            for delta in _distribution(counted, rule, name, cells=cells, guard=guard, now_ns=now_ns)
        ),
    )


def _at_home(rule: RollupRule, columns: Columns) -> GoodWhen | None:
    """The rule's condition as far as it concerns this signal; None when none of its fields do."""
    if columns.signal == "span":
        return rule.good
    names = tuple(name for name in sorted(rule.good.names) if is_log_home(name))
    if isinstance(rule.good, Present):
        return Present(names) if names else None
    return rule.good if names else None


def _sli(rule: RollupRule, cells: _Cells, good: NDArray[np.bool_]) -> tuple[SliDelta, ...]:
    totals = np.bincount(cells.of_event, minlength=len(cells))
    goods = np.bincount(cells.of_event[good], minlength=len(cells))
    return tuple(
        SliDelta(rule.id, group, bucket_ns, int(n_good), int(total))
        for group, bucket_ns, n_good, total in zip(cells.groups, cells.buckets_ns, goods, totals, strict=True)
    )


def _cells(columns: Columns, rule: RollupRule, guard: CardinalityGuard, now_ns: int) -> _Cells:
    group, keys = _groups(columns, rule, guard, now_ns)
    buckets_ns, bucket = np.unique(columns.time_ns - columns.time_ns % BUCKET_NS, return_inverse=True)
    pairs, of_event = np.unique(group * len(buckets_ns) + bucket, return_inverse=True)
    pair_group, pair_bucket = np.divmod(pairs, len(buckets_ns))
    return _Cells(
        of_event.astype(np.intp),
        tuple(keys[index] for index in pair_group),
        tuple(int(start) for start in buckets_ns[pair_bucket]),
    )


def _groups(
    columns: Columns, rule: RollupRule, guard: CardinalityGuard, now_ns: int
) -> tuple[NDArray[np.intp], list[str]]:
    """The group of each event, (n,) index into the group keys; refused groups are one, the overflow group."""
    labels = [_label(columns, name) for name in rule.per]
    group, first = _combine(labels, len(columns))
    values = [column.take(first).tolist() for column in labels]
    keys = [group_key(dict(zip(rule.per, row, strict=True))) for row in zip(*values, strict=True)] or [group_key({})]
    admitted = guard.admit(rule.id, keys, now_ns, np.bincount(group, minlength=len(keys)).tolist())
    if not all(admitted):
        group = np.where(np.asarray(admitted)[group], group, len(keys))
        keys.append(group_key(dict.fromkeys(rule.per, OVERFLOW_GROUP)))
    return group, keys


def _label(columns: Columns, name: str) -> StringColumn:
    """The field as text, since group labels are text."""
    numbers = columns.numbers.get(name)
    if numbers is None:
        return columns.string(name)
    return first_present([columns.string(name), StringColumn.of_numbers(numbers)])


def _combine(labels: Sequence[StringColumn], n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A dense number per distinct row of ``labels``, (n,), and a row that shows each number, (groups,)."""
    combined = np.zeros(n, dtype=np.intp)
    first = np.zeros(1, dtype=np.intp)
    for column in labels:
        # Dense after every column: at most n groups times the column's values, which int64 holds.
        _, first, combined = np.unique(
            combined * (len(column.values) + 1) + column.codes + 1, return_index=True, return_inverse=True
        )
    return combined, first


def _distribution(
    columns: Columns, rule: RollupRule, name: str, *, cells: _Cells, guard: CardinalityGuard, now_ns: int
) -> list[DistributionDelta]:
    """The distributions of one field, one a cell that has values.

    A field with any number is numeric, since one key holds one kind: its stray texts are the business of
    data-quality rules.
    """
    found: Sequence[Distribution] = ()
    if name in columns.numbers:
        found = sketch_groups(columns.numbers[name], cells.of_event, len(cells))
    elif name in columns.strings:
        found = _value_counts(_guarded(columns.strings[name], f"{rule.id}/{name}", guard, now_ns), cells)
    return [
        DistributionDelta(rule.id, cells.groups[index], cells.buckets_ns[index], name, distribution)
        for index, distribution in enumerate(found)
        if _has_values(distribution)
    ]


def _has_values(distribution: Distribution) -> bool:
    return distribution.count > 0 if isinstance(distribution, DDSketch) else bool(distribution)


def _guarded(column: StringColumn, scope: str, guard: CardinalityGuard, now_ns: int) -> StringColumn:
    """``column`` with values beyond the guard's limit replaced by :data:`OVERFLOW_GROUP`."""
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
    present = np.flatnonzero(counts)
    values = [column.values[code] for code in present]
    admitted = guard.admit(scope, values, now_ns, counts[present].tolist())
    kept = {value for value, verdict in zip(values, admitted, strict=True) if verdict}
    return column.map(lambda value: value if value in kept else OVERFLOW_GROUP)


def _value_counts(column: StringColumn, cells: _Cells) -> list[dict[str, int]]:
    """Per cell, how often each value occurs."""
    result: list[dict[str, int]] = [{} for _ in range(len(cells))]
    present = column.codes >= 0
    width = max(len(column.values), 1)
    pairs, counts = np.unique(cells.of_event[present] * width + column.codes[present], return_counts=True)
    for cell, code, count in zip(*np.divmod(pairs, width), counts, strict=True):
        result[cell][column.values[code]] = int(count)
    return result
