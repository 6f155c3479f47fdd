"""How SLOs stand, straight from the database: configured ones by their counters, others by the stored rows."""

from __future__ import annotations

from typing import Any

from collector.cardinality import CardinalityGuard
from detectors.slo.engine import Engine
from detectors.slo.spec import SloSet
from storage import corrections
from storage.database import Database
from tailwatch.backfill import backfilled, count_stored, void_from
from tailwatch.estimates import estimate, shown_in
from tailwatch.gauge_feed import GaugeFeed
from tailwatch.history import last_heard, load_history


def evaluate_now(database: Database, slos: SloSet, max_groups: int, now_ns: int) -> list[dict[str, Any]]:
    """The API's document of every SLO at ``now_ns``; nothing is written.

    Raises:
        StorageError: the database cannot be used.
    """
    engine = Engine(slos, corrections.load(database))
    counted = backfilled(database)
    uncounted = [rule for rule in engine.rules if rule.id not in counted]
    with database.read() as connection:
        void_ns = void_from(connection, uncounted)
    load_history(database, engine, now_ns, void_ns)
    if uncounted:
        deltas = count_stored(database, uncounted, CardinalityGuard(max_groups), now_ns, min(void_ns.values()))
        engine.ingest_sli(delta for delta in deltas.sli if delta.bucket_ns >= void_ns[delta.rule])
        engine.ingest_distributions(delta for delta in deltas.distributions if delta.bucket_ns >= void_ns[delta.rule])
    engine.ingest_gauges(GaugeFeed().read(database, engine.gauges, now_ns))
    made = estimate(database, slos, now_ns)
    return [shown_in(status.to_json(), made) for status in engine.step(now_ns, last_heard(database, now_ns)).statuses]
