"""Stored history as a timeline: rows as far back as they are complete, counters before. It writes nothing.

Rows are counted by the SLOs' rules, at 10 s. Counters are what the collector counted for the same revision of an SLO;
they are folded with age, and verdicts over time slices stand beside them. When a record came in is known to counters
only, so what is judged by that is read from them wherever there are any. Gauges are values, folded with age.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from collector.cardinality import CardinalityGuard
from collector.rollup import Deltas
from detectors.slo.arrivals import ArrivalSlices
from detectors.slo.compile import compile_rules, slices_rule_id, verdicts_of
from detectors.slo.distribution_slices import SliceBook
from detectors.slo.engine import Engine
from detectors.slo.slices import GRACE_NS
from detectors.slo.spec import Slo
from storage.database import Database
from storage.rollups import DistributionSeries, SliSeries, load, load_sli
from tailwatch.backfill import count_stored, void_from
from tailwatch.backtest.stored_gauges import StoredGauges, read_gauges
from tailwatch.backtest.timeline import Timeline, at_bucket_end, spread
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.rules import SERIES_RULE_ID, OnTime, RollupRule
from telemetry.windows import BUCKET_NS


@dataclass(frozen=True, slots=True)
class Held:
    """What there is of one SLO's history; times in ns, None where there is nothing.

    Attributes:
        first_ns: start of the first bucket that has events or values.
        rows_from_ns: from when on its counts come from rows; before, from counters. None where rows tell nothing.
        folds: (width ns, end ns) of counters that are wider than 10 s, the widest first: events before ``end`` are
            known to that width only.
        gauge_folds: the same of gauges whose slices were judged from folded values.
        arrival_unknown: what it judges is when records came in, and no counter of it is stored.
    """

    slo: str
    first_ns: int | None
    rows_from_ns: int | None
    folds: tuple[tuple[int, int], ...]
    gauge_folds: tuple[tuple[int, int], ...] = ()
    arrival_unknown: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """Counts and values in the order in which they could be known, and what they are made from."""

    timeline: Timeline
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What was read.

    Attributes:
        rows: counts of records, each from ``void_ns`` of its rule on.
        counters: of before, by series.
        void_ns: per rule, and per rule of verdicts, from when on counters are not wanted.
        sliced: the SLOs that judge slices, by the rule of their verdicts.
    """

    engine: Engine
    gauges: StoredGauges
    rows: Deltas
    counters: list[SliSeries]
    distributions: tuple[DistributionSeries, ...]
    void_ns: Mapping[str, int]
    sliced: Mapping[str, Slo]

    @property
    def judged(self) -> frozenset[str]:
        """The rules of verdicts that are stored."""
        return frozenset(one.rule for one in self.counters if one.rule in self.sliced and len(one.bucket_ns))


def read_history(database: Database, engine: Engine, max_groups: int, start_ns: int, end_ns: int) -> History:
    """Everything stored of ``engine``'s SLOs with event times in [start, end).

    Raises:
        StorageError: the database cannot be used.
    """
    stored = _read(database, engine, max_groups, start_ns, end_ns)
    folded = {
        slo.name: [*stored.gauges.verdicts(slo, start_ns)]
        for rule, slo in stored.sliced.items() if rule not in stored.judged
    }  # fmt: skip
    heard = load_sli(database, [SERIES_RULE_ID], start_ns, end_ns)
    sli = chain(
        at_bucket_end(stored.rows.sli),
        _counted(stored),
        chain.from_iterable(folded.values()),
        chain.from_iterable(map(_heard, heard)),
    )
    distributions = chain(at_bucket_end(stored.rows.distributions), _unjudged(stored))
    timeline = Timeline(sli, distributions, stored.gauges.known(engine.slos))
    return History(timeline, tuple(_held(slo, stored, bool(folded.get(slo.name))) for slo in engine.slos.slos))


def _read(database: Database, engine: Engine, max_groups: int, start_ns: int, end_ns: int) -> _Stored:
    with database.read() as connection:
        void_ns = dict(void_from(connection, engine.rules))
    gauges = read_gauges(database, engine.slos, start_ns, end_ns)
    sliced = {slices_rule_id(slo): slo for slo in engine.slos.slos if slo.slice_ns is not None}
    void_ns |= {rule: gauges.fine_from_ns[slo.name] for rule, slo in sliced.items() if gauges.judge(slo)}
    void_ns |= dict.fromkeys(_of_arrivals(database, engine.rules, start_ns, end_ns), end_ns)
    first_row_ns = max(min((void_ns[rule.id] for rule in engine.rules), default=end_ns), start_ns)
    rows = count_stored(database, engine.rules, CardinalityGuard(max_groups), end_ns, first_row_ns, end_ns)
    own = Deltas(
        tuple(row for row in rows.sli if row.bucket_ns >= max(void_ns[row.rule], start_ns)),
        tuple(row for row in rows.distributions if row.bucket_ns >= max(void_ns[row.rule], start_ns)),
    )
    loaded = load(database, sorted(void_ns), start_ns, min(max(void_ns.values(), default=0), end_ns))
    counters = [_before(series, void_ns[series.rule]) for series in loaded.sli]
    return _Stored(engine, gauges, own, counters, loaded.distributions, void_ns, sliced)


