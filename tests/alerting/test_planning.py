"""Promises that hold over any course of findings: no page is lost, no incident is left in an impossible state."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from alerting.config import AlertingConfig
from alerting.dispatch import Directory, dispatches
from alerting.planning import PlanRules, World, plan
from alerting.routing import Route
from alerting.state import AlertTiming
from alerting.steps import advance
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import SHIPPED, Recorder, at, diagnosis, finding, run, set_up

TIMING = AlertTiming()
RULES = PlanRules(TIMING, 300 * NANOS, SHIPPED)
CONFIG = AlertingConfig(
    receivers=(Recorder("oncall"), Recorder("tickets")),
    route=Route("oncall", routes=(Route("tickets", parse_matchers(["severity=ticket"])),)),
)
LIVING = ("pending", "firing", "suppressed")
DIRECTORY = Directory(CONFIG)


class Memory:
    """What the database would hold, so that thousands of evaluations take moments."""

    def __init__(self):
        self.rows, self.incidents, self.told, self.heard = {}, {}, {}, []
        self.last_id = self.last_number = 0

    def world(self, now_ns):
        living = {row.incident for row in self.rows.values() if row.state.status in LIVING}
        kept = tuple(
            incident
            for incident in self.incidents.values()
            if incident.status != "resolved"
            or incident.resolved_ns >= now_ns - TIMING.reopen_within_ns
            or incident.number in living
        )
        numbers = {incident.number for incident in kept}
        rows = tuple(r for r in self.rows.values() if r.state.status in LIVING or r.incident in numbers)
        return World(rows, kept, self.last_number + 1)

    def apply(self, findings, causes, now_ns):
        world = self.world(now_ns)
        steps = advance(world.alerts, findings, now_ns, TIMING)
        draft = plan(world, steps, {f.fingerprint: causes[f.labels["slo"]] for f in findings}, now_ns, RULES)
        self.incidents |= draft.incidents
        for number in draft.dropped:
            del self.rows[number]
        for alert in draft.alerts.values():
            if alert.id is None:
                self.last_id += 1
                alert = replace(alert, id=self.last_id)  # noqa: PLW2901
            self.rows[alert.id] = alert
        self.last_number = draft.next_number - 1
        held = {found.fingerprint: found for found in findings}
        members = {number: tuple(group.values()) for number, group in draft.members.items()}
        for one in dispatches(
            draft.incidents.values(), members, told=self.told, unsaid=frozenset(), config=CONFIG,
            directory=DIRECTORY, now_ns=now_ns, findings=held,
        ):  # fmt: skip
            self.told[one.number, one.receiver, one.group_key] = one.known
            self.heard.append((one.number, one.receiver, one.group_key, one.reason))
        return draft


BUDGETS = [(service, slo) for service in ("chat", "search") for slo in ("a", "b")]


def findings_of(present, now):
    """Pages and tickets of the budgets; a page suppresses the ticket of its budget, as the SLO engine says."""
    found = []
    for (service, slo), kinds in zip(BUDGETS, present, strict=True):
        page = finding("fast", service=service, slo=f"{service}-{slo}", since=now)
        ticket = finding("slow", service=service, slo=f"{service}-{slo}", since=now, severity="ticket")
        if kinds in ("page", "both"):
            found.append(page)
        if kinds in ("ticket", "both"):
            found.append(replace(ticket, suppressed_by=page.fingerprint if kinds == "both" else None))
    return found


kinds = st.sampled_from(["none", "none", "page", "ticket", "both"])
courses = st.lists(
    st.tuples(st.integers(min_value=1, max_value=6), st.sampled_from([10, 30, 120, 700]), st.tuples(*[kinds] * 4)),
    min_size=1,
    max_size=8,
)
causes = st.fixed_dictionaries(
    {
        f"{service}-{slo}": st.builds(
            diagnosis,
            st.sampled_from(["slice-errors", "tail-spike", "unknown"]),
            st.sampled_from([None, 0.2, 0.9]),
            tenant=st.sampled_from(["acme", "globex"]),
        )
        for service, slo in BUDGETS
    }
)


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(courses, causes)
def test_no_page_is_lost_and_no_incident_is_left_behind(course, causes):
    memory, now, held_since = Memory(), 0.0, {}
    for ticks, every, present in course:
        for _ in range(ticks):
            now += every
            findings = findings_of(present, now)
            held = {found.fingerprint for found in findings if found.suppressed_by is None and found.severity == "page"}
            held_since = {fingerprint: held_since.get(fingerprint, now) for fingerprint in held}
            memory.apply(findings, causes, at(now))
            check_consistency(memory)
            check_pages(memory, held_since, now)
            again = memory.apply(findings, causes, at(now))
            changed = [*again.alerts, *again.changed, *again.dropped]
            assert changed == [], "an evaluation that is repeated changes nothing"
    for _ in range(8):  # all is well again: everything resolves, and every receiver that heard of it hears so
        now += TIMING.reopen_within_ns / NANOS
        memory.apply([], causes, at(now))
    assert all(incident.status == "resolved" for incident in memory.incidents.values())
    assert all(known.phase == "resolved" for known in memory.told.values())
    opened = Counter(entry[:3] for entry in memory.heard if entry[3] == "opened")
    assert all(count == 1 for count in opened.values())


def check_consistency(memory):
    rows = list(memory.rows.values())
    assert len({(row.incident, row.fingerprint) for row in rows}) == len(rows)
    living = Counter(row.fingerprint for row in rows if row.state.status in LIVING)
    assert all(count == 1 for count in living.values()), "an alert lives once"
    active = {row.incident for row in rows if row.state.active}
    for incident in memory.incidents.values():
        assert (incident.status != "resolved") == (incident.number in active)
        members = {row.fingerprint: row for row in rows if row.incident == incident.number}
        assert incident.primary in members
        severities = {row.severity for row in members.values() if row.state.fired_ns is not None}
        assert incident.severity == "page" or "page" not in severities
        assert incident.onset_ns <= incident.last_onset_ns


def check_pages(memory, held_since, now):
    firing = {row.fingerprint: row for row in memory.rows.values() if row.state.status == "firing"}
    for fingerprint, since in held_since.items():
        alert = firing[fingerprint]
        assert memory.incidents[alert.incident].status == "open"
        told = [known for (number, receiver, _), known in memory.told.items()
                if number == alert.incident and receiver == "oncall/recorder"]  # fmt: skip
        assert told, "somebody on call has heard of every page's incident"
        if alert.state.loud or now - since >= TIMING.renotify_after_ns / NANOS:
            assert alert.state.loud
            assert [known.phase for known in told] == ["firing"]


def test_a_clock_that_is_set_back_keeps_nothing_resolved_that_still_fires(lite):
    alerting = set_up(lite)
    run(alerting, [finding()], 0, 10)
    alerting.resolve("INC-1", "Ada", "", at(10))
    run(alerting, [finding()], -600, -590)
    assert alerting.incident("INC-1")["status"] == "resolved", "within the time that a person's word counts"
    run(alerting, [finding()], -7200, -7190)
    assert alerting.incident("INC-1")["status"] == "open"
    assert (
        alerting.incident("INC-1")["timeline"][-1]["text"]
        == "Resolved, but still firing: errors-burn of request-errors"
    )
