"""Alertmanager's route tree: which receivers an alert goes to, and with which others; it sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.matchers import Matchers
from telemetry.windows import NANOS

ALL_LABELS: Final = "..."
"""As a member of ``group_by``: every label, so that each alert is a group of its own."""


@dataclass(frozen=True, slots=True)
class GroupTiming:
    """How soon and how often a group of alerts is told, in nanoseconds (Alertmanager's names).

    The first notification leaves at once by default, where Alertmanager waits for 30 s: alerts that join
    within moments are in the same incident anyway, and an escalation is told at once.
    """

    group_wait_ns: int = 0
    group_interval_ns: int = 5 * 60 * NANOS
    repeat_interval_ns: int = 4 * 3600 * NANOS


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree; everything is filled in, nothing is inherited any more."""

    receiver: str
    matchers: Matchers = field(default_factory=Matchers)
    go_on: bool = False
    group_by: tuple[str, ...] = ()
    timing: GroupTiming = field(default_factory=GroupTiming)
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver and the group of alerts that it is told of together.

    Attributes:
        group_labels: the alert's values of the labels that the route groups by.
        key: identifies route and group, as Alertmanager writes it: ``{}/{severity="page"}:{slo="x"}``.
    """

    receiver: str
    key: str
    group_labels: tuple[tuple[str, str], ...]
    timing: GroupTiming


def destinations(root: Route, labels: Mapping[str, str], incident: str) -> tuple[Destination, ...]:
    """Where an alert of an incident goes: the deepest matching routes, the first of siblings unless it continues.

    A group never reaches beyond its incident: ``incident`` is always among its labels.
    """
    return tuple(_destination(route, path, labels, incident) for route, path in _matching(root, "", labels))


def _matching(route: Route, above: str, labels: Mapping[str, str]) -> list[tuple[Route, str]]:
    if not route.matchers.accepts(labels):
        return []
    path = f"{above}/{route.matchers}" if above else str(route.matchers)
    found: list[tuple[Route, str]] = []
    for child in route.routes:
        below = _matching(child, path, labels)
        found.extend(below)
        if below and not child.go_on:
            break
    return found or [(route, path)]


def _destination(route: Route, path: str, labels: Mapping[str, str], incident: str) -> Destination:
    names = labels.keys() if ALL_LABELS in route.group_by else [name for name in route.group_by if name in labels]
    values = {name: labels[name] for name in names} | {"incident": incident}
    group_labels = tuple(sorted(values.items()))
    return Destination(route.receiver, f"{path}:{format_labels(dict(group_labels))}", group_labels, route.timing)


def format_labels(labels: Mapping[str, str]) -> str:
    """A label set as Prometheus writes it: ``{a="1", b="2"}``."""
    return "{" + ", ".join(f"{name}={_quote(labels[name])}" for name in sorted(labels)) + "}"


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
