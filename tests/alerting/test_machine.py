"""Alerting as a machine: whatever happens in whatever order, states stay legal, and no page is lost.

The rules below are everything that can happen to alerts: findings come and go, late data withdraws them, people
silence, acknowledge, snooze, resolve and re-open, routes are muted, receivers are down, the clock is set forward and
back, the process is started anew. The model knows what holds and what keeps it quiet; who was told of what it learns
from the receivers alone.
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
from alerting.outcomes import Outcome
from alerting.repository import load_alerts
from alerting.routing import GroupTiming, Route
from alerting.service import Alerting
from alerting.silences import Silence
from alerting.state import LEGAL, AlertTiming
from alerting.steps import latest
from alerting.tables import alerts as alerts_table
from alerting.tables import outbox
from alerting.time_intervals import NamedIntervals, TimeInterval
from storage.database import Database
from telemetry.clock import ManualClock
from telemetry.errors import ConflictError
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import SHIPPED, T0, Recorder, finding, undiagnosed

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
FINDINGS = {one.fingerprint: one for one in (A, B, SEARCH, SLOW)}
PAGES = {A.fingerprint, B.fingerprint, SEARCH.fingerprint}
NAMES = sorted(FINDINGS)
MOODS = ["well", "down", "its answers are lost"]
DOWN = Outcome("transient", "down")

INHIBIT = InhibitRule(parse_matchers(["slo=search-errors"]), parse_matchers(["slo=b"]))
MUTED_FROM, MUTED_TO = 23 * 60, 23 * 60 + 50
NIGHT = NamedIntervals("night", (TimeInterval(times=((MUTED_FROM, MUTED_TO),)),))
"""The tests' time begins at 22:13."""


class Listener(Recorder):
    """Hears, is down, or hears and its answer is lost; and believes what it has been told."""

    def __init__(self, name, send_resolved=True):
        super().__init__(name, send_resolved)
        self.mood = "well"
        self.said = {}

    def send(self, notification, idempotency_key, now_ns):
        if self.mood == "down":
            return DOWN
        body = notification.to_json()
        assert self.said.setdefault(idempotency_key, body) == body, "a repeat says the same"
        if idempotency_key not in self.keys:
            self.keys.append(idempotency_key)
            self.heard.append(notification)
        return Outcome("delivered") if self.mood == "well" else DOWN

    def believes(self):
        """Fingerprints of the alerts that it has been told of and of whose end it has not."""
        known = defaultdict(set)
        for told in self.heard:
            key = told.incident["id"], told.group_key
            firing = {alert["fingerprint"] for alert in told.alerts if alert["state"] == "firing"}
            known[key] = set() if told.phase == "resolved" else known[key] | firing
        return set().union(*known.values())


