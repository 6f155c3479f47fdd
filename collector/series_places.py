"""Which groups of the built-in series rule have a place: services are bounded, then the series of each; it counts none.

One service with ids in its labels can then take the places of its own series, and of no other service's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from collector.cardinality import PART, CardinalityGuard
from telemetry.deltas import group_labels
from telemetry.rules import SERIES_RULE_ID

SERVICES_SCOPE: Final = f"{SERIES_RULE_ID} services"
SERVICE_PREFIX: Final = f"{SERIES_RULE_ID}{PART}"
"""What the scope of a service begins with; its name follows."""


def admit_series(guard: CardinalityGuard, events: Mapping[str, int], now_ns: int) -> list[bool]:
    """Whether each group of ``events`` has a place; what they count is how many events each has."""
    by_service: dict[str, list[str]] = defaultdict(list)
    for group in events:
        by_service[service_of(group)].append(group)
    totals = [sum(events[group] for group in groups) for groups in by_service.values()]
    known = guard.admit(SERVICES_SCOPE, [*by_service], now_ns, totals)
    verdicts = dict.fromkeys(events, False)
    for (service, groups), is_known in zip(by_service.items(), known, strict=True):
        if is_known:
            weights = [events[group] for group in groups]
            verdicts.update(zip(groups, guard.admit(SERVICE_PREFIX + service, groups, now_ns, weights), strict=True))
    return [*verdicts.values()]


def service_of(group: str) -> str:
    """The service in a group's text."""
    return group_labels(group).get("service", "")
