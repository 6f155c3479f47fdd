"""What one part of the ``alerting:`` section says of another: names that must be defined, and what the root must have.

It looks at the section as YAML gives it, so that these problems are told together with all others, each with its
line; what is not of the right type is left for the check of its shape to name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from alerting.config_problems import Path, Problem

_MAX_DEPTH: Final = 20
_INTERVALS: Final = ("mute_time_intervals", "active_time_intervals")


def crossings(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Every name that nothing defines or that two things have, and what is wrong with the root of the routes."""
    receivers = _names(document, "receivers")
    intervals = _names(document, "time_intervals")
    yield from _twice(receivers, "receivers")
    yield from _twice(intervals, "time intervals")
    for path, name in _told(document):
        yield from _known(name, receivers.values(), path, "receiver")
    budgets = list(_entries(document, "noise_budgets"))
    for path, budget in budgets:
        if any(budget.get("receiver") == other.get("receiver") for before, other in budgets if before < path):
            what = f"two noise budgets are for {str(budget.get('receiver'))[:100]!r}; write both limits into one"
            yield path, what
    route = document.get("route")
    if route is None:
        if len(receivers) > 1:
            yield (), "there are several receivers and no route; write route: {receiver: NAME}"
    elif isinstance(route, Mapping):
        yield from _root(route)
        yield from _route(route, ("route",), receivers.values(), intervals.values())


def _told(document: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for key in ("escalations", "noise_budgets"):
        for path, entry in _entries(document, key):
            yield (*path, "receiver"), entry.get("receiver")


def _root(route: Mapping[str, Any]) -> Iterator[Problem]:
    if route.get("receiver") is None:
        yield ("route",), "route has no receiver; the root must name one, so that every alert reaches somebody"
    for key in ("matchers", "continue", *_INTERVALS):
        if route.get(key):
            yield ("route", key), f"the root route has {key}; put them into its routes:"


def _route(
    node: Mapping[str, Any], path: Path, receivers: Collection[str], intervals: Collection[str]
) -> Iterator[Problem]:
    if path.count("routes") > _MAX_DEPTH:
        yield path, f"this is nested more than {_MAX_DEPTH} deep; flatten the tree"
        return
    yield from _known(node.get("receiver"), receivers, (*path, "receiver"), "receiver")
    for key in _INTERVALS:
        names = node.get(key)
        for name in names if isinstance(names, list) else ():
            yield from _known(name, intervals, (*path, key), "time interval")
    for below, child in _entries(node, "routes"):
        yield from _route(child, (*path, *below), receivers, intervals)


def _entries(node: Mapping[str, Any], key: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    entries = node.get(key)
    for place, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, Mapping):
            yield (key, place), entry


def _names(document: Mapping[str, Any], key: str) -> dict[Path, str]:
    """The names that the list under a key defines."""
    return {path: entry["name"] for path, entry in _entries(document, key) if isinstance(entry.get("name"), str)}


def _twice(names: Mapping[Path, str], kind: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for path, name in names.items():
        if name in seen:
            yield (*path, "name"), f"two {kind} are named {name[:100]!r}; rename one"
        seen.add(name)


def _known(name: Any, defined: Collection[str], path: Path, kind: str) -> Iterator[Problem]:
    if isinstance(name, str) and name not in defined:
        known = ", ".join(sorted(defined)) or "none is defined"
        yield path, f"this names {name[:100]!r}, which is no {kind} ({known}); define it or correct the name"
