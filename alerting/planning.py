"""What one evaluation changes in alerts and incidents, as data; nothing is read or stored here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from alerting import incidents as transitions
from alerting.correlation import UNKNOWN, BudgetKey, Related, budget_key, incident_for, is_better, precedence
from alerting.evidence import assemble, encoded, refreshed
from alerting.incidents import MACHINE, Alert, EventKind, Incident, TimelineEvent
from alerting.lazy_json import LazyJson
from alerting.quieting import Quieting
from alerting.routing import Route
from alerting.runbooks.library import RunbookLibrary
from alerting.state import AlertTiming
from alerting.steps import Step
from alerting.titles import kind_of, name_of, title_of, told_apart
from alerting.withheld import muted_notes, suppressed_notes
from telemetry.findings import CAUSES, Diagnosis
from telemetry.windows import NANOS, format_duration

_CALLS: Final[tuple[EventKind, ...]] = ("opened", "reopened", "escalated", "woken")
"""Events of which people are told at once, unless they are muted."""


@dataclass(frozen=True, slots=True)
class World:
    """What is stored about alerts that live and incidents that are open or recently resolved."""

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]
    next_number: int


@dataclass(frozen=True, slots=True)
class PlanRules:
    """By what rules alerts become incidents.

    ``correlation_ns`` is how far apart the onsets of one fault may lie; ``related`` holds, by service, those whose
    faults may be its own; ``route`` is the tree by which alerts are told, for notes of what is muted.
    """

    timing: AlertTiming
    correlation_ns: int
    runbooks: RunbookLibrary
    related: Related = field(default_factory=dict)
    route: Route | None = None


@dataclass(slots=True)
class Plan:
    """The world as it will be, and what differs from the stored one.

    ``alerts`` holds those that are to be stored, ``dropped`` the rows to be deleted: alerts that never fired.
    """

    members: dict[int, dict[str, Alert]]
    incidents: dict[int, Incident]
    next_number: int
    alerts: dict[str, Alert] = field(default_factory=dict)
    dropped: list[int] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    events: list[tuple[int, TimelineEvent]] = field(default_factory=list)
    budgets: dict[int, set[BudgetKey]] = field(init=False, default_factory=dict)
    _by_budget: dict[BudgetKey, set[int]] = field(init=False, default_factory=dict)
    _by_service: dict[str, set[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for number, group in self.members.items():
            for alert in group.values():
                self._count(number, alert)
        for incident in self.incidents.values():
            self._by_service.setdefault(incident.service, set()).add(incident.number)

    def _count(self, number: int, alert: Alert) -> None:
        key = budget_key(alert.labels)
        self.budgets.setdefault(number, set()).add(key)
        self._by_budget.setdefault(key, set()).add(number)
        self._by_service.setdefault(alert.labels.get("service", ""), set()).add(number)

    def candidates(self, alert: Alert, related: Related) -> list[Incident]:
        """The incidents that have something in common with the alert: it joins none of the others.

        What a diagnosis has in common with an incident changes with that incident, so it is compared with each.
        """
        if alert.diagnosis is not None:
            return list(self.incidents.values())
        service = alert.labels.get("service", "")
        numbers = set(self._by_budget.get(budget_key(alert.labels), ()))
        for name in {service} | related.get(service, frozenset()):
            numbers |= self._by_service.get(name, set())
        return [self.incidents[number] for number in sorted(numbers) if number in self.incidents]

    def put_alert(self, alert: Alert) -> None:
        """Store the alert, and count it among its incident's."""
        self.alerts[alert.fingerprint] = alert
        if alert.incident is not None:
            self.members.setdefault(alert.incident, {})[alert.fingerprint] = alert
            self._count(alert.incident, alert)

    def put_incident(self, incident: Incident, event: TimelineEvent) -> None:
        """Store the incident, and the event in its timeline."""
        self.incidents[incident.number] = incident
        self.changed.add(incident.number)
        self.events.append((incident.number, event))

    def note(self, number: int, at_ns: int, kind: EventKind, text: str) -> None:
        """An event that nobody caused, in an incident that stays as it is."""
        self.put_incident(self.incidents[number], TimelineEvent(at_ns, kind, MACHINE, text))


