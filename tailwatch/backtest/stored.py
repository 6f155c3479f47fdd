"""Stored history as a timeline: rows as far back as they are complete, counters before. It writes and judges nothing.

Rows are counted by the SLOs' rules, at 10 s. Counters are what the collector counted for the same revision of an SLO;
they are folded with age, and verdicts over time slices stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from collector.cardinality import CardinalityGuard
from detectors.slo.compile import slices_rule_id
from detectors.slo.engine import Engine
from detectors.slo.slices import GRACE_NS
from detectors.slo.spec import Slo
from storage.coverage import complete_from
from storage.database import Database
from storage.rollups import DistributionSeries, SliSeries, load, load_sli
from tailwatch.backfill import count_stored, void_from
from tailwatch.backtest.timeline import Timeline, at_bucket_end, spread
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.rules import SERIES_RULE_ID
from telemetry.windows import BUCKET_NS


@dataclass(frozen=True, slots=True)
class Held:
    """What there is of one SLO's history; times in ns, None where there is nothing.

    Attributes:
        first_ns: start of the first bucket that has events.
        rows_from_ns: from when on its counts come from rows; before, from counters.
        folds: (width ns, end ns) of counters that are wider than 10 s, the widest first: events before ``end`` are
            known to that width only.
    """

    slo: str
    first_ns: int | None
    rows_from_ns: int
    folds: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class History:
    """Counts in the order in which they could be known, and what they are made from."""

    timeline: Timeline
    held: tuple[Held, ...]
    rows_complete_from_ns: int


def read_history(database: Database, engine: Engine, max_groups: int, start_ns: int, end_ns: int) -> History:
    """Everything stored of ``engine``'s SLOs with event times in [start, end).

    Raises:
        StorageError: the database cannot be used.
    """
    with database.read() as connection:
        void_ns = void_from(connection, engine.rules)
        complete_ns = complete_from(connection)
    first_row_ns = max(min(void_ns.values(), default=end_ns), start_ns)
    rows = count_stored(database, engine.rules, CardinalityGuard(max_groups), end_ns, first_row_ns, end_ns)
    own_sli = [row for row in rows.sli if row.bucket_ns >= max(void_ns[row.rule], start_ns)]
    own_distributions = [row for row in rows.distributions if row.bucket_ns >= max(void_ns[row.rule], start_ns)]
    loaded = load(database, sorted(void_ns), start_ns, min(max(void_ns.values(), default=0), end_ns))
    counters = [_before(series, void_ns[series.rule]) for series in loaded.sli]
    verdicts = {slices_rule_id(slo): slo for slo in engine.slos.slos}
    heard = load_sli(database, [SERIES_RULE_ID], start_ns, end_ns)
    sli = chain(
        at_bucket_end(own_sli),
        chain.from_iterable(
            _verdicts(series, verdicts[series.rule]) if series.rule in verdicts else spread(series)
            for series in counters
        ),
        chain.from_iterable(map(_heard, heard)),
    )
    older = _unjudged(engine, loaded.distributions, counters, void_ns)
    timeline = Timeline(sli, chain(at_bucket_end(own_distributions), older))
    held = tuple(_held(slo, engine, own_sli, counters, void_ns) for slo in engine.slos.slos)
    return History(timeline, held, complete_ns)


def _before(series: SliSeries, end_ns: int) -> SliSeries:
    kept = slice(int(series.bucket_ns.searchsorted(end_ns)))
    return SliSeries(
        series.rule, series.group, series.bucket_ns[kept], series.width_ns[kept], series.good[kept], series.total[kept]
    )


def _verdicts(series: SliSeries, slo: Slo) -> Iterator[tuple[int, SliDelta]]:
    """Verdicts as they were passed: each stands at its slice's start, and was known after its end."""
    lasts_ns = (slo.slice_ns or BUCKET_NS) + GRACE_NS
    columns = (series.bucket_ns, series.width_ns, series.good, series.total)
    for bucket_ns, width_ns, good, total in zip(*(column.tolist() for column in columns), strict=True):
        yield bucket_ns + max(width_ns, lasts_ns), SliDelta(series.rule, series.group, bucket_ns, good, total)


def _heard(series: SliSeries) -> Iterator[tuple[int, SliDelta]]:
    """Signs of life: when a service's events ended to come in, as well as the width of a bucket tells."""
    for bucket_ns, width_ns in zip(series.bucket_ns.tolist(), series.width_ns.tolist(), strict=True):
        last_ns = bucket_ns + max(width_ns, BUCKET_NS) - BUCKET_NS
        yield last_ns + BUCKET_NS, SliDelta(series.rule, series.group, last_ns, 0, 0)


def _unjudged(
    engine: Engine,
    stored: tuple[DistributionSeries, ...],
    counters: list[SliSeries],
    void_ns: Mapping[str, int],
) -> Iterator[tuple[int, DistributionDelta]]:
    """Stored distributions that no verdict covers; of the others, those that later slices are compared with.

    Buckets that are wider than a slice say nothing about any one slice, and are left out.
    """
    slices = {rule.id: slo for slo in engine.slos.slos for rule in engine.rules if rule.id.startswith(f"{slo.name}@")}
    judged_ns = {(one.rule, one.group): int(one.bucket_ns.max(initial=-1)) for one in counters}
    for series in stored:
        slo = slices[series.rule]
        end_ns = void_ns[series.rule]
        last_ns = judged_ns.get((slices_rule_id(slo), series.group), -1)
        usable = (series.width_ns <= (slo.slice_ns or BUCKET_NS)) & (series.bucket_ns < end_ns)
        for place in np.flatnonzero(usable).tolist():
            bucket_ns = int(series.bucket_ns[place])
            row = DistributionDelta(series.rule, series.group, bucket_ns, series.field, series.distributions[place])
            if bucket_ns > last_ns:
                yield bucket_ns + int(series.width_ns[place]), row
            elif bucket_ns >= end_ns - engine.distribution_history_ns:
                yield end_ns, row


def _held(
    slo: Slo, engine: Engine, rows: list[SliDelta], counters: list[SliSeries], void_ns: Mapping[str, int]
) -> Held:
    own = {rule.id for rule in engine.rules if rule.id.startswith(f"{slo.name}@")}
    verdicts = slices_rule_id(slo)
    stored = [series for series in counters if series.rule in own or series.rule == verdicts]
    firsts = [row.bucket_ns for row in rows if row.rule in own]
    firsts += [int(series.bucket_ns[0]) for series in stored if len(series.bucket_ns)]
    ends: dict[int, int] = {}
    for series in stored:
        wide = series.width_ns > (max(slo.slice_ns or 0, BUCKET_NS) if series.rule == verdicts else BUCKET_NS)
        for width_ns, bucket_ns in zip(series.width_ns[wide].tolist(), series.bucket_ns[wide].tolist(), strict=True):
            ends[width_ns] = max(ends.get(width_ns, 0), bucket_ns + width_ns)
    folds = tuple(sorted(ends.items(), reverse=True))
    return Held(slo.name, min(firsts, default=None), min(void_ns[rule] for rule in own), folds)
