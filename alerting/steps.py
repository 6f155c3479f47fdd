"""One evaluation's findings against the stored alerts: each alert's next state; incidents are not its matter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from alerting.correlation import precedence
from alerting.evidence import clean, cleaned
from alerting.incidents import Alert
from alerting.inhibition import InhibitRule, inhibitors
from alerting.silences import Silence
from alerting.state import LIVING, AlertState, AlertTiming, Event, step
from alerting.texts import cut
from telemetry.findings import Finding

NEWLY_FIRING: Final[frozenset[Event]] = frozenset({"fired", "reopened"})
_MAX_SUMMARY: Final = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """What one evaluation did to one alert.

    ``before`` is None when the alert is new; ``silence`` is what silences it, None when nothing does.
    """

    before: Alert | None
    after: Alert
    events: tuple[Event, ...]
    silence: Silence | None = None

    @property
    def fires(self) -> bool:
        """It began to fire in this step."""
        return not NEWLY_FIRING.isdisjoint(self.events)


def advance(
    alerts: Iterable[Alert],
    findings: Sequence[Finding],
    now_ns: int,
    timing: AlertTiming,
    *,
    withdrawn: Collection[str] = (),
    silences: Sequence[Silence] = (),
    inhibit_rules: Sequence[InhibitRule] = (),
) -> tuple[Step, ...]:
    """The step of every alert that is known or found; those that neither change nor matter are left out.

    Args:
        alerts: the stored alerts; of several with one fingerprint, the latest counts.
        findings: every condition that holds now; of several with one fingerprint, the first counts.
        now_ns: nanoseconds since the epoch.
        timing: how long changes take.
        withdrawn: fingerprints that late data proved wrong.
        silences: what people keep quiet.
        inhibit_rules: which alerts keep which others quiet.
    """
    known = latest(alerts)
    held: dict[str, Finding] = {}
    for finding in findings:
        held.setdefault(finding.fingerprint, finding)
    states = {fingerprint: alert.state for fingerprint, alert in known.items()}
    taken: dict[str, Step] = {}

    def is_suppressed(fingerprint: str) -> tuple[bool, str]:
        return (known[fingerprint].suppressed_by if fingerprint in known else None) is not None, fingerprint

    # Pages step before the tickets that they suppress, so that a ticket sees whether its page still fires.
    for fingerprint in sorted(known.keys() | held.keys(), key=is_suppressed):
        before, found = known.get(fingerprint), held.get(fingerprint)
        quiet_by = _suppressor_of(found, before, held, states) if found else None
        silence = next((one for one in silences if one.accepts(found.labels, now_ns)), None) if found else None
        quiet = quiet_by is not None or silence is not None
        old = before.state if before else AlertState()
        state, events = step(old, found, now_ns, timing, suppressed=quiet, withdrawn=fingerprint in withdrawn)
        states[fingerprint] = state
        taken[fingerprint] = _taken(before, found, state, events, quiet_by, silence)
    for fingerprint, source in _inhibited(inhibit_rules, taken.values()).items():
        before, found = known.get(fingerprint), held.get(fingerprint)
        if found is not None and taken[fingerprint].after.state.status != "suppressed":
            old = before.state if before else AlertState()
            state, events = step(old, found, now_ns, timing, suppressed=True)
            taken[fingerprint] = _taken(before, found, state, events, source)
    return tuple(sorted(filter(_changes, taken.values()), key=lambda one: one.after.fingerprint))


def _changes(one: Step) -> bool:
    """Whether the state is another, or who keeps it quiet is."""
    before = one.before
    if before is None or one.after is before:
        return before is None and one.after.state != AlertState()
    return one.after.state != before.state or one.after.suppressed_by != before.suppressed_by


def _taken(
    before: Alert | None,
    found: Finding | None,
    state: AlertState,
    events: tuple[Event, ...],
    quiet_by: str | None,
    silence: Silence | None = None,
) -> Step:
    if found is None and before is not None:
        quiet_by = before.suppressed_by
    if before is not None and state == before.state and quiet_by == before.suppressed_by:
        return Step(before, before, events, silence)
    after = replace(_described(before, found, events), state=state, suppressed_by=quiet_by)
    return Step(before, after, events, silence)


def _inhibited(rules: Sequence[InhibitRule], taken: Iterable[Step]) -> dict[str, str]:
    """Who is inhibited by whom, as the states stand without inhibition."""
    if not rules:
        return {}
    active = sorted((one.after for one in taken if one.after.state.active), key=precedence)
    return inhibitors(rules, {alert.fingerprint: alert.labels for alert in active})


def latest(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """By fingerprint, the alert that lives, or else the one that ended last; the others are history."""

    def age(alert: Alert) -> tuple[bool, int, int]:
        return alert.state.status in LIVING, alert.state.since_ns, alert.id or 0

    return {alert.fingerprint: alert for alert in sorted(alerts, key=age)}


def _suppressor_of(
    found: Finding, before: Alert | None, held: Mapping[str, Finding], states: Mapping[str, AlertState]
) -> str | None:
    """The page that keeps a finding quiet, if that page does speak.

    A finding that names a suppressor which is not there, is itself suppressed, or is the finding itself, would be
    lost; so it counts as not suppressed. A page that has just gone keeps its ticket quiet until it resolves.
    """
    named = found.suppressed_by
    page = held.get(named) if named and named != found.fingerprint else None
    if page is not None and page.suppressed_by is None:
        return named
    former = before.suppressed_by if before else None
    if former is not None and former not in held and former in states and states[former].status == "firing":
        return former
    return None


def _described(before: Alert | None, found: Finding | None, events: Sequence[Event]) -> Alert:
    """The alert with its description as of when it began; a new episode is a new alert, of no incident yet."""
    ended = before is not None and before.state.status not in LIVING
    if before is not None and (found is None or (not ended and NEWLY_FIRING.isdisjoint(events))):
        return before
    assert found is not None, "an alert is either stored or found"
    labels = {str(clean(name)): str(clean(value)) for name, value in found.labels.items()}
    described = Alert(
        fingerprint=found.fingerprint,
        labels=labels,
        severity=found.severity,
        state=AlertState(),
        onset_ns=found.since_ns,
        summary=cut(str(clean(found.summary)), _MAX_SUMMARY),
        evidence=cleaned(found.evidence),
        runbook=found.runbook,
    )
    if before is None or (ended and "reopened" not in events):
        return described
    return replace(described, id=before.id, incident=before.incident, diagnosis=before.diagnosis)
