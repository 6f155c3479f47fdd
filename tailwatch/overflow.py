"""What did not fit under the cardinality limit, told as people need it: of which SLO, how much, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.metrics.places import METRICS_SCOPE
from collector.series_places import SERVICE_PREFIX, SERVICES_SCOPE
from telemetry.deltas import OVERFLOW_GROUP

_REMEDY = (
    "name labels with fewer values under per, have senders stop putting ids into them, or raise max_groups"
    " (TAILWATCH_MAX_GROUPS)"
)


_SERIES_REMEDY = (
    "have senders stop putting ids into names of services, operations, models, versions, environments and input types,"
    " or raise max_groups (TAILWATCH_MAX_GROUPS)"
)
_METRICS_REMEDY = (
    "have senders stop putting ids into names and attributes of metrics, or raise max_groups (TAILWATCH_MAX_GROUPS)"
)


def is_overflow(labels: Mapping[str, str]) -> bool:
    """Whether these labels are those of all groups beyond the limit together."""
    return bool(labels) and set(labels.values()) == {OVERFLOW_GROUP}


def overflow_documents(overflowed: Mapping[str, int], limit: int) -> list[dict[str, Any]]:
    """One document a scope, the most events first; ``slo`` is None for the service series."""
    return [
        _document(scope, events, limit)
        for scope, events in sorted(overflowed.items(), key=lambda item: (-item[1], item[0]))
    ]


def _document(scope: str, events: int, limit: int) -> dict[str, Any]:
    if scope == SERVICES_SCOPE or scope.startswith(SERVICE_PREFIX):
        return _series_document(scope, events, limit)
    rule, _, field = scope.partition("/")
    if rule == METRICS_SCOPE:
        return _metrics_document(scope, field, events, limit)
    slo = rule.partition("@")[0]
    whose = f"SLO {slo}"
    what = f"the values of {field} of {whose}" if field else f"the groups of {whose}"
    return {
        "scope": scope,
        "slo": slo,
        "field": field or None,
        "events": events,
        "limit": limit,
        "what": f"{events:,} events of {what} are counted as __overflow__, beyond the limit of {limit:,}",
        "remedy": _REMEDY,
    }


def _series_document(scope: str, events: int, limit: int) -> dict[str, Any]:
    service = scope.removeprefix(SERVICE_PREFIX)
    whose = f"the series of service {service}"
    if scope == SERVICES_SCOPE:
        whose = "further services"
    elif service == OVERFLOW_GROUP:
        whose = "the series of further services"
    return {
        "scope": scope,
        "slo": None,
        "field": None,
        "events": events,
        "limit": limit,
        "what": f"{events:,} events of {whose} are counted as __overflow__, beyond the limit of {limit:,}",
        "remedy": _SERIES_REMEDY,
    }


def _metrics_document(scope: str, of: str, events: int, limit: int) -> dict[str, Any]:
    return {
        "scope": scope,
        "slo": None,
        "field": None,
        "events": events,
        "limit": limit,
        "what": f"{events:,} metric points beyond the limit of {of} are counted as __overflow__, or were rejected",
        "remedy": _METRICS_REMEDY,
    }
