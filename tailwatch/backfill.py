"""Counts what was stored before an SLO existed, once, so that a new or changed SLO has a history."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from itertools import chain

from collector.cardinality import CardinalityGuard
from collector.rollup import Deltas, roll_up
from storage import logs, spans
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from storage.revisions import mark_backfilled, register
from telemetry.rules import SERIES_RULE_ID, RollupRule

_FOREVER_NS = 2**63 - 1

_log = logging.getLogger(__name__)


def backfill(database: Database, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int) -> list[str]:
    """Count stored records by the rules that are new; the ids of those rules.

    Each rule is a payload with a digest of its own, so a kill between commit and note counts nothing twice. Call it
    before the intake opens: records that arrive later are counted on their way in.

    Raises:
        StorageError: the database cannot be used.
    """
    new = [rule for rule in rules if rule.id != SERIES_RULE_ID and _is_new(database, rule, now_ns)]
    if not new:
        return []
    deltas = count_stored(database, new, guard, now_ns)
    commit(database, [_payload(rule, deltas) for rule in new], now_ns, keep_rows=False)
    for rule in new:
        mark_backfilled(database, _slo_of(rule), rule.id, now_ns)
    _log.info("counted %d stored events for new SLOs", sum(delta.total for delta in deltas.sli))
    return [rule.id for rule in new]


def count_stored(database: Database, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int) -> Deltas:
    """What the stored records add to the counters of ``rules``; nothing is written.

    Raises:
        StorageError: the database cannot be used.
    """
    fields = frozenset().union(*(rule.names for rule in rules))
    batches = chain(
        spans.iterate_columns(database, 0, _FOREVER_NS, fields=fields),
        logs.iterate_columns(database, 0, _FOREVER_NS, fields=fields),
    )
    deltas = [roll_up(batch, rules, guard, now_ns) for batch in batches]
    return Deltas(
        tuple(chain.from_iterable(delta.sli for delta in deltas)),
        tuple(chain.from_iterable(delta.distributions for delta in deltas)),
    )


def _payload(rule: RollupRule, deltas: Deltas) -> PreparedPayload:
    return PreparedPayload(
        digest=hashlib.blake2b(f"backfill:{rule.id}".encode(), digest_size=16).digest(),
        columns=(),
        feedback=(),
        sli=tuple(delta for delta in deltas.sli if delta.rule == rule.id),
        distributions=tuple(delta for delta in deltas.distributions if delta.rule == rule.id),
        spans=0,
    )


def _is_new(database: Database, rule: RollupRule, now_ns: int) -> bool:
    return register(database, _slo_of(rule), rule.id, str(rule), now_ns).backfilled_ns is None


def _slo_of(rule: RollupRule) -> str:
    return rule.id.partition("@")[0]