def plan(
    world: World, steps: Sequence[Step], diagnoses: Mapping[str, Diagnosis], now_ns: int, rules: PlanRules
) -> Plan:
    """What the steps of one evaluation, with the diagnoses of what fires, change in the world."""
    members: dict[int, dict[str, Alert]] = {}
    for alert in world.alerts:
        if alert.incident is not None:
            members.setdefault(alert.incident, {})[alert.fingerprint] = alert
    draft = Plan(members, {incident.number: incident for incident in world.incidents}, world.next_number)
    for taken in steps:
        _store(draft, taken)
    firing = [_explained(taken.after, diagnoses) for taken in steps if taken.fires]
    for alert in sorted(firing, key=precedence):
        _attach(draft, alert, now_ns, rules)
    for fingerprint in diagnoses.keys() - {alert.fingerprint for alert in firing}:
        _look_again(draft, fingerprint, diagnoses[fingerprint], now_ns, rules)
    _note_sustained(draft, steps, now_ns)
    _note_suppressed(draft, steps, world.alerts, now_ns)
    _adopt_suppressed(draft, world.alerts)
    _end(draft, steps, now_ns)
    _wake(draft, now_ns)
    _reopen_what_still_holds(draft, now_ns, rules.timing)
    _note_muted(draft, now_ns, rules.route)
    return draft


def _explained(alert: Alert, diagnoses: Mapping[str, Diagnosis]) -> Alert:
    diagnosis = diagnoses.get(alert.fingerprint)
    return alert if diagnosis is None else replace(alert, diagnosis=diagnosis)


def _store(draft: Plan, taken: Step) -> None:
    if taken.fires:
        return  # its place depends on the incident that it joins
    if taken.after.state.status != "inactive":
        draft.put_alert(taken.after)
    elif taken.after.id is not None and taken.after.state.fired_ns is None and "cleared" in taken.events:
        draft.dropped.append(taken.after.id)
        if taken.after.incident is not None:
            draft.members.get(taken.after.incident, {}).pop(taken.after.fingerprint, None)


def _attach(draft: Plan, alert: Alert, now_ns: int, rules: PlanRules) -> None:
    """Put a newly firing alert into its incident: the one it has, one that it belongs to, or a new one."""
    incident = draft.incidents.get(alert.incident) if alert.incident is not None else None
    incident = incident or incident_for(
        alert,
        draft.candidates(alert, rules.related),
        draft.budgets,
        now_ns=now_ns,
        window_ns=rules.correlation_ns,
        reopen_within_ns=rules.timing.reopen_within_ns,
        related=rules.related,
    )
    if incident is None:
        _open(draft, alert, now_ns, rules)
        return
    alert = _member(draft, alert, incident.number)
    draft.put_alert(alert)
    if incident.status == "resolved":
        text = f"{_begun(alert, 'fires again')}{_damped(alert, rules.timing)}"
        reopened = transitions.reopen(incident, MACHINE, text, now_ns, keep_acknowledged=alert.state.damped)
        draft.put_incident(*reopened)
    else:
        text = f"{_begun(alert)}{_damped(alert, rules.timing)}"
        draft.note(incident.number, now_ns, "joined", text)
    _widen(draft, incident.number, alert, now_ns)
    _reconsider(draft, incident.number, alert, now_ns, rules)


def _begun(alert: Alert, how: str = "fires") -> str:
    """That an alert begins, and what it says of itself, if that is any more."""
    name = name_of(alert)
    return f"{name} {how}" if alert.summary == f"{name} fires" else f"{name} {how}: {alert.summary}"


def _damped(alert: Alert, timing: AlertTiming) -> str:
    """When people are told of an alert that fires again soon after its end."""
    held = format_duration(timing.renotify_after_ns)
    return f" (so soon after its end that it is told only once it has held for {held})" if alert.state.damped else ""


def _member(draft: Plan, alert: Alert, number: int) -> Alert:
    """The alert as a member of the incident, in the row that it had there before, if any."""
    former = draft.members.get(number, {}).get(alert.fingerprint)
    return replace(alert, incident=number, id=former.id if former else alert.id)


