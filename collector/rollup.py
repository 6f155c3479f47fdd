"""Counts a batch by the rules: exact good and total, and distributions, per group and 10 s bucket of event time.

Every event of a rule is counted in the signal that is its home, so that a request seen as span and as inference
log counts once: rules over span fields count spans; rules over fields that logs feed (``is_log_home``) count
the records, of either signal, that carry them. What a batch adds is the sum of what its records add; company
matters only for who takes the last places under the cardinality limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from collector.cardinality import CardinalityGuard
from collector.cells import Batch, Cells, Mask, both
from collector.series_places import admit_series
from collector.sketch_queue import SketchQueue
from telemetry.columns import Columns, StringColumn
from telemetry.deltas import OVERFLOW_GROUP, DistributionDelta, SliDelta, group_key
from telemetry.grouping import Numbers, occurrences
from telemetry.rules import SERIES_RULE_ID, GoodWhen, Present, RollupRule, Spent
from telemetry.schema import is_log_home


@dataclass(frozen=True, slots=True)
class Deltas:
    """What one batch adds to the counters."""

    sli: tuple[SliDelta, ...] = ()
    distributions: tuple[DistributionDelta, ...] = ()


def roll_up(columns: Columns, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int) -> Deltas:
    """The deltas of ``columns`` under ``rules``; groups beyond ``guard``'s limit share :data:`OVERFLOW_GROUP`."""
    inference = columns if columns.is_inference.all() else columns.take(columns.is_inference)
    if not len(inference):
        return Deltas()
    count = _Count(Batch(inference), guard, now_ns)
    for rule in rules:
        if not rule.where.excludes(inference):
            count.add(rule)
    return Deltas(tuple(count.sli), (*count.texts, *count.sketches.finish()))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the events of a rule are counted: in their own cells, those of refused groups in cells of the overflow.

    Attributes:
        groups, buckets_ns: of each place.
        of_cell: the place of each of the batch's cells; None when it is the cell of the same number.
    """

    groups: list[str]
    buckets_ns: list[int]
    of_cell: Numbers | None = None

    def of(self, cells: Numbers) -> Numbers:
        """The places of ``cells``."""
        return cells if self.of_cell is None else self.of_cell[cells]

    def added(self, counts: Sequence[int]) -> Sequence[int]:
        """``counts`` of cells, added up by place."""
        if self.of_cell is None:
            return counts
        totals = [0] * len(self.groups)
        for place, count in zip(self.of_cell.tolist(), counts, strict=True):
            totals[place] += count
        return totals


@dataclass(frozen=True, slots=True)
class _Count:
    """A batch under count: what rules added so far."""

    batch: Batch
    guard: CardinalityGuard
    now_ns: int
    sli: list[SliDelta] = field(default_factory=list)
    texts: list[DistributionDelta] = field(default_factory=list)
    sketches: SketchQueue = field(default_factory=SketchQueue)

    def add(self, rule: RollupRule) -> None:
        """Count the batch by ``rule``."""
        columns = self.batch.columns
        fields = [name for name in rule.distributions if columns.signal == "span" or is_log_home(name)]
        good_when = _at_home(rule, columns)
        if good_when is None and not fields:
            return
        valid, good = (None, None) if good_when is None else self.batch.judged(good_when)
        events = both(self.batch.selected(rule.where), valid)
        rows = None if events is None else events.nonzero()[0]
        if rows is not None and not len(rows):
            return
        cells = self.batch.cells(rule.per)
        of_event = cells.of_row if rows is None else cells.of_row[rows]
        totals: list[int] = np.bincount(of_event, minlength=len(cells)).tolist()
        places = self._places(rule, cells, totals)
        if isinstance(good_when, Spent):
            spent = np.zeros(len(cells), dtype=np.int64)
            amounts = good_when.amounts(columns)
            np.add.at(spent, of_event, amounts if rows is None else amounts[rows])
            self.sli.extend(_sli(rule, places, spent.tolist(), spent.tolist()))
        elif good_when is not None:
            bad = _bad(events, good)
            bads = [0] * len(totals) if bad is None else np.bincount(cells.of_row[bad], minlength=len(cells)).tolist()
            self.sli.extend(_sli(rule, places, totals, bads))
        if fields:
            self._distribute(rule, fields, places, place=places.of(of_event), rows=rows)

    def _places(self, rule: RollupRule, cells: Cells, totals: Sequence[int]) -> _Places:
        events: dict[str, int] = {}
        for group, total in zip(cells.groups, totals, strict=True):
            if total:
                events[group] = events.get(group, 0) + total
        if rule.id == SERIES_RULE_ID:
            admitted = admit_series(self.guard, events, self.now_ns)
        else:
            admitted = self.guard.admit(rule.id, [*events], self.now_ns, [*events.values()])
        if all(admitted):
            return _Places(cells.groups, cells.buckets_ns)
        refused = {group for group, verdict in zip(events, admitted, strict=True) if not verdict}
        moved = [cell for cell, group in enumerate(cells.groups) if group in refused]
        buckets_ns, bucket = np.unique([cells.buckets_ns[cell] for cell in moved], return_inverse=True)
        of_cell = np.arange(len(cells))
        of_cell[moved] = len(cells) + bucket
        overflow = [group_key(dict.fromkeys(rule.per, OVERFLOW_GROUP))] * len(buckets_ns)
        return _Places([*cells.groups, *overflow], [*cells.buckets_ns, *buckets_ns.tolist()], of_cell)

    def _distribute(
        self, rule: RollupRule, fields: Sequence[str], places: _Places, *, place: Numbers, rows: Numbers | None
    ) -> None:
        """Gather the ``fields`` of the events ``rows`` (None: all), each at its ``place``; numbers and texts apart."""
        columns = self.batch.columns
        for name in fields:
            numbers, column = columns.numbers.get(name), columns.strings.get(name)
            if numbers is not None:
                values = numbers if rows is None else numbers[rows]
                self.sketches.put(rule.id, name, places.groups, places.buckets_ns, values=values, cell=place)
            if column is not None:
                texts = self._guarded(column if rows is None else column.take(rows), f"{rule.id}/{name}")
                for index, counts in _value_counts(texts, place):
                    group, bucket_ns = places.groups[index], places.buckets_ns[index]
                    self.texts.append(DistributionDelta(rule.id, group, bucket_ns, name, counts))

    def _guarded(self, column: StringColumn, scope: str) -> StringColumn:
        """``column`` with values beyond the guard's limit replaced by :data:`OVERFLOW_GROUP`."""
        present, counts = occurrences(column.codes[column.codes >= 0].astype(np.intp), len(column.values))
        values = [column.values[code] for code in present.tolist()]
        admitted = self.guard.admit(scope, values, self.now_ns, counts.tolist())
        if all(admitted):
            return column
        kept = {value for value, verdict in zip(values, admitted, strict=True) if verdict}
        return column.map(lambda value: value if value in kept else OVERFLOW_GROUP)


