"""How SLOs stand, straight from the database: configured ones by their counters, others by the stored rows."""

from __future__ import annotations

from typing import Any

from collector.cardinality import CardinalityGuard
from detectors.slo.engine import Engine
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.revisions import revisions
from tailwatch.backfill import count_stored
from tailwatch.history import last_heard, load_history


def evaluate_now(database: Database, slos: SloSet, max_groups: int, now_ns: int) -> list[dict[str, Any]]:
    """The API's document of every SLO at ``now_ns``; nothing is written.

    Raises:
        StorageError: the database cannot be used.
    """
    engine = Engine(slos)
    load_history(database, engine, now_ns)
    counted = {revision.revision for revision in revisions(database) if revision.backfilled_ns is not None}
    uncounted = [rule for rule in engine.rules if rule.id not in counted]
    if uncounted:
        deltas = count_stored(database, uncounted, CardinalityGuard(max_groups), now_ns)
        engine.ingest_sli(deltas.sli)
        engine.ingest_distributions(deltas.distributions)
    return [status.to_json() for status in engine.step(now_ns, last_heard(database, now_ns)).statuses]