def _open(draft: Plan, alert: Alert, now_ns: int, rules: PlanRules) -> None:
    number = draft.next_number
    draft.next_number += 1
    alert = replace(alert, incident=number)
    cause = alert.diagnosis.cause if alert.diagnosis and alert.diagnosis.cause in CAUSES else UNKNOWN
    incident = Incident(
        number=number,
        title=title_of(alert, cause, alert.diagnosis.slice if alert.diagnosis else {}),
        status="open",
        severity=alert.severity,
        service=alert.labels.get("service", ""),
        slo=alert.labels.get("slo", ""),
        primary=alert.fingerprint,
        cause=cause,
        confidence=alert.diagnosis.confidence if alert.diagnosis else None,
        slice=dict(alert.diagnosis.slice) if alert.diagnosis else {},
        runbook=rules.runbooks.choose(alert.runbook, cause, kind_of(alert)).name,
        # As it will be stored: of thousands that open at once, few are looked into again.
        evidence=LazyJson(encoded(assemble(alert.summary, alert.evidence, alert.diagnosis, cause=cause))),
        opened_ns=now_ns,
        onset_ns=alert.onset_ns,
        last_onset_ns=alert.onset_ns,
    )
    draft.put_alert(alert)
    draft.put_incident(incident, TimelineEvent(now_ns, "opened", MACHINE, _begun(alert)))
    if alert.diagnosis is not None:
        draft.note(number, now_ns, "diagnosed", f"{CAUSES[cause]}: {alert.diagnosis.summary}")


def _widen(draft: Plan, number: int, alert: Alert, now_ns: int) -> None:
    incident = draft.incidents[number]
    wider = replace(
        incident,
        onset_ns=min(incident.onset_ns, alert.onset_ns),
        last_onset_ns=max(incident.last_onset_ns, alert.onset_ns),
    )
    draft.incidents[number] = wider
    draft.changed.add(number)
    if alert.severity == "page" and incident.severity == "ticket":
        event = TimelineEvent(now_ns, "escalated", MACHINE, f"Now a page, because of {told_apart(alert)}")
        draft.put_incident(replace(wider, severity="page"), event)


def _reconsider(draft: Plan, number: int, alert: Alert, now_ns: int, rules: PlanRules) -> None:
    """Let the alert speak for the incident if it takes precedence, and its diagnosis count if that is the better."""
    incident = draft.incidents[number]
    former = draft.members[number].get(incident.primary)
    diagnosis = alert.diagnosis
    explains = incident.cause == UNKNOWN and diagnosis is not None and diagnosis.cause in CAUSES.keys() - {UNKNOWN}
    takes_over = alert.severity == "page" and (former is None or former.severity != "page" or explains)
    if takes_over:
        incident = replace(
            incident,
            primary=alert.fingerprint,
            slo=alert.labels.get("slo", ""),
            title=title_of(alert, incident.cause, incident.slice),
            runbook=rules.runbooks.choose(alert.runbook, incident.cause, kind_of(alert)).name,
            evidence=refreshed(incident.evidence, alert.evidence),
        )
    draft.incidents[number] = incident
    if diagnosis is None or diagnosis.cause not in CAUSES or not _counts(incident, alert, diagnosis, now_ns):
        return
    speaker = draft.members[number].get(incident.primary, alert)
    draft.incidents[number] = replace(
        incident,
        cause=diagnosis.cause,
        confidence=diagnosis.confidence,
        slice=dict(diagnosis.slice),
        title=title_of(speaker, diagnosis.cause, diagnosis.slice),
        runbook=rules.runbooks.choose(speaker.runbook, diagnosis.cause, kind_of(speaker)).name,
        evidence=assemble(speaker.summary, speaker.evidence, diagnosis, cause=diagnosis.cause),
    )
    if diagnosis.cause != incident.cause or dict(diagnosis.slice) != dict(incident.slice):
        draft.note(number, now_ns, "diagnosed", f"{CAUSES[diagnosis.cause]}: {diagnosis.summary}")


def _look_again(draft: Plan, fingerprint: str, diagnosis: Diagnosis, now_ns: int, rules: PlanRules) -> None:
    """Take over a later diagnosis of an alert that still speaks for an open incident."""
    for number, members in draft.members.items():
        alert, incident = members.get(fingerprint), draft.incidents.get(number)
        if (
            alert is not None and incident is not None and alert.state.status == "firing"
            and incident.primary == fingerprint and incident.status != "resolved"
            and diagnosis.cause != UNKNOWN and diagnosis != alert.diagnosis
        ):  # fmt: skip
            alert = replace(alert, diagnosis=diagnosis)
            draft.put_alert(alert)
            draft.changed.add(number)
            _reconsider(draft, number, alert, now_ns, rules)


def _counts(incident: Incident, alert: Alert, diagnosis: Diagnosis, now_ns: int) -> bool:
    """Whether a diagnosis speaks for the incident: the primary alert's does, another's must be later and better."""
    if alert.fingerprint == incident.primary:
        return diagnosis.cause != UNKNOWN
    later = incident.opened_ns < now_ns or incident.cause == UNKNOWN
    return later and is_better(diagnosis, incident.cause, incident.confidence)


