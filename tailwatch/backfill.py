"""Counts stored records for SLOs that they were not counted for when they came in, so that new ones are whole too.

It goes from slice to slice of event time: within one transaction, during which nobody commits records, what a slice's
counters held is replaced by a count of all rows of the slice. What is committed before is among these rows, and what is
committed later is counted on its way in; so nothing is lost or counted twice, however much comes in meanwhile, and
commits wait for a slice at most. Whoever is killed leaves slices that are filled or not, and the next start goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from collector.cardinality import CardinalityGuard
from collector.rollup import Deltas, roll_up
from detectors.slo.compile import verdicts_of
from storage import logs, spans
from storage.coverage import complete_from
from storage.database import Database, Transaction
from storage.labels import iterate_labelled
from storage.reader import record_hours
from storage.recount import replace_counters, replaceable_from, standstill
from storage.revisions import begin_backfill, end_backfill, register, revisions
from tailwatch.labels import judged_by
from telemetry.rules import SERIES_RULE_ID, RollupRule

_FOREVER_NS: Final = 2**63 - 1
_SLICE_RECORDS: Final = 200_000
"""Records of a slice, about; whole hours, since counters are folded to hours in time."""
_YIELD_S: Final = 0.02
"""Between slices, for commits that waited: a lock goes to whoever asks first, and that would be the next slice."""

_log = logging.getLogger(__name__)


def backfill(database: Database, rules: Sequence[RollupRule], guard: CardinalityGuard, now_ns: int) -> list[str]:
    """Make the counters of ``rules`` whole, as far back as stored rows are; the ids of those that lacked something.

    Whatever this process commits meanwhile has to be counted by ``rules`` already. One that another process does not
    count by is filled all the same, but passes for whole only once every commit since the beginning counted by it.

    Raises:
        StorageError: the database cannot be used; what was filled stays, and the rest is filled another time.
    """
    missing = lacking(database, rules)
    if not missing:
        return []
    with standstill(database) as connection:
        for rule in missing:
            register(connection, _slo_of(rule), rule.id, str(rule), now_ns)
            begin_backfill(connection, _slo_of(rule), rule.id, now_ns)
        complete_ns = complete_from(connection)
    events = 0
    for start_ns, end_ns in _slices(database, complete_ns):
        events += _fill(database, missing, guard, start_ns=start_ns, end_ns=end_ns, now_ns=now_ns)
        time.sleep(_YIELD_S)
    whole = [_end(database, rule, now_ns) for rule in missing]
    _log.info("counted %d stored events for new SLOs", events)
    if not all(whole):
        _log.warning("another process on this database takes records in that it does not count for new SLOs")
    return [rule.id for rule in missing]


def backfilled(database: Database) -> frozenset[str]:
    """The rules whose counters lack nothing: those that the collector counts by.

    Raises:
        StorageError: the database cannot be used.
    """
    return frozenset(one.revision for one in revisions(database) if one.backfilled_ns is not None)


def lacking(database: Database, rules: Sequence[RollupRule]) -> list[RollupRule]:
    """Those of ``rules`` whose counters lack something.

    Raises:
        StorageError: the database cannot be used.
    """
    whole = backfilled(database)
    return [rule for rule in rules if rule.id not in whole and rule.id != SERIES_RULE_ID]


def count_stored(
    database: Database,
    rules: Sequence[RollupRule],
    guard: CardinalityGuard,
    now_ns: int,
    start_ns: int = 0,
    end_ns: int = _FOREVER_NS,
    *,
    settled_only: bool = False,
) -> Deltas:
    """What the stored records and labels of [start, end) add to the counters of ``rules``; nothing is written.

    ``settled_only``: without the labels that wait to be counted.

    Raises:
        StorageError: the database cannot be used.
    """
    fields = frozenset().union(*(rule.names for rule in rules))
    batches = chain(
        spans.iterate_columns(database, start_ns, end_ns, fields=fields),
        logs.iterate_columns(database, start_ns, end_ns, fields=fields),
    )
    deltas = [roll_up(batch, rules, guard, now_ns) for batch in batches]
    judged = judged_by(rules)
    if judged:
        labelled = iterate_labelled(database, start_ns, end_ns, fields=fields, settled_only=settled_only)
        deltas += [roll_up(batch, judged, guard, now_ns) for batch in labelled]
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


def forget_verdicts(database: Database, rules: Collection[str]) -> None:
    """Drop what was judged from counters of ``rules`` that were replaced, so that it is judged anew.

    Raises:
        StorageError: the database cannot be used.
    """
    if rules:
        with database.write() as connection:
            for verdicts in map(verdicts_of, sorted(rules)):
                start_ns = replaceable_from(connection, [verdicts])
                replace_counters(connection, [verdicts], start_ns, _FOREVER_NS, (), ())


def _slices(database: Database, start_ns: int) -> Iterator[tuple[int, int]]:
    """[start, end) of event time, cut at whole hours and the last one open, with some records each."""
    records = 0
    for hour_ns, count in record_hours(database, start_ns):
        if records and records + count > _SLICE_RECORDS:
            yield start_ns, hour_ns
            start_ns, records = hour_ns, 0
        records += count
    yield start_ns, _FOREVER_NS


def _fill(
    database: Database,
    rules: Sequence[RollupRule],
    guard: CardinalityGuard,
    *,
    start_ns: int,
    end_ns: int,
    now_ns: int,
) -> int:
    """Put counts of stored rows in the place of a slice's counters; how many events they are."""
    with standstill(database) as connection:
        deltas = count_stored(database, rules, guard, now_ns, start_ns, end_ns, settled_only=True)
        # Asked last: rows that were deleted while they were counted have moved it.
        starts_ns = void_from(connection, rules)
        for rule in rules:
            replace_counters(
                connection, _own_ids(rule), max(start_ns, starts_ns[rule.id]), end_ns,
                (delta for delta in deltas.sli if delta.rule == rule.id),
                (delta for delta in deltas.distributions if delta.rule == rule.id),
            )  # fmt: skip
    return sum(delta.total for delta in deltas.sli)


def _end(database: Database, rule: RollupRule, began_ns: int) -> bool:
    """Whether the rule is whole now."""
    with database.write() as connection:
        return end_backfill(connection, _slo_of(rule), rule.id, began_ns)


def _own_ids(rule: RollupRule) -> tuple[str, str]:
    """What the collector counts, and what is judged from it."""
    return rule.id, verdicts_of(rule.id)


def _slo_of(rule: RollupRule) -> str:
    return rule.id.partition("@")[0]