def _at_home(rule: RollupRule, columns: Columns) -> GoodWhen | None:
    """The rule's condition as far as it concerns this signal; None when none of its fields do."""
    if columns.signal == "span":
        return rule.good
    names = tuple(name for name in sorted(rule.good.names) if is_log_home(name))
    if isinstance(rule.good, Present):
        return Present(names) if names else None
    return rule.good if names else None


def _bad(events: Mask | None, good: Mask | None) -> Numbers | None:
    """The rows of bad events, None when there is none. They are few, so they are what is counted."""
    if good is None:
        return None
    rows = (~good if events is None else events & ~good).nonzero()[0]
    return rows if len(rows) else None


def _sli(rule: RollupRule, places: _Places, totals: Sequence[int], bads: Sequence[int]) -> Iterator[SliDelta]:
    """The increments of ``rule``, given how many events, and how many bad ones, each cell has."""
    for group, bucket_ns, total, bad in zip(
        places.groups, places.buckets_ns, places.added(totals), places.added(bads), strict=True
    ):
        if total:
            yield SliDelta(rule.id, group, bucket_ns, total - bad, total)


def _value_counts(column: StringColumn, place: Numbers) -> list[tuple[int, dict[str, int]]]:
    """Per place that has any, how often each value occurs."""
    present = (column.codes >= 0).nonzero()[0]
    if not len(present):
        return []
    width = len(column.values)
    pairs = place[present] * width + column.codes[present]
    found: dict[int, dict[str, int]] = {}
    for pair, count in zip(*(part.tolist() for part in occurrences(pairs, int(pairs.max()) + 1)), strict=True):
        index, code = divmod(pair, width)
        found.setdefault(index, {})[column.values[code]] = count
    return list(found.items())
