"""A scenario run in virtual time: requests drawn, counted, evaluated, alerted on and scored. It stores nothing.

Everything after the columns is what the service runs: ``roll_up`` of the collector, the engine, the alert states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerting.state import AlertTiming
from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from tailwatch.backtest.backtest import sample_ns
from tailwatch.backtest.outcome import Outcome
from tailwatch.backtest.scoring import LabelledIncident, calls_of, score
from tailwatch.backtest.timeline import Timeline, at_bucket_end
from tailwatch.backtest.virtual import VirtualRun
from tailwatch.simulation.events import EventSource
from tailwatch.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Simulated:
    """The outcome, and how many requests were drawn and counted for it."""

    outcome: Outcome
    events: int


def simulate(
    scenario: Scenario,
    timing: AlertTiming,
    max_groups: int,
    progress: Callable[[int], object] = lambda _events: None,
) -> Simulated:
    """Run ``scenario``; equal scenarios give equal results. ``progress`` is told of requests as they are counted."""
    run = VirtualRun(scenario.slos, timing, sample_ns(scenario.duration_ns, scenario.step_ns))
    rules = run.engine.rules
    source = EventSource(scenario, frozenset().union(*(rule.names for rule in rules)))
    guard = CardinalityGuard(max_groups)
    now_ns, events = scenario.start_ns, 0
    for end_ns, columns in source.pieces():
        deltas = roll_up(columns, rules, guard, end_ns)
        timeline = Timeline(at_bucket_end(deltas.sli), at_bucket_end(deltas.distributions))
        while now_ns < end_ns:
            now_ns += scenario.step_ns
            run.step(timeline, now_ns)
        events += len(columns)
        progress(len(columns))
    incidents = labelled(scenario)
    calls = calls_of(run.episodes(), timing.reopen_within_ns)
    outcome = Outcome(
        scenario.start_ns, now_ns, scenario.step_ns, tuple(slo.name for slo in scenario.slos.slos), calls,
        tuple(run.curves()), incidents, score(calls, incidents, 0), (),
    )  # fmt: skip
    return Simulated(outcome, events)


def labelled(scenario: Scenario) -> tuple[LabelledIncident, ...]:
    """The incidents that alerts are expected for."""
    return tuple(
        LabelledIncident(
            one.name, scenario.start_ns + one.start_ns, scenario.start_ns + one.start_ns + one.duration_ns,
            slo=one.slo, labels=one.where,
        )
        for one in scenario.disturbances if one.incident
    )  # fmt: skip
