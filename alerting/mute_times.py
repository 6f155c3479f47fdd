"""Which routes are muted when, for people to see; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alerting.config import AlertingConfig
from alerting.mute_windows import next_window
from alerting.routing import Route
from alerting.time_intervals import NamedIntervals
from telemetry.windows import NANOS


def mute_documents(config: AlertingConfig, now_ns: int) -> list[dict[str, Any]]:
    """Every time interval that a route uses, as the API gives it: the routes that it mutes, and when next.

    ``effect`` is ``mutes`` (the route tells nobody within it) or ``only`` (the route tells nobody outside of it).
    """
    if config.route is None:
        return []
    used: dict[tuple[str, str], tuple[NamedIntervals, list[dict[str, str]]]] = {}
    for route, path in _nodes(config.route, "{}"):
        for effect, intervals in (("mutes", route.muted_in), ("only", route.active_in)):
            for named in intervals:
                place = {"path": path, "receiver": route.receiver}
                used.setdefault((named.name, effect), (named, []))[1].append(place)
    return [_document(named, effect, routes, now_ns) for (_, effect), (named, routes) in sorted(used.items())]


def _document(named: NamedIntervals, effect: str, routes: Sequence[dict[str, str]], now_ns: int) -> dict[str, Any]:
    window = next_window(named, now_ns)
    holds = named.contains(now_ns)
    return {
        "name": named.name,
        "effect": effect,
        "holds": holds,
        "quiet": holds if effect == "mutes" else not holds,
        "starts": None if window is None else window.start_ns / NANOS,
        "ends": None if window is None or window.end_ns is None else window.end_ns / NANOS,
        "zones": sorted({interval.zone for interval in named.intervals}),
        "routes": list(routes),
    }


def _nodes(route: Route, path: str) -> Iterator[tuple[Route, str]]:
    yield route, path
    for child in route.routes:
        yield from _nodes(child, f"{path}/{child.matchers}")
