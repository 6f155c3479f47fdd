"""Who is to be told of which incident now: routes, groups and what was told before, put together; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from alerting.config import AlertingConfig
from alerting.incidents import Alert, Incident
from alerting.notifications import Group, Reason, Told, reason_to_tell, telling
from alerting.receivers.protocol import Receiver
from alerting.routing import Destination, destinations
from telemetry.findings import Finding

_FIGURES: Final = ("budget", "burn")


class Directory:
    """Which groups of which receivers an alert belongs to, by one configuration's routes and escalations."""

    def __init__(self, config: AlertingConfig) -> None:
        self._config = config

    def groups(self, incident: Incident, alerts: Iterable[Alert]) -> Iterator[tuple[Destination, Group]]:
        """The alerts of an incident that have ever fired, by receiver and group."""
        found: dict[tuple[str, str], tuple[Destination, list[Alert]]] = {}
        for alert in alerts:
            if alert.state.fired_ns is None:
                continue
            for destination in self._of(alert, incident):
                found.setdefault((destination.receiver, destination.key), (destination, []))[1].append(alert)
        for destination, members in found.values():
            yield destination, Group(incident, tuple(members))

    def _of(self, alert: Alert, incident: Incident) -> tuple[Destination, ...]:
        route = self._config.route
        routed = () if route is None else destinations(route, alert.labels, incident.id)
        escalated = (
            escalation.destination(place, incident.id)
            for place, escalation in enumerate(self._config.escalations)
            if escalation.matchers.accepts(alert.labels)
        )
        return (*routed, *escalated)


class StandingDirectory(Directory):
    """A directory that remembers what it was asked: for evaluations, one at a time, which :meth:`turn` it each."""

    def __init__(self, config: AlertingConfig) -> None:
        super().__init__(config)
        self._known: dict[tuple[str, int], tuple[Destination, ...]] = {}
        self._former: dict[tuple[str, int], tuple[Destination, ...]] = {}

    def turn(self) -> None:
        """Forget what was not asked for since the last turn."""
        self._former, self._known = self._known, {}

    def _of(self, alert: Alert, incident: Incident) -> tuple[Destination, ...]:
        key = alert.fingerprint, incident.number
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._former.get(key) or super()._of(alert, incident)
        return known


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Something to tell a receiver, and what it knows afterwards.

    Attributes:
        said: False when the receiver does not want to hear it, and only the record is kept.
        figures: budget and burn as they are now; empty when those in the incident's evidence are of this moment.
        escalates: it hears of the incident because nobody has acknowledged that.
    """

    number: int
    opened_ns: int
    receiver: str
    group_key: str
    reason: Reason
    known: Told
    said: bool = True
    figures: Mapping[str, Any] = field(default_factory=dict)
    escalates: bool = False


def dispatches(
    incidents: Iterable[Incident],
    members: Mapping[int, Sequence[Alert]],
    *,
    told: Mapping[tuple[int, str, str], Told],
    unsaid: frozenset[tuple[int, str, str]],
    config: AlertingConfig,
    directory: Directory,
    now_ns: int,
    findings: Mapping[str, Finding],
) -> list[Dispatch]:
    """What to tell now, in the order of the incidents.

    Args:
        incidents: those that are open or were resolved recently.
        members: the alerts of each incident, by its number.
        told: what receivers were last told, by incident, receiver and group.
        unsaid: incident, receiver and group of what waits to be delivered.
        config: the receivers.
        directory: its routes.
        now_ns: nanoseconds since the epoch.
        findings: those that hold now, by fingerprint, so that a reminder states the budget as it is.
    """
    if config.route is None:
        return []
    ids: dict[str, list[tuple[Receiver, str]]] = {}
    for receiver in config.receivers:
        ids.setdefault(receiver.name, []).append((receiver, receiver.id))
    found: list[Dispatch] = []
    for incident in incidents:
        alerts = members.get(incident.number, ())
        for destination, group in directory.groups(incident, alerts):
            for receiver, receiver_id in ids.get(destination.receiver, ()):
                key = (incident.number, receiver_id, destination.key)
                before = told.get(key)
                reason = reason_to_tell(before, group, destination.route.timing, now_ns, unsaid=key in unsaid)
                # An end disturbs nobody, and who was told of a beginning waits for it.
                if reason is None or (reason != "resolved" and destination.route.mute_reason(now_ns)):
                    continue
                if reason == "opened" and destination.escalates and incident.status != "open":
                    continue
                found.append(
                    Dispatch(
                        incident.number,
                        incident.opened_ns,
                        receiver_id,
                        destination.key,
                        reason,
                        telling(before, reason, group, now_ns),
                        said=reason != "resolved" or receiver.send_resolved,
                        figures=_figures(incident, findings.get(incident.primary), now_ns),
                        escalates=destination.escalates and reason == "opened",
                    )
                )
    return found


def _figures(incident: Incident, finding: Finding | None, now_ns: int) -> Mapping[str, Any]:
    if finding is None or incident.opened_ns == now_ns:
        return {}
    return {name: finding.evidence[name] for name in _FIGURES if name in finding.evidence}
