"""Counts stored records into what lint says about SLOs; it writes nothing, and takes a running server's database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.slo.compile import compile_rules
from detectors.slo.observed import Observed
from detectors.slo.spec import Slo, SloSet
from storage import logs, spans
from storage.database import Database
from storage.labels import iterate_labelled
from tailwatch.labels import judged_by
from tailwatch.overflow import is_overflow
from telemetry.columns import Columns
from telemetry.deltas import group_labels
from telemetry.rules import RollupRule
from telemetry.sketches import DDSketch, merge

_FOREVER_NS: Final = 2**63 - 1
_MOST_VALUES: Final = 1000
"""Values of a field that are told apart when looking for what a condition may have meant."""


def observe(database: Database, slos: SloSet, *, since_ns: int, now_ns: int, max_groups: int) -> dict[str, Observed]:
    """What the stored records since a time say about each SLO that is counted from records, by its name.

    Raises:
        StorageError: the database cannot be used.
    """
    watched = [_Watched(slo, rules[0]) for slo in slos.slos if (rules := compile_rules(slo))]
    fields = frozenset().union(*(one.fields for one in watched), {"service"})
    guard = CardinalityGuard(max_groups)
    oldest_ns = now_ns
    services: Counter[str] = Counter()
    by_rule = {one.rule.id: one for one in watched}
    for columns in _records(database, since_ns, fields):
        if not len(columns):
            continue
        oldest_ns = min(oldest_ns, int(columns.time_ns.min()))
        services.update(_values(columns, "service", np.ones(len(columns), dtype=np.bool_)))
        for one in watched:
            one.add(columns)
        for delta in roll_up(columns, [one.rule for one in watched], guard, now_ns).sli:
            by_rule[delta.rule].count(delta.group, delta.good, delta.total)
    judged = judged_by([one.rule for one in watched])
    for columns in iterate_labelled(database, since_ns, _FOREVER_NS, fields=fields) if judged else ():
        for delta in roll_up(columns, judged, guard, now_ns).sli:
            by_rule[delta.rule].count(delta.group, delta.good, delta.total)
    seen = [name for name, _ in services.most_common()]
    return {one.slo.name: one.observed(max(now_ns - oldest_ns, 1), seen) for one in watched}


def _records(database: Database, since_ns: int, fields: frozenset[str]) -> Iterator[Columns]:
    yield from chain(
        spans.iterate_columns(database, since_ns, _FOREVER_NS, fields=fields),
        logs.iterate_columns(database, since_ns, _FOREVER_NS, fields=fields),
    )


@dataclass(slots=True)
class _Watched:
    """One SLO, and what was counted for it so far."""

    slo: Slo
    rule: RollupRule
    of_service: int = 0
    matching: list[int] = field(default_factory=list)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    having: Counter[str] = field(default_factory=Counter)
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    sketch: DDSketch = field(default_factory=DDSketch)

    @property
    def measure(self) -> str | None:
        """What it bounds, if it does."""
        facts = self.slo.sli.facts()
        return str(facts["measure"]) if "below" in facts and "measure" in facts else None

    @property
    def fields(self) -> frozenset[str]:
        """What has to be read."""
        measured = [self.measure] if self.measure else []
        return frozenset({*self.rule.names, *self.slo.where.names, *self.slo.per, *measured})

    def add(self, columns: Columns) -> None:
        """Count a batch."""
        service = columns.string("service")
        own = service.mask([value == self.slo.service for value in service.values], missing=False)
        if not own.any():
            return
        self.of_service += int(own.sum())
        where = self.slo.where.items
        self.matching = self.matching or [0] * len(where)
        for place, matcher in enumerate(where):
            self.matching[place] += int((matcher.mask(columns) & own).sum())
            self.values.setdefault(matcher.name, Counter()).update(_values(columns, matcher.name, own))
        for name in self.slo.per:
            self.having[name] += int((columns.string(name).codes >= 0)[own].sum())
        if self.measure is not None:
            self.sketch = merge([self.sketch, DDSketch.of(columns.number(self.measure)[self.rule.where.mask(columns)])])

    def count(self, group: str, good: int, valid: int) -> None:
        """Add events to a group."""
        if valid and not is_overflow(group_labels(group)):
            before = self.groups.get(group, (0, 0))
            self.groups[group] = before[0] + good, before[1] + valid

    def observed(self, span_ns: int, services: Sequence[str]) -> Observed:
        """Everything that was counted."""
        sketch = self.sketch if self.sketch.count else None
        return Observed(
            span_ns=span_ns,
            services=services,
            of_service=self.of_service,
            matching=tuple(self.matching or [0] * len(self.slo.where.items)),
            values={
                name: [value for value, _ in found.most_common(_MOST_VALUES)] for name, found in self.values.items()
            },
            having=dict(self.having),
            groups=self.groups,
            lowest=sketch.low if sketch else None,
            highest=sketch.high if sketch else None,
            p99=sketch.quantile(0.99) if sketch else None,
        )


def _values(columns: Columns, name: str, own: NDArray[np.bool_]) -> Mapping[str, int]:
    """How often each text occurs among the records of ``own``; numbers have none."""
    column = columns.string(name)
    codes = column.codes[own]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.values)).tolist()
    return {value: count for value, count in zip(column.values, counts, strict=True) if count}
