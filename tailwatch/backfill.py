"""Counts stored records for SLOs that the collector did not count by, so that new and returning ones are whole.

A revision is backfilled while the collector counts by it. One that leaves the configuration is retired, since its
counters will lack what comes in without it; when it returns, they are replaced as far back as rows are complete.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import chain

from collector.cardinality import CardinalityGuard
from collector.rollup import Deltas, roll_up
from detectors.slo.compile import verdicts_of
from storage import logs, spans
from storage.coverage import complete_from
from storage.database import Database, Transaction
from storage.recount import replace_counters, replaceable_from, standstill
from storage.revisions import mark_backfilled, register, retire, revisions
from telemetry.rules import SERIES_RULE_ID, RollupRule

_FOREVER_NS = 2**63 - 1

_log = logging.getLogger(__name__)


def backfill(database: Database, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int) -> list[str]:
    """Make the counters of ``rules`` whole, as far back as stored rows are; the ids of those that lacked something.

    All or nothing, in one transaction; others that write to the database wait meanwhile. Call it before the intake
    opens: records that arrive later are counted on their way in.

    Raises:
        StorageError: the database cannot be used.
    """
    configured = {rule.id: rule for rule in rules if rule.id != SERIES_RULE_ID}
    if backfilled(database) == configured.keys():
        return []
    with standstill(database) as connection:
        retire(connection, backfilled(database) - configured.keys())
        lacking = [rule for rule in configured.values() if _lacks(connection, rule, now_ns)]
        if lacking:
            _recount(database, connection, lacking, guard, now_ns)
    return [rule.id for rule in lacking]


def backfilled(database: Database) -> frozenset[str]:
    """The rules whose counters lack nothing: those that the collector counts by.

    Raises:
        StorageError: the database cannot be used.
    """
    return frozenset(one.revision for one in revisions(database) if one.backfilled_ns is not None)


def count_stored(
    database: Database, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int, start_ns: int = 0
) -> Deltas:
    """What the stored records from ``start_ns`` on add to the counters of ``rules``; nothing is written.

    Raises:
        StorageError: the database cannot be used.
    """
    fields = frozenset().union(*(rule.names for rule in rules))
    batches = chain(
        spans.iterate_columns(database, start_ns, _FOREVER_NS, fields=fields),
        logs.iterate_columns(database, start_ns, _FOREVER_NS, fields=fields),
    )
    deltas = [roll_up(batch, rules, guard, now_ns) for batch in batches]
    return Deltas(
        tuple(chain.from_iterable(delta.sli for delta in deltas)),
        tuple(chain.from_iterable(delta.distributions for delta in deltas)),
    )


def void_from(connection: Transaction, rules: Sequence[RollupRule]) -> Mapping[str, int]:
    """The bucket (ns) from which the counters of each of ``rules``, and its verdicts, are replaced by stored rows."""
    found: dict[str, int] = {}
    for rule in rules:
        own = _own_ids(rule)
        found |= dict.fromkeys(own, replaceable_from(connection, own))
    return found


def _recount(
    database: Database, connection: Transaction, lacking: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int
) -> None:
    deltas = count_stored(database, lacking, guard, now_ns, complete_from(connection))
    starts_ns = void_from(connection, lacking)
    for rule in lacking:
        sli = (delta for delta in deltas.sli if delta.rule == rule.id)
        distributions = (delta for delta in deltas.distributions if delta.rule == rule.id)
        replace_counters(connection, _own_ids(rule), starts_ns[rule.id], sli, distributions)
        mark_backfilled(connection, _slo_of(rule), rule.id, now_ns)
    _log.info("counted %d stored events for new SLOs", sum(delta.total for delta in deltas.sli))


def _lacks(connection: Transaction, rule: RollupRule, now_ns: int) -> bool:
    return register(connection, _slo_of(rule), rule.id, str(rule), now_ns).backfilled_ns is None


def _own_ids(rule: RollupRule) -> tuple[str, str]:
    """What the collector counts, and what is judged from it."""
    return rule.id, verdicts_of(rule.id)


def _slo_of(rule: RollupRule) -> str:
    return rule.id.partition("@")[0]
