"""Saturation SLOs through the engine: groups, roles, restarts, late values, silence, and what lint says."""

from __future__ import annotations

import pytest

from detectors.slo.compile import compile_rules, slices_rule_id
from detectors.slo.engine import Engine, Evaluation
from detectors.slo.lint import lint
from detectors.slo.parse import parse_slos
from detectors.slo.spec import SloSet
from telemetry.deltas import group_key
from telemetry.gauges import GaugeReading
from telemetry.points import GaugeState, MetricSeries
from telemetry.windows import NANOS

MINUTE = 60 * NANOS
START = 28_333_333 * MINUTE


def slos(saturation: str, more: str = "") -> SloSet:
    head = "version: 1\nslos:\n- name: queue\n  service: chat\n  objective: 90%\n"
    return parse_slos([("slos.yaml", f"{head}  sli:\n   saturation: {saturation}\n{more}")])


DEPTH = slos("{gauge: queue_depth, below: 50}", "  per: [model_name]\n")


def reading(value: float, minute: int, *, name: str = "vllm:num_requests_waiting", **labels: str) -> GaugeReading:
    series = MetricSeries(name, "{request}", "gauge", "", "chat", "replica-1", group_key(labels))
    time_ns = START + minute * MINUTE
    return GaugeReading(series, time_ns, GaugeState.of(time_ns, value))


def counts(evaluation: Evaluation) -> dict[str, tuple[float, int]]:
    groups = evaluation.statuses[0].groups
    return {group.group.get("model_name", ""): (group.good, group.total) for group in groups}


def test_it_asks_nothing_of_the_collector_and_names_what_it_reads() -> None:
    assert compile_rules(DEPTH.slos[0]) == ()
    names = ("nv_inference_pending_request_count", "tailwatch.queue.depth", "vllm:num_requests_waiting")
    assert Engine(DEPTH).gauges == {("chat", name) for name in names}


def test_every_group_of_labels_has_a_budget_and_all_names_of_a_role_count() -> None:
    engine = Engine(DEPTH)
    engine.ingest_gauges(reading(10.0 + 10 * minute, minute, model_name="a") for minute in range(8))
    engine.ingest_gauges(reading(1, m, name="tailwatch.queue.depth", model_name="b") for m in range(5))
    engine.ingest_gauges([reading(99, 0, name="vllm:num_requests_running", model_name="a")])
    evaluation = engine.step(START + 9 * MINUTE)
    assert counts(evaluation) == {"a": (4, 8), "b": (5, 5)}
    assert {delta.rule for delta in evaluation.slice_deltas} == {slices_rule_id(DEPTH.slos[0])}
    detail = evaluation.statuses[0].groups[0].detail
    assert (detail["gauge"], detail["below"], detail["unit"]) == ("queue_depth", 50.0, "{request}")
    assert detail["latest_slice"]["max"] == 80.0


def test_a_long_saturation_is_found_and_put_into_words() -> None:
    engine = Engine(DEPTH)
    engine.ingest_gauges(reading(80, minute, model_name="a") for minute in range(30))
    (finding, *_) = engine.step(START + 31 * MINUTE).findings
    assert "max of queue_depth of model_name=a is 50 or more in all slices of 1m" in finding.summary
    assert finding.evidence["slice_of_time"]["max"] == 80.0


def test_conditions_are_on_the_labels_of_the_metric() -> None:
    engine = Engine(slos("{gauge: queue_depth, below: 50}", "  where: ['model_name=\"a\"']\n"))
    engine.ingest_gauges([reading(10, 0, model_name="a"), reading(99, 0, model_name="b")])
    assert counts(engine.step(START + 2 * MINUTE)) == {"": (1, 1)}


def test_a_restart_with_the_verdicts_and_the_same_readings_counts_nothing_twice() -> None:
    seen = [reading(10.0 + 10 * minute, minute, model_name="a") for minute in range(8)]
    first = Engine(DEPTH)
    first.ingest_gauges(seen)
    verdicts = first.step(START + 9 * MINUTE).slice_deltas
    second = Engine(DEPTH)
    second.ingest_sli(verdicts)
    second.ingest_gauges([*seen, reading(99, 0, model_name="a", engine="2")])
    evaluation = second.step(START + 9 * MINUTE)
    assert counts(evaluation) == {"a": (3, 8)}
    assert [(delta.good, delta.total) for delta in evaluation.slice_deltas] == [(-1, 0)]


def test_a_gauge_that_falls_silent_is_no_traffic_and_not_full_marks() -> None:
    engine = Engine(DEPTH)
    engine.ingest_gauges(reading(1, minute, model_name="a") for minute in range(30))
    now_ns = START + 300 * MINUTE
    state = engine.step(now_ns, {"chat": now_ns}).statuses[0].groups[0].state
    assert state in ("no_traffic", "no_telemetry")


@pytest.mark.parametrize(
    ("saturation", "message"),
    [
        ("{gauge: 'vllm:kv_cache_usage_perc', below: 90}", "is a share from 0 to 1 and always below 90"),
        ("{gauge: 'vllm:num_preemptions_total', below: 5}", "is a sum and no gauge"),
        ("{gauge: queue_dept, below: 5}", "queue_dept is no metric that Tailwatch knows"),
    ],
)
def test_lint_says_what_cannot_be_meant(saturation: str, message: str) -> None:
    assert message in "; ".join(problem.message for problem in lint(slos(saturation)))


def test_labels_of_metrics_are_no_misspelt_fields() -> None:
    more = "  where: ['model_name=\"a\"']\n  per: [instance]\n"
    problems = lint(slos("{gauge: queue_depth, below: 50}", more))
    assert not any(problem.field.startswith(("queue.where", "queue.per")) for problem in problems)
