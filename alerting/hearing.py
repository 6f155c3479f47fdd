"""Who hears of an incident, and why somebody does not, as it stands; it repeats decisions and takes none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from alerting.documents import seconds_of
from alerting.incidents import Alert, Incident
from alerting.notifications import Group, Told, reason_to_tell
from alerting.quieting import Quieting, sentence
from alerting.routing import Destination, GroupTiming, Route, matching
from alerting.state import AlertTiming
from telemetry.windows import told_time

State = Literal[
    "told", "over", "due", "waiting", "failed", "muted", "suppressed", "damped", "grouped", "acknowledged", "snoozed",
    "escalates", "ended", "unrouted",
]  # fmt: skip
"""``told``: it knows what holds, and is reminded; ``over``: it knows that it has ended; ``due``: it is told by and by;
``waiting``: it is to be told, and could not be yet; ``failed``: telling it was given up. In the others it is not told:
its route is ``muted``; something keeps its alerts quiet (``suppressed``); they fire again too soon after their end
(``damped``); the route's ``group_wait`` or ``group_interval`` is not over (``grouped``); somebody works on it
(``acknowledged``) or will (``snoozed``); nobody has had time to acknowledge it yet (``escalates``); what it would have
heard of has ``ended``; no route leads there (``unrouted``)."""


@dataclass(frozen=True, slots=True)
class LastRow:
    """The latest notification of a group for a receiver, as it stands in the outbox."""

    status: str
    reason: str
    attempts: int
    due_ns: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one receiver stands to an incident; ``next_ns`` is when that changes by itself."""

    state: State
    text: str
    next_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Hearing:
    """Everything that says who hears of one incident now."""

    incident: Incident
    members: Collection[Alert]
    groups: Sequence[tuple[Destination, Group]]
    told: Mapping[tuple[str, str], Told]
    last: Mapping[tuple[str, str], LastRow]
    receivers: Mapping[str, Sequence[str]]
    """Identities of the configured receivers, by name."""
    route: Route | None
    timing: AlertTiming
    quieting: Quieting

    def documents(self) -> Iterator[dict[str, Any]]:
        """One for each receiver and group of alerts, then the receivers that hear nothing at all."""
        if self.incident.merged_into is not None:
            return
        heard: set[str] = set()
        for destination, group in self.groups:
            heard.add(destination.receiver)
            if not self.receivers.get(destination.receiver):
                nobody = Verdict("unrouted", "this receiver tells nobody")
                yield _document(destination.receiver, destination, None, nobody)
            for receiver in self.receivers.get(destination.receiver, ()):
                key = receiver, destination.key
                before = self.told.get(key)
                yield _document(receiver, destination, before, self._verdict(destination, group, before, key))
        kept = self._kept_from_the_start()
        for name, receivers in self.receivers.items():
            if name not in heard:
                quiet = Verdict("suppressed", self._why_quiet(kept.get(name, ())))
                nobody = Verdict("unrouted", "no route of its alerts leads there")
                for receiver in receivers:
                    yield _document(receiver, None, None, quiet if name in kept else nobody)

    def _verdict(self, destination: Destination, group: Group, before: Told | None, key: tuple[str, str]) -> Verdict:
        last, now_ns, timing = self.last.get(key), self.quieting.now_ns, destination.route.timing
        if last is not None and last.status == "pending":
            return _waits(last, now_ns)
        if last is not None and last.status == "failed":
            return Verdict("failed", f"given up ({last.reason}): {last.error}")
        reason = reason_to_tell(before, group, timing, now_ns)
        if reason is None:
            return self._not_now(destination, group, before)
        muted = self.quieting.mute(destination.route) if reason != "resolved" else None
        if muted:
            until_ns = self.quieting.muted_until_ns(destination.route)
            return Verdict("muted", f"muted{_until(until_ns)} ({muted}), and not told that it has {reason}", until_ns)
        if reason == "opened" and destination.escalates and self.incident.status != "open":
            return Verdict("acknowledged", "told only of what nobody acknowledges")
        return Verdict("due", f"told with the next evaluation ({reason})")

    def _not_now(self, destination: Destination, group: Group, before: Told | None) -> Verdict:
        """Why there is no reason to tell, as :func:`reason_to_tell` found."""
        timing = destination.route.timing
        if not group.active:
            known = before is not None and before.phase == "resolved"
            return (
                Verdict("over", "told of its end")
                if known
                else Verdict("ended", "what it would have heard of has ended")
            )
        if not group.loud:
            return self._quiet(group)
        if before is None:
            due_ns = group.first_fired_ns + timing.group_wait_ns
            if destination.escalates:
                return Verdict("escalates", f"told at {told_time(due_ns)} unless somebody acknowledges it", due_ns)
            return Verdict("grouped", f"waits for more alerts until {told_time(due_ns)} (group_wait)", due_ns)
        return self._knows(group, before, timing)

    def _quiet(self, group: Group) -> Verdict:
        damped = [alert for alert in group.alerts if alert.state.status == "firing"]
        if not damped:
            return Verdict("suppressed", self._why_quiet(group.alerts))
        due_ns = min(alert.state.since_ns for alert in damped) + self.timing.renotify_after_ns
        return Verdict("damped", f"fires again soon after its end: told at {told_time(due_ns)} if it holds", due_ns)

    def _knows(self, group: Group, before: Told, timing: GroupTiming) -> Verdict:
        incident = self.incident
        if group.loud - before.firing:
            due_ns = before.at_ns + timing.group_interval_ns
            return Verdict("grouped", f"told of further alerts at {told_time(due_ns)} (group_interval)", due_ns)
        if incident.status != "acknowledged":
            reminded_ns = before.at_ns + timing.repeat_interval_ns
            return Verdict("told", f"told; reminded at {told_time(reminded_ns)}", reminded_ns)
        if incident.snoozed_until_ns is not None:
            text = (
                f"told; not reminded, as {incident.acknowledged_by} has snoozed it{_until(incident.snoozed_until_ns)}"
            )
            return Verdict("snoozed", text, incident.snoozed_until_ns)
        return Verdict("acknowledged", f"told; not reminded, as {incident.acknowledged_by} has acknowledged it")

    def _why_quiet(self, alerts: Collection[Alert]) -> str:
        found = self.quieting.summary(alerts)["suppressed"]
        told = "; ".join(sentence(one, found["of"]) for one in found["by"] if one["kind"] != "muted")
        return told or "its alerts were kept quiet when they were last evaluated"

    def _kept_from_the_start(self) -> dict[str, list[Alert]]:
        """By receiver, alerts of the incident that were kept quiet before they ever fired."""
        found: dict[str, list[Alert]] = {}
        for alert in self.members:
            if self.route is not None and alert.state.status == "suppressed" and alert.state.fired_ns is None:
                for name in {route.receiver for route, _path in matching(self.route, alert.labels)}:
                    found.setdefault(name, []).append(alert)
        return found


def _waits(last: LastRow, now_ns: int) -> Verdict:
    if last.error is not None:
        when = f"tried again at {told_time(last.due_ns)}" if last.due_ns > now_ns else "tried again now"
        return Verdict("waiting", f"{when} ({last.reason}); attempt {last.attempts} failed: {last.error}", last.due_ns)
    if last.due_ns > now_ns:
        return Verdict(
            "waiting", f"the receiver has asked for a pause{_until(last.due_ns)} ({last.reason})", last.due_ns
        )
    return Verdict("due", f"about to be told ({last.reason})")


def _document(receiver: str, destination: Destination | None, before: Told | None, found: Verdict) -> dict[str, Any]:
    return {
        "receiver": receiver,
        "group": {} if destination is None else dict(destination.group_labels),
        "escalates": destination is not None and destination.escalates,
        "state": found.state,
        "text": found.text,
        "told_at": None if before is None else seconds_of(before.at_ns),
        "next_at": seconds_of(found.next_ns),
    }


def _until(time_ns: int | None) -> str:
    return "" if time_ns is None else f" until {told_time(time_ns)}"