def _note_sustained(draft: Plan, steps: Sequence[Step], now_ns: int) -> None:
    for taken in steps:
        number = taken.after.incident
        if "sustained" in taken.events and number in draft.incidents:
            held = format_duration((now_ns - taken.after.state.since_ns) // NANOS * NANOS)
            draft.note(number, now_ns, "joined", f"{told_apart(taken.after)} has fired again for {held}")


def _note_suppressed(draft: Plan, steps: Sequence[Step], stored: Iterable[Alert], now_ns: int) -> None:
    """Say which alerts of open incidents are kept quiet from now on: people who wonder look there."""
    quieted = [taken for taken in steps if "suppressed" in taken.events]
    if not quieted:
        return
    for number, text in suppressed_notes(quieted, {alert.fingerprint: alert for alert in stored} | draft.alerts):
        if number in draft.incidents and draft.incidents[number].status != "resolved":
            draft.note(number, now_ns, "suppressed", text)


def _note_muted(draft: Plan, now_ns: int, route: Route | None) -> None:
    """Say of incidents that begin, or go on anew, whom nobody tells, since their route is muted."""
    quieting = Quieting((), route, now_ns)
    if not quieting.mutes:
        return
    began = dict.fromkeys(number for number, event in draft.events if event.kind in _CALLS)
    for number in began:
        loud = [member for member in draft.members.get(number, {}).values() if member.state.loud]
        for text in muted_notes(quieting, loud):
            draft.note(number, now_ns, "muted", text)


def _adopt_suppressed(draft: Plan, stored: Iterable[Alert]) -> None:
    """Count a suppressed alert that has no incident to that of the page that suppresses it."""
    present = {alert.fingerprint: alert for alert in stored} | draft.alerts
    for alert in present.values():
        if alert.state.status != "suppressed" or alert.suppressed_by is None or alert.incident is not None:
            continue
        page = present.get(alert.suppressed_by)
        if page is not None and page.incident is not None and draft.incidents[page.incident].status != "resolved":
            draft.put_alert(_member(draft, alert, page.incident))
            draft.changed.add(page.incident)


def _end(draft: Plan, steps: Sequence[Step], now_ns: int) -> None:
    """Note which alerts have ended, and resolve the incidents that have no other."""
    touched: list[int] = []
    for taken in steps:
        number = taken.after.incident
        if number is None or number not in draft.incidents or draft.incidents[number].status == "resolved":
            continue
        if "resolved" in taken.events:
            draft.note(number, now_ns, "ended", f"{told_apart(taken.after)} has ended")
        elif "withdrawn" in taken.events:
            draft.note(number, now_ns, "ended", f"{told_apart(taken.after)} is withdrawn: late data proved it wrong")
        elif "cleared" not in taken.events:
            continue
        touched.append(number)
    for number in dict.fromkeys(touched):
        group = draft.members.get(number, {}).values()
        if not any(member.state.active for member in group):
            wrong = bool(group) and all(member.state.status == "withdrawn" for member in group)
            text = "Withdrawn: late data proved every alert wrong" if wrong else "Every alert has ended"
            draft.put_incident(*transitions.resolve(draft.incidents[number], MACHINE, text, now_ns))


def _wake(draft: Plan, now_ns: int) -> None:
    """Open again what was snoozed until now, if any of its alerts still speaks."""
    for number, incident in list(draft.incidents.items()):
        until_ns = incident.snoozed_until_ns
        if incident.status != "acknowledged" or until_ns is None or until_ns > now_ns:
            continue
        if any(member.state.loud for member in draft.members.get(number, {}).values()):
            draft.put_incident(*transitions.wake(incident, now_ns))


def _reopen_what_still_holds(draft: Plan, now_ns: int, timing: AlertTiming) -> None:
    """Contradict a person who resolved an incident whose alerts keep firing, after a while."""
    for number, incident in list(draft.incidents.items()):
        # Apart in either direction: a clock that was set back must not keep a page until it has caught up.
        if incident.status != "resolved" or abs(now_ns - (incident.resolved_ns or 0)) <= timing.reopen_within_ns:
            continue
        still = [member for member in draft.members.get(number, {}).values() if member.state.loud]
        if still:
            names = ", ".join(sorted(told_apart(member) for member in still)[:5])
            draft.put_incident(*transitions.reopen(incident, MACHINE, f"Resolved, but still firing: {names}", now_ns))
