"""Who is to be told of which incident now: routes, groups and what was told before, put together; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from alerting.config import AlertingConfig
from alerting.evidence import refreshed
from alerting.hooks.desk import offered
from alerting.incidents import Alert, Incident
from alerting.notifications import Group, Notification, Told, compose, reason_to_tell, shown, telling
from alerting.routing import Destination, destinations
from alerting.runbooks.library import RunbookLibrary
from alerting.runbooks.rendering import rendered_first_step
from telemetry.findings import Finding


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Something to tell a receiver, and what it knows afterwards.

    ``notification`` is None when the receiver does not want to hear it and only the record is kept. ``escalates``
    where it hears of the incident because nobody has acknowledged that.
    """

    number: int
    opened_ns: int
    receiver: str
    group_key: str
    known: Told
    notification: Notification | None
    escalates: bool = False


def dispatches(
    incidents: Iterable[Incident],
    members: Mapping[int, Sequence[Alert]],
    *,
    told: Mapping[tuple[int, str, str], Told],
    unsaid: frozenset[tuple[int, str, str]],
    config: AlertingConfig,
    runbooks: RunbookLibrary,
    now_ns: int,
    findings: Mapping[str, Finding],
) -> list[Dispatch]:
    """What to tell now, in the order of the incidents.

    Args:
        incidents: those that are open or were resolved recently.
        members: the alerts of each incident, by its number.
        told: what receivers were last told, by incident, receiver and group.
        unsaid: incident, receiver and group of what waits to be delivered.
        config: receivers and routes.
        runbooks: for the first step that a notification quotes.
        now_ns: nanoseconds since the epoch.
        findings: those that hold now, by fingerprint, so that a reminder states the budget as it is.
    """
    if config.route is None:
        return []
    found: list[Dispatch] = []
    for incident in incidents:
        alerts = members.get(incident.number, ())
        facts = _Facts(incident, alerts, config, runbooks, findings.get(incident.primary))
        for destination, group in _groups(config, incident, alerts):
            for receiver in config.receivers:
                key = (incident.number, receiver.id, destination.key)
                if receiver.name != destination.receiver:
                    continue
                before = told.get(key)
                reason = reason_to_tell(before, group, destination.route.timing, now_ns, unsaid=key in unsaid)
                # An end disturbs nobody, and who was told of a beginning waits for it.
                if reason is None or (reason != "resolved" and destination.route.mute_reason(now_ns)):
                    continue
                if reason == "opened" and destination.escalates and incident.status != "open":
                    continue
                known = telling(before, reason, group, now_ns)
                notification = None
                if reason != "resolved" or receiver.send_resolved:
                    notification = compose(
                        reason, Group(facts.present, group.alerts), facts.document, receiver=destination.receiver,
                        group_key=destination.key, group_labels=dict(destination.group_labels), runbook=facts.runbook,
                        external_url=config.external_url, now_ns=now_ns, hooks=facts.hooks,
                    )  # fmt: skip
                found.append(
                    Dispatch(
                        incident.number,
                        incident.opened_ns,
                        receiver.id,
                        destination.key,
                        known,
                        notification,
                        escalates=destination.escalates and reason == "opened",
                    )
                )
    return found


def _groups(config: AlertingConfig, incident: Incident, alerts: Sequence[Alert]) -> Iterator[tuple[Destination, Group]]:
    """The alerts of an incident that have ever fired, by receiver and group."""
    found: dict[tuple[str, str], tuple[Destination, list[Alert]]] = {}
    for alert in alerts:
        if alert.state.fired_ns is None:
            continue
        for destination in _destinations(config, alert, incident.id):
            found.setdefault((destination.receiver, destination.key), (destination, []))[1].append(alert)
    for destination, members in found.values():
        yield destination, Group(incident, tuple(members))


def _destinations(config: AlertingConfig, alert: Alert, incident: str) -> Iterator[Destination]:
    if config.route is not None:
        yield from destinations(config.route, alert.labels, incident)
    for place, escalation in enumerate(config.escalations):
        if escalation.matchers.accepts(alert.labels):
            yield escalation.destination(place, incident)


@dataclass(frozen=True)
class _Facts:
    """What everybody is told of an incident alike, put together once somebody is to be told."""

    incident: Incident
    alerts: Sequence[Alert]
    config: AlertingConfig
    runbooks: RunbookLibrary
    finding: Finding | None

    @cached_property
    def document(self) -> dict[str, Any]:
        return shown(self.incident, self.alerts)

    @cached_property
    def present(self) -> Incident:
        """The incident with budget and burn as they are now."""
        if self.finding is None:
            return self.incident
        return replace(self.incident, evidence=refreshed(self.incident.evidence, self.finding.evidence))

    @cached_property
    def runbook(self) -> dict[str, str]:
        runbook = self.runbooks.choose(self.incident.runbook, self.incident.cause)
        step = rendered_first_step(runbook, self.document, self.incident.evidence, self.config.external_url)
        return {"name": runbook.name, "title": runbook.title, "first_step": step}

    @cached_property
    def hooks(self) -> tuple[str, ...]:
        return offered(self.config.hooks, self.incident, self.alerts)
