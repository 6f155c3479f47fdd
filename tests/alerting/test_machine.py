"""Alerting as a machine: whatever happens in whatever order, states stay legal, and no page is lost.

The rules below are everything that can happen to alerts: findings come and go, late data withdraws them, people
silence, acknowledge, snooze, assign, re-classify, merge, resolve and re-open, nobody acknowledges and somebody else is
told, routes are muted, receivers are down, the clock is set forward and back, the process is started anew. The model
knows what holds and what keeps it quiet; who was told of what it learns from the receivers alone.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from alerting.config import AlertingConfig
from alerting.inhibition import InhibitRule
from alerting.repository import list_incidents, load_alerts, load_members, load_told
from alerting.routing import Escalation, GroupTiming, Route
from alerting.service import Alerting
from alerting.silences import Silence
from alerting.state import LEGAL, AlertTiming
from alerting.steps import latest
from alerting.tables import alerts as alerts_table
from alerting.tables import incident_events, outbox
from alerting.time_intervals import NamedIntervals, TimeInterval
from storage.audit import load as load_audit
from storage.database import Database
from telemetry.clock import ManualClock
from telemetry.errors import ConflictError
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.listeners import MOODS, Listener
from tests.alerting.makers import SHIPPED, T0, finding, undiagnosed

EXAMPLES = int(os.environ.get("TAILWATCH_COURSES", "12"))
"""A course takes some tenths of a second: the gate runs a few, who changes the rules runs some hundred."""
STEPS = 20

MINUTE = 60
HOUR = 3600
TICK = 10
REOPEN = 1800
"""Within this many seconds an alert that fires again is the same, and one whose incident a person resolved is quiet."""

A = finding(slo="a")
B = finding(slo="b")
SEARCH = finding(slo="search-errors", service="search")
SLOW = finding("slow-burn", slo="a", severity="ticket", suppressed_by=A.fingerprint)
LEFT_ALONE = 15 * MINUTE
"""A page that nobody acknowledges for this long is told to the lead, too."""
FINDINGS = {one.fingerprint: one for one in (A, B, SEARCH, SLOW)}
PAGES = {A.fingerprint, B.fingerprint, SEARCH.fingerprint}
NAMES = sorted(FINDINGS)

SAID = {
    "acknowledge": ("",), "snooze": (), "resolve": ("",), "reopen": ("",), "comment": ("hm",), "assign": ("Bob",),
    "assign nobody": (None,), "reclassify page": ("page", ""), "reclassify ticket": ("ticket", ""),
}  # fmt: skip
"""What people can do to an incident, and what they say with it."""
INHIBIT = InhibitRule(parse_matchers(["slo=search-errors"]), parse_matchers(["slo=b"]))
MUTED_FROM, MUTED_TO = 23 * 60, 23 * 60 + 50
NIGHT = NamedIntervals("night", (TimeInterval(times=((MUTED_FROM, MUTED_TO),)),))
"""The tests' time begins at 22:13."""


