"""Loads into an engine what its SLOs look back on."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.slo.compile import slices_rule_id
from detectors.slo.engine import Engine
from storage.database import Database
from storage.positions import Position
from storage.rollups import DistributionSeries, SliSeries, load
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.windows import BUCKET_NS


def load_history(database: Database, engine: Engine, now_ns: int) -> Position:
    """Hand ``engine`` the stored counts, slices and distributions that it looks back on; where to read on from.

    Raises:
        StorageError: the database cannot be used.
    """
    rules = [*(rule.id for rule in engine.rules), *(slices_rule_id(slo) for slo in engine.slos.slos)]
    loaded = load(database, rules, now_ns - engine.history_ns, now_ns + 2 * BUCKET_NS)
    engine.ingest_sli(delta for series in loaded.sli for delta in _counts(series))
    engine.ingest_distributions(delta for series in loaded.distributions for delta in _distributions(series))
    return loaded.position


def _counts(series: SliSeries) -> Iterator[SliDelta]:
    columns = series.bucket_ns.tolist(), series.good.tolist(), series.total.tolist()
    for bucket_ns, good, total in zip(*columns, strict=True):
        yield SliDelta(series.rule, series.group, bucket_ns, good, total)


def _distributions(series: DistributionSeries) -> Iterator[DistributionDelta]:
    for bucket_ns, distribution in zip(series.bucket_ns.tolist(), series.distributions, strict=True):
        yield DistributionDelta(series.rule, series.group, bucket_ns, series.field, distribution)
