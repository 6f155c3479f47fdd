"""Gives the groups of the last day their places under the cardinality limit back after a start; it counts nothing.

Without it a restart would be a race: whoever sends first takes the places, and groups that were told apart for months
may end in ``__overflow__``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from collector.cardinality import CardinalityGuard
from collector.series_places import SERVICE_PREFIX, SERVICES_SCOPE, service_of
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
        own = {key: seen_ns for key, seen_ns in groups.items() if not is_overflow(group_labels(key))}
        if rule == SERIES_RULE_ID:
            _give_series(guard, own)
        else:
            _give(guard, rule, own)
    # The series rule has measures only, which are numbers, and more rows than all others.
    gathering = [rule.id for rule in rules if rule.distributions and rule.id != SERIES_RULE_ID]
    for (rule, field), texts in counted_texts(database, gathering, since_ns).items():
        _give(guard, f"{rule}/{field}", {text: seen_ns for text, seen_ns in texts.items() if text != OVERFLOW_GROUP})


def _give_series(guard: CardinalityGuard, groups: LastSeen) -> None:
    by_service: dict[str, dict[str, int]] = {}
    for key, seen_ns in groups.items():
        service = service_of(key)
        # Put behind the others, so that services too are in the order in which they were seen last.
        own = by_service[service] = by_service.pop(service, {})
        own[key] = seen_ns
    last_seen = {service: max(own.values()) for service, own in by_service.items()}
    _give(guard, SERVICES_SCOPE, last_seen)
    for service in list(by_service)[-guard.limit :]:
        _give(guard, SERVICE_PREFIX + service, by_service[service])


def _give(guard: CardinalityGuard, scope: str, seen: LastSeen) -> None:
    for name, seen_ns in list(seen.items())[-guard.limit :]:
        guard.seed(scope, [name], seen_ns)
