"""Counts what was stored before an SLO existed, once, so that a new or changed SLO has a history."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from itertools import chain

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from storage import logs, spans
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from storage.revisions import mark_backfilled, register
from telemetry.rules import SERIES_RULE_ID, RollupRule

_log = logging.getLogger(__name__)


def backfill(database: Database, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int) -> list[str]:
    """Count stored records by the rules that are new; the ids of those rules.

    All of it is one payload with a digest of its own, so a kill between commit and note counts nothing twice. Call
    it before the intake opens: records that arrive later are counted on their way in.

    Raises:
        StorageError: the database cannot be used.
    """
    new = [rule for rule in rules if rule.id != SERIES_RULE_ID and _is_new(database, rule, now_ns)]
    if not new:
        return []
    payload = count_stored(database, new, guard, now_ns)
    commit(database, [payload], now_ns, keep_rows=False)
    for rule in new:
        mark_backfilled(database, rule.id.partition("@")[0], rule.id, now_ns)
    events = sum(delta.total for delta in payload.sli)
    _log.info("counted %d stored events for new SLOs: %s", events, ", ".join(rule.id for rule in new))
    return [rule.id for rule in new]


def count_stored(
    database: Database, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int
) -> PreparedPayload:
    """What the stored records add to the counters of ``rules``; nothing is written.

    Raises:
        StorageError: the database cannot be used.
    """
    end_ns = 2**63 - 1
    fields = frozenset().union(*(rule.names for rule in rules))
    batches = chain(
        spans.iterate_columns(database, 0, end_ns, fields=fields),
        logs.iterate_columns(database, 0, end_ns, fields=fields),
    )
    deltas = [roll_up(batch, rules, guard, now_ns) for batch in batches]
    identity = "backfill:" + ",".join(sorted(rule.id for rule in rules))
    return PreparedPayload(
        digest=hashlib.blake2b(identity.encode(), digest_size=16).digest(),
        columns=(),
        feedback=(),
        sli=tuple(chain.from_iterable(delta.sli for delta in deltas)),
        distributions=tuple(chain.from_iterable(delta.distributions for delta in deltas)),
        spans=0,
    )


def _is_new(database: Database, rule: RollupRule, now_ns: int) -> bool:
    name = rule.id.partition("@")[0]
    return register(database, name, rule.id, str(rule), now_ns).backfilled_ns is None
