"""What did not fit under the cardinality limit, told as people need it: of which SLO, how much, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.metrics.places import METRICS_SCOPE
from telemetry.deltas import OVERFLOW_GROUP
from telemetry.rules import SERIES_RULE_ID

_REMEDY = (
    "name labels with fewer values under per, have senders stop putting ids into them, or raise max_groups"
    " (TAILWATCH_MAX_GROUPS)"
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
    rule, _, field = scope.partition("/")
    if rule == METRICS_SCOPE:
        return _metrics_document(scope, field, events, limit)
    slo = None if rule == SERIES_RULE_ID else rule.partition("@")[0]
    whose = "the service series" if slo is None else f"SLO {slo}"
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
