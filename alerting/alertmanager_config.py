"""Routes, inhibition rules and time intervals as an Alertmanager configuration, for tools that read one; no secrets."""

from __future__ import annotations

from typing import Any

import yaml

from alerting.config import AlertingConfig
from alerting.routing import Route
from alerting.time_intervals import WEEKDAYS, NamedIntervals, Range, TimeInterval
from telemetry.windows import format_duration


def config_text(config: AlertingConfig) -> str:
    """The configuration as YAML. Receivers are names only: where they are, and their secrets, are nobody's business."""
    document: dict[str, Any] = {
        "route": _route(config.route, is_root=True) if config.route else {"receiver": "nobody"},
        "receivers": [{"name": name} for name in config.receiver_names] or [{"name": "nobody"}],
    }
    if config.inhibit_rules:
        document["inhibit_rules"] = [
            {
                "source_matchers": [str(matcher) for matcher in rule.source.items],
                "target_matchers": [str(matcher) for matcher in rule.target.items],
                "equal": list(rule.equal),
            }
            for rule in config.inhibit_rules
        ]
    intervals = _intervals(config.route) if config.route else {}
    if intervals:
        document["time_intervals"] = [
            {"name": name, "time_intervals": [_interval(one) for one in found.intervals]}
            for name, found in sorted(intervals.items())
        ]
    return yaml.safe_dump(document, sort_keys=False)


def _route(route: Route, *, is_root: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"receiver": route.receiver}
    if not is_root:
        found |= {"matchers": [str(matcher) for matcher in route.matchers.items], "continue": route.go_on}
    found |= {
        "group_by": list(route.group_by),
        "group_wait": format_duration(route.timing.group_wait_ns),
        "group_interval": format_duration(route.timing.group_interval_ns),
        "repeat_interval": format_duration(route.timing.repeat_interval_ns),
    }
    for key, intervals in (("mute_time_intervals", route.muted_in), ("active_time_intervals", route.active_in)):
        if intervals:
            found[key] = [interval.name for interval in intervals]
    if route.routes:
        found["routes"] = [_route(child) for child in route.routes]
    return found


def _intervals(route: Route) -> dict[str, NamedIntervals]:
    found = {interval.name: interval for interval in (*route.muted_in, *route.active_in)}
    for child in route.routes:
        found |= _intervals(child)
    return found


def _interval(interval: TimeInterval) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if interval.times:
        found["times"] = [{"start_time": _clock(first), "end_time": _clock(last)} for first, last in interval.times]
    if interval.weekdays:
        found["weekdays"] = [f"{WEEKDAYS[first]}:{WEEKDAYS[last]}" for first, last in interval.weekdays]
    for key in ("days_of_month", "months", "years"):
        ranges: tuple[Range, ...] = getattr(interval, key)
        if ranges:
            found[key] = [f"{first}:{last}" for first, last in ranges]
    return found | {"location": interval.zone}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