def _of_arrivals(database: Database, rules: Sequence[RollupRule], start_ns: int, end_ns: int) -> Iterator[str]:
    """The rules, and those of their verdicts, that judge when records came in and of which counters are stored."""
    of_arrivals = [rule.id for rule in rules if isinstance(rule.good, OnTime)]
    for rule in {series.rule for series in load_sli(database, of_arrivals, start_ns, end_ns)} if of_arrivals else ():
        yield from (rule, verdicts_of(rule))


def _counted(stored: _Stored) -> Iterator[tuple[int, SliDelta]]:
    """Counters and verdicts from before the rows, as they became known.

    Counters of many slices tell nothing about one: where verdicts are stored, these say it.
    """
    judged = {
        rule.id: slo.slice_ns for slo in stored.sliced.values()
        if slices_rule_id(slo) in stored.judged and not isinstance(slo.sli.slices(""), SliceBook)
        for rule in compile_rules(slo)
    }  # fmt: skip
    for series in stored.counters:
        slice_ns = judged.get(series.rule)
        if series.rule in stored.sliced:
            yield from _verdicts(series, stored.sliced[series.rule])
        elif slice_ns is None:
            yield from spread(series)
        else:
            yield from spread(_where(series, series.width_ns <= slice_ns))


def _before(series: SliSeries, end_ns: int) -> SliSeries:
    return _where(series, series.bucket_ns < end_ns)


def _where(series: SliSeries, kept: NDArray[np.bool_]) -> SliSeries:
    return SliSeries(
        series.rule, series.group, series.bucket_ns[kept], series.width_ns[kept], series.good[kept], series.total[kept]
    )


def _verdicts(series: SliSeries, slo: Slo) -> Iterator[tuple[int, SliDelta]]:
    """Verdicts as they were passed: each stands at its slice's start, and was known after its end.

    Folded ones are spread evenly over the slices of their bucket. Silence is judged too, so those over arrivals are
    known slice by slice: else the slices would pass for silent until their bucket is over.
    """
    slice_ns = slo.slice_ns or BUCKET_NS
    at_once = isinstance(slo.sli.slices(""), ArrivalSlices)
    for known_ns, row in spread(series, slice_ns):
        yield (row.bucket_ns + slice_ns if at_once else known_ns) + GRACE_NS, row


def _heard(series: SliSeries) -> Iterator[tuple[int, SliDelta]]:
    """Signs of life: when a service's events ended to come in, as well as the width of a bucket tells."""
    for bucket_ns, width_ns in zip(series.bucket_ns.tolist(), series.width_ns.tolist(), strict=True):
        last_ns = bucket_ns + max(width_ns, BUCKET_NS) - BUCKET_NS
        yield last_ns + BUCKET_NS, SliDelta(series.rule, series.group, last_ns, 0, 0)


def _unjudged(stored: _Stored) -> Iterator[tuple[int, DistributionDelta]]:
    """Stored distributions that no verdict covers; of the others, those that later slices are compared with.

    Buckets that are wider than a slice say nothing about any one slice, and are left out.
    """
    engine = stored.engine
    slices = {rule.id: slo for slo in engine.slos.slos for rule in compile_rules(slo)}
    judged_ns = {(one.rule, one.group): int(one.bucket_ns.max(initial=-1)) for one in stored.counters}
    for series in stored.distributions:
        slo = slices[series.rule]
        end_ns = stored.void_ns[series.rule]
        last_ns = judged_ns.get((slices_rule_id(slo), series.group), -1)
        usable = (series.width_ns <= (slo.slice_ns or BUCKET_NS)) & (series.bucket_ns < end_ns)
        for place in np.flatnonzero(usable).tolist():
            bucket_ns = int(series.bucket_ns[place])
            row = DistributionDelta(series.rule, series.group, bucket_ns, series.field, series.distributions[place])
            if bucket_ns > last_ns:
                yield bucket_ns + int(series.width_ns[place]), row
            elif bucket_ns >= end_ns - engine.distribution_history_ns:
                yield end_ns, row


def _held(slo: Slo, stored: _Stored, from_folded_gauges: bool) -> Held:
    rules = compile_rules(slo)
    own = {rule.id for rule in rules}
    verdicts = slices_rule_id(slo)
    series_of = [series for series in stored.counters if series.rule in own or series.rule == verdicts]
    firsts = [row.bucket_ns for row in stored.rows.sli if row.rule in own]
    firsts += [int(series.bucket_ns[0]) for series in series_of if len(series.bucket_ns)]
    value_ns = stored.gauges.first_ns(slo) if stored.gauges.judge(slo) else None
    firsts += [] if value_ns is None else [value_ns]
    ends: dict[int, int] = {}
    for series in series_of:
        wide = series.width_ns > (max(slo.slice_ns or 0, BUCKET_NS) if series.rule == verdicts else BUCKET_NS)
        for width_ns, bucket_ns in zip(series.width_ns[wide].tolist(), series.bucket_ns[wide].tolist(), strict=True):
            ends[width_ns] = max(ends.get(width_ns, 0), bucket_ns + width_ns)
    of_arrivals = any(isinstance(rule.good, OnTime) for rule in rules)
    from_rows = rules and not of_arrivals
    return Held(
        slo.name, min(firsts, default=None),
        min(stored.void_ns[rule] for rule in own) if from_rows else None,
        tuple(sorted(ends.items(), reverse=True)),
        tuple(sorted(stored.gauges.folds(slo).items(), reverse=True)) if from_folded_gauges else (),
        arrival_unknown=of_arrivals and not series_of and bool(firsts),
    )  # fmt: skip
