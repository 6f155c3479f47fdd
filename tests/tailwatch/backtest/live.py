"""A service that lives through simulated requests: the real intake's commits, evaluator and alerting, on its clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alerting.config import AlertingConfig
from alerting.service import Alerting
from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.slo.compile import compile_rules
from storage.compaction import compact
from storage.database import Database
from storage.ingest import Kind, PreparedPayload, commit
from tailwatch.evaluator import Evaluator
from tailwatch.simulation.arrivals import Arrivals
from tailwatch.simulation.events import EventSource
from tailwatch.simulation.gauges import GaugeSource
from tailwatch.simulation.reading import load_scenario
from tailwatch.simulation.scenario import Scenario
from telemetry.columns import Columns
from telemetry.points import MetricPoint
from telemetry.rules import SERIES_RULE

Shown = tuple[str, str, str, str, str]
"""SLO, alert, window, severity and input type of an alert that fires."""


def scenario(folder: Path, text: str) -> Scenario:
    """The scenario that is written in ``text``."""
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path)


def live_through(database: Database, one: Scenario, kept: frozenset[Kind], *, compacted: bool) -> dict[int, set[Shown]]:
    """Which alerts fired, or were hushed by their page once they had, after each evaluation (ns)."""
    alerting = Alerting(database, AlertingConfig())
    firing: dict[int, set[Shown]] = {}
    begun: set[Shown] = set()

    def act(findings, now_ns: int) -> None:
        alerting.apply(findings, lambda _finding: None, now_ns)
        states = {_shown(alert["labels"]): alert["state"] for alert in alerting.alerts()}
        begun.intersection_update(states)
        begun.update(shown for shown, state in states.items() if state == "firing")
        firing[now_ns] = set(begun)

    rules = (SERIES_RULE, *(rule for slo in one.slos.slos for rule in compile_rules(slo)))
    guard, gauges = CardinalityGuard(100), GaugeSource(one)
    evaluator = Evaluator(database, one.slos, lambda group: commit(database, group, one.start_ns), act)
    evaluator.start(one.start_ns)
    try:
        for now_ns, columns in _steps(one):
            points = tuple(
                MetricPoint(reading.series, reading.bucket_ns, 0, reading.state)
                for _, reading in gauges.readings(now_ns - one.step_ns, now_ns)
            )
            if points:
                commit(database, [PreparedPayload((b"gauges" + now_ns.to_bytes(10),), points=points)], now_ns, kept)
            if len(columns):
                deltas = roll_up(columns, rules, guard, now_ns)
                payload = PreparedPayload(
                    (now_ns.to_bytes(16),), (columns,), sli=deltas.sli, distributions=deltas.distributions,
                    spans=len(columns), rules=frozenset(rule.id for rule in rules),
                )  # fmt: skip
                commit(database, [payload], now_ns, kept)
            evaluator.step(now_ns)
        position = evaluator.position
        assert position is not None
        if compacted:
            compact(database, now_ns, position)
    finally:
        evaluator.stop()
    return firing


def _steps(one: Scenario) -> Iterator[tuple[int, Columns]]:
    """The requests that ended since the evaluation before, at every evaluation; none that are withheld."""
    now_ns, arrivals = one.start_ns, Arrivals(one)
    for end_ns, drawn in EventSource(one, one.fields).pieces():
        columns = next((part for known_ns, part in arrivals.parts(drawn) if known_ns is None), drawn.take(np.arange(0)))
        while now_ns < end_ns:
            earlier_ns, now_ns = now_ns, now_ns + one.step_ns
            yield now_ns, columns.take(np.flatnonzero((columns.time_ns >= earlier_ns) & (columns.time_ns < now_ns)))


def _shown(labels: dict[str, str]) -> Shown:
    names = ("slo", "alertname", "window", "severity", "input_type")
    slo, name, window, severity, group = (labels.get(one, "") for one in names)
    return slo, name, window, severity, group