class Course(RuleBasedStateMachine):
    """One course of events over a real database."""

    template: Path
    folder: Path
    counter = itertools.count()

    @initialize(pending_s=st.sampled_from([0, 30]), wait_s=st.sampled_from([0, 30]))
    def begin(self, pending_s, wait_s):
        self.path = self.folder / f"course-{next(self.counter)}.db"
        shutil.copyfile(self.template, self.path)
        self.now_ns = T0
        self.oncall, self.night = Listener("oncall"), Listener("night", send_resolved=False)
        timing = GroupTiming(group_wait_ns=wait_s * NANOS)
        route = Route(
            "oncall", timing=timing, routes=(
                Route("oncall", timing=timing, go_on=True), Route("night", timing=timing, muted_in=(NIGHT,)),
            ),
        )  # fmt: skip
        self.config = AlertingConfig(
            receivers=(self.oncall, self.night), route=route, inhibit_rules=(INHIBIT,),
            timing=AlertTiming(pending_for_ns=pending_s * NANOS),
        )  # fmt: skip
        self.held: set[str] = set()
        self.withdrawn: set[str] = set()
        self.statuses: dict[str, str] = {}
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

    @rule(slo=st.sampled_from(["a", "b", "search-errors"]), seconds=st.sampled_from([30, 10 * MINUTE, 2 * HOUR]))
    def somebody_silences(self, slo, seconds):
        matchers = parse_matchers([f"slo={slo}"])
        end_ns = self.now_ns + seconds * NANOS
        self.alerting.silences.put(Silence("", matchers, self.now_ns, end_ns, "Ada", "known", 0), self.now_ns)
        self.tick(1)

    @rule()
    def every_silence_is_ended(self):
        for silence in self.alerting.silences.in_force(self.now_ns):
            self.alerting.silences.expire(silence.id, self.now_ns)
        self.tick(1)

    @rule(what=st.sampled_from(["acknowledge", "snooze", "resolve", "reopen"]), place=st.integers(0, 3))
    def somebody_acts(self, what, place):
        found = self.alerting.incidents()
        if place >= len(found):
            return
        act = getattr(self.alerting, what)
        until = (self.now_ns + 20 * MINUTE * NANOS,) if what == "snooze" else ()
        with contextlib.suppress(ConflictError):  # what makes no sense now is refused
            act(found[place]["id"], "Ada", "", *until, self.now_ns)
        self.tick(1)

    @rule(oncall=st.sampled_from(MOODS), night=st.sampled_from(MOODS))
    def receivers_fail_or_recover(self, oncall, night):
        self.oncall.mood, self.night.mood = oncall, night
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
            found = [FINDINGS[name] for name in sorted(self.held)]
            self.alerting.apply(found, undiagnosed, self.now_ns, withdrawn=self.withdrawn)
            self.alerting.deliver(self.now_ns)
            self.withdrawn = set()
            self.states_are_legal()
            self.now_ns += every * NANOS

    def states_are_legal(self):
        with self.database.read() as connection:
            stored = latest(load_alerts(connection, alerts_table.c.id.is_not(None)))
        for name, alert in stored.items():
            before = self.statuses.get(name, "inactive")
            # An alert that is forgotten keeps its row as history, and begins anew from inactive.
            allowed = LEGAL[before] | (LEGAL["inactive"] if before in ("resolved", "withdrawn") else set())
            assert alert.state.status in allowed, (before, alert.state)
            assert alert.state.status != "inactive", "what is inactive is not kept"
            assert alert.state.status != "firing" or alert.incident is not None, "what fires has an incident"
        self.statuses = {name: alert.state.status for name, alert in stored.items()}

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
        for receiver in (self.oncall, self.night):
            by_incident = defaultdict(list)
            for key, heard in zip(receiver.keys, receiver.heard, strict=True):
                by_incident[heard.incident["id"]].append((rows[key], heard))
            for told in by_incident.values():
                ids = [row for row, _ in told]
                assert ids == sorted(ids), "in order within an incident"
                phases = [heard.phase for _, heard in told]
                assert ("resolved", "resolved") not in set(itertools.pairwise(phases)), "an end is told once"

    def teardown(self):
        if not hasattr(self, "alerting"):
            return
        try:
            self.oncall.mood = self.night.mood = "well"
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
        for receiver in (self.oncall, self.night):
            knows = receiver.believes()
            for name in self.held:
                if not self.quiet(name) and not (receiver is self.night and muted):
                    assert name in knows, (receiver.name, dict(FINDINGS[name].labels), self.statuses)
            if receiver is self.oncall:
                for name in knows:
                    living = self.statuses.get(name) in ("firing", "suppressed")
                    company = self.company(name)
                    assert living or company, (receiver.name, dict(FINDINGS[name].labels), self.statuses)

    def company(self, name):
        """Whether another alert of the same incident goes on, so that its end has not been told."""
        with self.database.read() as connection:
            stored = load_alerts(connection, alerts_table.c.id.is_not(None))
        numbers = {one.incident for one in stored if one.fingerprint == name}
        return any(one.incident in numbers and one.state.active for one in stored)


@pytest.mark.timeout(300)
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