class Course(RuleBasedStateMachine):
    """One course of events over a real database."""

    template: Path
    folder: Path
    counter = itertools.count()

    @initialize(pending_s=st.sampled_from([0, 30]), wait_s=st.sampled_from([0, 30]), related=st.booleans())
    def begin(self, pending_s, wait_s, related):
        self.path = self.folder / f"course-{next(self.counter)}.db"
        shutil.copyfile(self.template, self.path)
        self.now_ns = T0
        self.oncall, self.night = Listener("oncall"), Listener("night", send_resolved=False)
        self.lead = Listener("lead")
        self.receivers = (self.oncall, self.night, self.lead)
        timing = GroupTiming(group_wait_ns=wait_s * NANOS)
        route = Route(
            "oncall", timing=timing, routes=(
                Route("oncall", timing=timing, go_on=True), Route("night", timing=timing, muted_in=(NIGHT,)),
            ),
        )  # fmt: skip
        self.config = AlertingConfig(
            receivers=self.receivers, route=route, inhibit_rules=(INHIBIT,),
            timing=AlertTiming(pending_for_ns=pending_s * NANOS),
            escalations=(Escalation("lead", LEFT_ALONE * NANOS, parse_matchers(["severity=page"])),),
            depends_on={"chat": ("search",)} if related else {},
        )  # fmt: skip
        self.held: set[str] = set()
        self.withdrawn: set[str] = set()
        self.statuses: dict[str, str] = {}
        self.history: set[int | None] = set()
        self.acts: list[tuple[str, str]] = []
        self.moments: list[int] = []
        self.database = Database(f"sqlite:///{self.path}")
        self.start()

    def start(self):
        self.alerting = Alerting(self.database, self.config, ManualClock(T0), SHIPPED)

    # What can happen.

    @rule(names=st.sets(st.sampled_from(NAMES)), ticks=st.integers(1, 8))
    def conditions_change(self, names, ticks):
        self.held = set(names)
        self.tick(ticks)

    @rule(ticks=st.integers(1, 8))
    def time_passes(self, ticks):
        self.tick(ticks)

    @rule(seconds=st.sampled_from([45, 5 * MINUTE, 31 * MINUTE, HOUR, 5 * HOUR, 26 * HOUR]))
    def nothing_is_evaluated_for_a_while(self, seconds):
        self.now_ns += seconds * NANOS
        self.tick(1)

    @rule(seconds=st.sampled_from([1, 45, 20 * MINUTE, 3 * HOUR, 26 * HOUR]))
    def the_clock_is_set_back(self, seconds):
        self.now_ns -= seconds * NANOS
        self.tick(1)

    @rule(name=st.sampled_from(NAMES))
    def late_data_withdraws(self, name):
        self.held.discard(name)
        self.withdrawn = {name}
        self.tick(1)

    @rule(
        slo=st.sampled_from(["a", "b", "search-errors"]),
        wait_s=st.sampled_from([0, 0, 5 * MINUTE]),
        seconds=st.sampled_from([30, 10 * MINUTE, 2 * HOUR]),
    )
    def somebody_silences(self, slo, wait_s, seconds):
        start_ns = self.now_ns + wait_s * NANOS
        silence = Silence("", parse_matchers([f"slo={slo}"]), start_ns, start_ns + seconds * NANOS, "Ada", "known", 0)
        made = self.alerting.silences.put(silence, self.now_ns, actor="laptop")
        self.acts.append(("silence.create", made))
        self.tick(1)

    @rule()
    def every_silence_is_ended(self):
        for silence in self.alerting.silences.in_force(self.now_ns):
            self.alerting.silences.expire(silence.id, self.now_ns, actor="laptop")
            self.acts.append(("silence.expire", silence.id))
        self.tick(1)

    @rule(what=st.sampled_from(sorted(SAID)), place=st.integers(0, 3))
    def somebody_acts(self, what, place):
        found = self.alerting.incidents()
        if place >= len(found):
            return
        said = ("", self.now_ns + 20 * MINUTE * NANOS) if what == "snooze" else SAID[what]
        self.somebody(what.partition(" ")[0], found[place]["id"], "Ada", *said)

    @rule(place=st.integers(0, 3), other=st.integers(0, 3))
    def somebody_merges(self, place, other):
        found = self.alerting.incidents()
        if max(place, other) < len(found):
            self.somebody("merge", found[place]["id"], found[other]["id"], "Ada", "one fault")

    def somebody(self, verb, incident, *said):
        # What makes no sense now is refused, and nobody did it.
        with contextlib.suppress(ConflictError):
            getattr(self.alerting, verb)(incident, *said, self.now_ns, actor="laptop")
            self.acts.append((f"incident.{verb}", incident))
        self.tick(1)

    @rule(moods=st.tuples(*[st.sampled_from(MOODS)] * 3))
    def receivers_fail_or_recover(self, moods):
        for receiver, mood in zip(self.receivers, moods, strict=True):
            receiver.mood = mood
        self.tick(1)

    @rule()
    def the_process_is_started_anew(self):
        self.database.close()
        self.database = Database(f"sqlite:///{self.path}")
        self.start()
        self.tick(1)

    # What must hold.

    def tick(self, count, every=TICK):
        for _ in range(count):
            self.moments.append(self.now_ns)
            found = [FINDINGS[name] for name in sorted(self.held)]
            self.alerting.apply(found, undiagnosed, self.now_ns, withdrawn=self.withdrawn)
            self.alerting.deliver(self.now_ns)
            self.withdrawn = set()
            self.states_are_legal()
            self.what_fires_is_told_or_queued()
            self.now_ns += every * NANOS

    def states_are_legal(self):
        with self.database.read() as connection:
            stored = latest(load_alerts(connection, alerts_table.c.id.is_not(None)))
        for name, alert in stored.items():
            before = self.statuses.get(name, "inactive")
            # An alert that is forgotten keeps its row as history, and begins anew from inactive. Where it ends without
            # having fired, it is forgotten, and that history is what is left.
            allowed = LEGAL[before] | (LEGAL["inactive"] if before in ("resolved", "withdrawn") else set())
            now = alert.state.status
            ended = now in ("resolved", "withdrawn")
            if ended and now != before and alert.id in self.history:
                now = "inactive"
            assert now in allowed, (before, alert.state)
            self.history = self.history | {alert.id} if ended else self.history - {alert.id}
            assert alert.state.status != "inactive", "what is inactive is not kept"
            assert alert.state.status != "firing" or alert.incident is not None, "what fires has an incident"
        self.statuses = {name: alert.state.status for name, alert in stored.items()}

    def what_fires_is_told_or_queued(self):
        with self.database.read() as connection:
            found = list_incidents(connection, status=None, service=None, limit=1000)
            members = load_members(connection, [one.number for one in found])
            known = load_told(connection, [one.number for one in found])
            rows = {(row.incident, row.receiver, row.sequence) for row in connection.execute(select(outbox))}
        assert {(number, receiver, told.sequence) for (number, receiver, _), told in known.items()} <= rows | {
            (number, "night/recorder", told.sequence) for (number, _, _), told in known.items()
        }, "what counts as told is in the outbox, but for ends that the receiver does not want to hear"
        for one in found:
            loud = [alert for alert in members[one.number] if alert.state.loud]
            if one.merged_into is not None:
                assert (members[one.number], one.status) == ([], "resolved")
            elif one.status == "resolved":
                assert not loud or abs(self.now_ns - one.resolved_ns) <= REOPEN * NANOS, (one, loud)
            else:
                self.oncall_knows(one, loud, known)

    def oncall_knows(self, incident, loud, known):
        of_incident = (what for key, what in known.items() if key[:2] == (incident.number, self.oncall.id))
        told = next(of_incident, None)
        for alert in loud:
            waits = abs(self.now_ns - alert.state.fired_ns) < self.config.route.timing.group_wait_ns
            if told is None:
                assert waits or any(abs(self.now_ns - one.state.fired_ns) < 30 * NANOS for one in loud), alert
                continue
            soon = abs(self.now_ns - told.at_ns) < self.config.route.timing.group_interval_ns
            assert told.phase == "firing", (alert, told)
            assert alert.fingerprint in told.firing or soon, (alert, told)

    def quiet(self, name):
        """Whether something keeps the condition quiet now, as the model knows it."""
        return self.silenced(name) or self.inhibited(name) or self.waits_for_its_page(name)

    def silenced(self, name):
        return any(one.accepts(FINDINGS[name].labels, self.now_ns) for one in self.alerting.silences.all())

    def inhibited(self, name):
        return name == B.fingerprint and self.statuses.get(SEARCH.fingerprint) in ("firing", "suppressed")

    def waits_for_its_page(self, name):
        return name == SLOW.fingerprint and (A.fingerprint in self.held or self.statuses.get(A.fingerprint) == "firing")

    @invariant()
    def changes_come_in_order(self):
        if not hasattr(self, "alerting"):
            return
        with self.database.read() as connection:
            rows = {row.idempotency_key: row.id for row in connection.execute(select(outbox))}
        for receiver in self.receivers:
            by_incident = defaultdict(list)
            for key, heard in zip(receiver.keys, receiver.heard, strict=True):
                by_incident[heard.incident["id"]].append((rows[key], heard))
            for told in by_incident.values():
                ids = [row for row, _ in told]
                assert ids == sorted(ids), "in order within an incident"
                phases = [heard.phase for _, heard in told]
                assert ("resolved", "resolved") not in set(itertools.pairwise(phases)), "an end is told once"

    @invariant()
    def timelines_are_in_order(self):
        if not hasattr(self, "alerting"):
            return
        with self.database.read() as connection:
            times = connection.execute(select(incident_events.c.at_ns).order_by(incident_events.c.id)).scalars().all()
        # Each at a moment that the clock showed, and in the order in which it did, however often it was set.
        moments = iter(self.moments)
        shown = None
        for at_ns in times:
            while shown != at_ns:
                shown = next(moments, None)
                assert shown is not None, "nothing happened at that time, or not then"

    @invariant()
    def what_people_did_is_in_the_audit_log(self):
        if hasattr(self, "alerting"):
            entries = load_audit(self.database, limit=1000)[::-1]
            assert [(entry.action, entry.subject) for entry in entries] == self.acts

    def teardown(self):
        if not hasattr(self, "alerting"):
            return
        try:
            for receiver in self.receivers:
                receiver.mood = "well"
            # Longer than a person's word, a damped return, a group's interval and a retry after one another take.
            self.tick((REOPEN + 900) // 60, every=60)
            self.everybody_knows_the_truth()
        finally:
            self.database.close()
            self.path.unlink()
            for rest in self.folder.glob(f"{self.path.name}-*"):
                rest.unlink()

    def everybody_knows_the_truth(self):
        self.now_ns -= 60 * NANOS  # the moment of the last evaluation
        start = dt.datetime.fromtimestamp(self.now_ns // NANOS, tz=dt.UTC)
        muted = MUTED_FROM - 50 <= start.hour * 60 + start.minute < MUTED_TO + 10
        for receiver in self.receivers:
            knows = receiver.believes()
            for name in self.held:
                if not self.quiet(name) and not self.need_not_know(receiver, name, muted=muted):
                    assert name in knows, (receiver.name, dict(FINDINGS[name].labels), self.statuses)
            if receiver.send_resolved:
                for name in knows:
                    living = self.statuses.get(name) in ("firing", "suppressed")
                    company = self.company(name)
                    assert living or company, (receiver.name, dict(FINDINGS[name].labels), self.statuses)

    def need_not_know(self, receiver, name, *, muted):
        """Whether a receiver need not have heard of what holds and is not quiet."""
        if receiver is self.night:
            return muted
        if receiver is not self.lead:
            return False
        with self.database.read() as connection:
            taken = list_incidents(connection, status="acknowledged", service=None, limit=1000)
            members = load_members(connection, [one.number for one in taken])
        return name not in PAGES or name in {alert.fingerprint for group in members.values() for alert in group}

    def company(self, name):
        """Whether another alert of the same incident goes on, so that its end has not been told."""
        with self.database.read() as connection:
            stored = load_alerts(connection, alerts_table.c.id.is_not(None))
        numbers = {one.incident for one in stored if one.fingerprint == name}
        return any(one.incident in numbers and one.state.active for one in stored)


@pytest.mark.timeout(60 + 20 * EXAMPLES)
def test_any_course_of_events_keeps_to_the_states_and_loses_no_page(migrated_sqlite, tmp_path):
    class Here(Course):
        template, folder = migrated_sqlite, tmp_path

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
