"""Gives the groups of the last day their places under the cardinality limit back after a start; it counts nothing.

Without it a restart would be a race: whoever sends first takes the places, and groups that were told apart for months
may end in ``__overflow__``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from collector.cardinality import CardinalityGuard
from storage.database import Database
from storage.groups import LastSeen, counted_groups, counted_texts
from tailwatch.overflow import is_overflow
from telemetry.deltas import OVERFLOW_GROUP, group_labels
from telemetry.rules import SERIES_RULE_ID, RollupRule
from telemetry.windows import NANOS

REMEMBERED_NS: Final = 86400 * NANOS
"""As long as the guard keeps an idle group's place."""


def seed(guard: CardinalityGuard, database: Database, rules: Sequence[RollupRule], now_ns: int) -> None:
    """Give places to the groups that ``rules`` counted within the last day, the newest if there are too many.

    Raises:
        StorageError: the database cannot be used.
    """
    since_ns = now_ns - REMEMBERED_NS
    for rule, groups in counted_groups(database, [rule.id for rule in rules], since_ns).items():
        _give(guard, rule, {key: seen_ns for key, seen_ns in groups.items() if not is_overflow(group_labels(key))})
    # The series rule has measures only, which are numbers, and more rows than all others.
    gathering = [rule.id for rule in rules if rule.distributions and rule.id != SERIES_RULE_ID]
    for (rule, field), texts in counted_texts(database, gathering, since_ns).items():
        _give(guard, f"{rule}/{field}", {text: seen_ns for text, seen_ns in texts.items() if text != OVERFLOW_GROUP})


def _give(guard: CardinalityGuard, scope: str, seen: LastSeen) -> None:
    for name, seen_ns in list(seen.items())[-guard.limit :]:
        guard.seed(scope, [name], seen_ns)
