"""Alertmanager's route tree: which receivers an alert goes to, and with which others; it sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from alerting.time_intervals import NamedIntervals
from telemetry.matchers import Matchers, quoted, written_name
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
    """A node of the tree; everything is filled in, nothing is inherited any more.

    Attributes:
        muted_in: while one of these holds, the node tells nobody of what fires.
        active_in: while none of these holds, neither; empty for always.
    """

    receiver: str
    matchers: Matchers = field(default_factory=Matchers)
    go_on: bool = False
    group_by: tuple[str, ...] = ()
    timing: GroupTiming = field(default_factory=GroupTiming)
    routes: tuple[Route, ...] = ()
    muted_in: tuple[NamedIntervals, ...] = ()
    active_in: tuple[NamedIntervals, ...] = ()

    def mute_reason(self, now_ns: int) -> str | None:
        """Why the node tells nobody at a time (ns): the interval's name; None when it does tell."""
        muting = next((interval.name for interval in self.muted_in if interval.contains(now_ns)), None)
        if muting is None and self.active_in and not any(interval.contains(now_ns) for interval in self.active_in):
            return f"outside of {', '.join(interval.name for interval in self.active_in)}"
        return muting


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver and the group of alerts that it is told of together.

    Attributes:
        group_labels: the alert's values of the labels that the route groups by.
        key: identifies route and group, as Alertmanager writes it: ``{}/{severity="page"}:{slo="x"}``.
        route: the node of the tree that leads there.
        escalates: whether it is told only of what nobody has acknowledged.
    """

    receiver: str
    key: str
    group_labels: tuple[tuple[str, str], ...]
    route: Route
    escalates: bool = False


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told, too, of alerts that ``matchers`` accept when nobody has acknowledged them for ``after_ns``."""

    receiver: str
    after_ns: int
    matchers: Matchers = field(default_factory=Matchers)

    def destination(self, place: int, incident: str) -> Destination:
        """The escalation, the ``place``-th that is configured, of one incident."""
        labels = (("incident", incident),)
        route = Route(self.receiver, timing=GroupTiming(group_wait_ns=self.after_ns))
        key = f"escalations[{place}]:{format_labels(dict(labels))}"
        return Destination(self.receiver, key, labels, route, escalates=True)


def destinations(root: Route, labels: Mapping[str, str], incident: str) -> tuple[Destination, ...]:
    """Where an alert of an incident goes: the deepest matching routes, the first of siblings unless it continues.

    A group never reaches beyond its incident: ``incident`` is always among its labels.
    """
    return tuple(_destination(route, path, labels, incident) for route, path in matching(root, labels))


def matching(route: Route, labels: Mapping[str, str], above: str = "") -> list[tuple[Route, str]]:
    """The nodes below ``route`` that tell of an alert, each with its path in the tree; ``above`` is the path so far."""
    if not route.matchers.accepts(labels):
        return []
    path = f"{above}/{route.matchers}" if above else str(route.matchers)
    found: list[tuple[Route, str]] = []
    for child in route.routes:
        below = matching(child, labels, path)
        found.extend(below)
        if below and not child.go_on:
            break
    return found or [(route, path)]


def _destination(route: Route, path: str, labels: Mapping[str, str], incident: str) -> Destination:
    names = labels.keys() if ALL_LABELS in route.group_by else [name for name in route.group_by if name in labels]
    values = {name: labels[name] for name in names} | {"incident": incident}
    group_labels = tuple(sorted(values.items()))
    return Destination(route.receiver, f"{path}:{format_labels(dict(group_labels))}", group_labels, route)


def format_labels(labels: Mapping[str, str]) -> str:
    """A label set as Prometheus writes it: ``{a="1", b="2"}``."""
    return "{" + ", ".join(f"{written_name(name)}={quoted(labels[name])}" for name in sorted(labels)) + "}"
