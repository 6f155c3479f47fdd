"""Freshness SLOs from the collector's count to the finding: lateness is counted at receipt, and silence is bad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.slo.compile import compile_rules
from detectors.slo.engine import Engine, Evaluation
from detectors.slo.lint import lint
from detectors.slo.parse import parse_slos
from detectors.slo.spec import SloSet
from telemetry.columns import columns_of
from telemetry.deltas import SliDelta
from telemetry.errors import FileProblemsError
from telemetry.gauges import GaugeReading
from telemetry.points import GaugeState, MetricSeries
from telemetry.windows import BUCKET_NS, NANOS

MINUTE = 60 * NANOS
START = 28_333_333 * MINUTE


def slos(freshness: str, more: str = "") -> SloSet:
    head = "version: 1\nslos:\n- name: heard\n  service: chat\n  objective: 90%\n"
    return parse_slos([("slos.yaml", f"{head}  sli:\n   freshness: {freshness}\n{more}")])


HEARD = slos("{heartbeat: tailwatch.queue.depth}")


def calls(minute: float, received_after_s: float | None, n: int = 3, service: str = "chat") -> tuple[SliDelta, ...]:
    time_ns = START + int(minute * MINUTE)
    columns = columns_of("span", np.full(n, time_ns, dtype=np.int64), strings={"service": [service] * n})
    received_ns = None if received_after_s is None else time_ns + int(received_after_s * NANOS)
    batch = replace(columns, received_ns=received_ns)
    return roll_up(batch, compile_rules(HEARD.slos[0]), CardinalityGuard(), time_ns).sli


def counts(evaluation: Evaluation) -> tuple[float, int]:
    (group,) = evaluation.statuses[0].groups
    return group.good, group.total


@pytest.mark.parametrize(("received_after_s", "on_time"), [(0.5, 3), (30.0, 3), (30.5, 0), (-5.0, 3), (None, 3)])
def test_lateness_is_counted_when_a_batch_is_received(received_after_s: float | None, on_time: int) -> None:
    (delta,) = calls(0, received_after_s)
    assert (delta.good, delta.total) == (on_time, 3)


def test_silence_late_telemetry_and_none_at_all() -> None:
    engine = Engine(HEARD)
    assert engine.step(START).statuses[0].groups[0].state == "no_telemetry"
    for minute in (0, 1, 2, 5):
        engine.ingest_sli(calls(minute, 600 if minute == 2 else 1))
    assert counts(engine.step(START + 10 * MINUTE)) == (3, 9)  # 0..8 were due; 2 came late, 3, 4 and 6..8 never.


def test_a_silent_service_is_found_and_never_reads_as_fine() -> None:
    engine = Engine(HEARD)
    for minute in range(60):
        engine.ingest_sli(calls(minute, 1))
    assert counts(engine.step(START + 61 * MINUTE + 39 * NANOS)) == (60, 60)
    evaluation = engine.step(START + 90 * MINUTE)
    good, total = counts(evaluation)
    assert (good, total) == (60, 89)
    assert "telemetry is missing or late in all slices of 1m" in evaluation.findings[0].summary
    facts = {"start": START / NANOS + 88 * 60, "good": False, "events": 0, "late": 0, "heartbeat": False}
    assert evaluation.findings[0].evidence["slice_of_time"] == facts


def test_a_heartbeat_of_the_same_service_stands_in_for_calls() -> None:
    engine = Engine(HEARD)
    engine.ingest_sli(calls(0, 1))
    for minute, service in ((1, "chat"), (2, "other")):
        series = MetricSeries("tailwatch.queue.depth", "{request}", "gauge", "", service)
        time_ns = START + minute * MINUTE
        engine.step(time_ns)
        engine.ingest_gauges([GaugeReading(series, time_ns, GaugeState.of(time_ns, 0))])
    assert counts(engine.step(START + 3 * MINUTE + 30 * NANOS)) == (2, 2)
    assert counts(engine.step(START + 4 * MINUTE + 30 * NANOS)) == (2, 3)


def test_groups_are_waited_for_each_by_itself_and_signs_of_life_agree_with_their_labels() -> None:
    engine = Engine(slos("{heartbeat: tailwatch.queue.depth}", "  per: [instance]\n"))
    rule = engine.rules[0].id
    for instance in ("a", "b"):
        engine.ingest_sli([SliDelta(rule, f'{{"instance":"{instance}"}}', START, 1, 1)])
    engine.step(START)
    series = MetricSeries("tailwatch.queue.depth", "{request}", "gauge", "", "chat", "a")
    engine.ingest_gauges([GaugeReading(series, START + MINUTE, GaugeState.of(START + MINUTE, 0))])
    groups = engine.step(START + 3 * MINUTE).statuses[0].groups
    assert {group.group["instance"]: (group.good, group.total) for group in groups} == {"a": (2, 2), "b": (1, 2)}


def test_a_restart_goes_on_with_the_verdicts_and_waits_on() -> None:
    first, second = Engine(HEARD), Engine(HEARD)
    events = [delta for minute in (0, 1, 4) for delta in calls(minute, 1)]
    first.ingest_sli(events)
    verdicts = first.step(START + 7 * MINUTE).slice_deltas
    second.ingest_sli([*events, *verdicts])
    assert counts(second.step(START + 12 * MINUTE)) == (3, 11)


@pytest.mark.parametrize(
    "freshness", ["{max_delay: 59m}", "{slice: 15m, max_delay: 45m}", "{slice: 1h, max_delay: 1m}"]
)
def test_the_longest_delays_are_judged_in_time_for_alerts(freshness: str) -> None:
    """Calls for five hours, and then silence."""
    declared = slos(freshness)
    (rule,) = compile_rules(declared.slos[0])
    engine, told = Engine(declared), False
    for minute in range(0, 15 * 60, 5):
        if minute < 300:
            starts_ns = [(START + place * MINUTE) // BUCKET_NS * BUCKET_NS for place in range(minute, minute + 5)]
            engine.ingest_sli([SliDelta(rule.id, "{}", start_ns, 3, 3) for start_ns in starts_ns])
        told |= bool(engine.step(START + (minute + 5) * MINUTE).findings)
        assert not (told and minute < 300)
    assert told


@pytest.mark.parametrize(
    ("freshness", "most"),
    [("{max_delay: 2h}", "59m"), ("{slice: 15m, max_delay: 1h}", "45m"), ("{slice: 1h, max_delay: 2m}", "1m")],
)
def test_a_delay_after_which_no_alert_looks_back_is_refused(freshness: str, most: str) -> None:
    with pytest.raises(FileProblemsError, match=rf"any alert \(write at most {most}: together with slice"):
        slos(freshness)


@pytest.mark.parametrize(
    ("freshness", "message"),
    [
        ("{max_delay: 2s}", "most come later than 2s"),
        ("{heartbeat: 'vllm:prompt_tokens_total'}", "is a sum and no gauge"),
    ],
)
def test_lint_says_what_cannot_be_meant(freshness: str, message: str) -> None:
    assert message in "; ".join(problem.message for problem in lint(slos(freshness)))
