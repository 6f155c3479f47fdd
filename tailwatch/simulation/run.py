"""A scenario run in virtual time: requests drawn, counted, evaluated, alerted on and scored. It stores nothing.

Everything after the columns is what the service runs: ``roll_up`` of the collector, the engine, the alert states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from alerting.state import AlertTiming
from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from tailwatch.backtest.backtest import sample_ns
from tailwatch.backtest.outcome import Outcome, corrections_within
from tailwatch.backtest.scoring import LabelledIncident, calls_of, score
from tailwatch.backtest.timeline import Timeline, at_bucket_end
from tailwatch.backtest.virtual import VirtualRun
from tailwatch.simulation.arrivals import Arrivals
from tailwatch.simulation.events import EventSource
from tailwatch.simulation.gauges import GaugeSource
from tailwatch.simulation.labels import LabelSource
from tailwatch.simulation.scenario import Scenario
from telemetry.deltas import DistributionDelta, SliDelta

_Row = TypeVar("_Row", SliDelta, DistributionDelta)


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
    incidents = labelled(scenario)
    sampled_ns = sample_ns(scenario.duration_ns, scenario.step_ns)
    run = VirtualRun(scenario.slos, timing, sampled_ns, scenario.corrections, incidents)
    rules = run.engine.rules
    guard = CardinalityGuard(max_groups)
    arrivals, labels, gauges = Arrivals(scenario), LabelSource(scenario, rules, guard), GaugeSource(scenario)
    source = EventSource(scenario, arrivals.names.union(labels.names, *(rule.names for rule in rules)))
    timeline = Timeline()
    now_ns, events = scenario.start_ns, 0
    for end_ns, columns in source.pieces():
        for known_ns, part in arrivals.parts(columns):
            deltas = roll_up(part, rules, guard, end_ns)
            timeline.add(_known(deltas.sli, known_ns), _known(deltas.distributions, known_ns))
            # A label waits for its request, and for one that is never sent it counts nothing.
            timeline.add((max(at_ns, known_ns or 0), row) for at_ns, row in labels.counted(part))
        timeline.add(gauges=gauges.readings(since_ns=now_ns, until_ns=end_ns))
        while now_ns < end_ns:
            now_ns += scenario.step_ns
            run.step(timeline, now_ns)
        events += len(columns)
        progress(len(columns))
    calls = calls_of(run.episodes(), timing.reopen_within_ns)
    outcome = Outcome(
        scenario.start_ns, now_ns, scenario.step_ns, tuple(slo.name for slo in scenario.slos.slos), calls,
        tuple(run.curves()), incidents, score(calls, incidents, 0, run.costs()), _notes(scenario, run),
        corrections_within(scenario.corrections, scenario.slos, scenario.start_ns, now_ns),
    )  # fmt: skip
    return Simulated(outcome, events)


def _notes(scenario: Scenario, run: VirtualRun) -> tuple[str, ...]:
    """Which SLOs nothing could be said about."""
    told = {curve.slo for curve in run.curves()}
    return tuple(
        f"{slo.name}: there is no event of it; it is about {slo.service}, the simulation about {scenario.service}"
        if slo.service != scenario.service else f"{slo.name}: there is no event of it"
        for slo in scenario.slos.slos if slo.name not in told
    )  # fmt: skip


def _known(rows: Sequence[_Row], at_ns: int | None) -> Iterator[tuple[int, _Row]]:
    return at_bucket_end(rows) if at_ns is None else ((at_ns, row) for row in rows)


def labelled(scenario: Scenario) -> tuple[LabelledIncident, ...]:
    """The incidents that alerts are expected for."""
    return tuple(
        LabelledIncident(
            one.name, scenario.start_ns + one.start_ns, scenario.start_ns + one.start_ns + one.duration_ns,
            slo=one.slo, labels=one.where,
        )
        for one in scenario.disturbances if one.incident
    )  # fmt: skip
