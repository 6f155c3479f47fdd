"""Quantile and drift SLOs: slices judged when complete, again when late data come, and counted once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detectors.slo.compile import rule_id, slices_rule_id
from detectors.slo.distribution_slices import SliceBook
from detectors.slo.engine import Engine
from detectors.slo.kinds.drift import Drift
from detectors.slo.kinds.quantile import Quantile
from detectors.slo.reference import FirstReference, RecentReference
from detectors.slo.slices import GRACE_NS, LATE_NS
from telemetry.deltas import DistributionDelta, SliDelta
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS, NANOS
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.traffic import T0, slos_of

MINUTE = ns("1m")
P90 = Quantile("ttft", 0.9, 1.0, MINUTE, min_events=20)
DRIFT = Drift(("tokens_in", "model"), RecentReference(ns("1h")), MINUTE, alpha=0.001, min_effect=0.1, min_events=30)


def values(at_ns: int, data, field: str = "ttft", rule: str = "r") -> DistributionDelta:
    distribution = data if isinstance(data, dict) else DDSketch.of(np.asarray(data, dtype=np.float64))
    return DistributionDelta(rule, "{}", at_ns, field, distribution)


def verdicts(deltas: list[SliDelta]) -> list[tuple[int, int, int]]:
    return [((delta.bucket_ns - T0) // MINUTE, delta.good, delta.total) for delta in deltas]


def test_a_slice_is_judged_when_it_is_complete():
    book = SliceBook(P90, "r:slices")
    book.add([values(T0 + 10 * NANOS, [0.5] * 20), values(T0 + MINUTE, [2.0] * 20)])
    assert book.judge(T0 + MINUTE + GRACE_NS - 1) == []
    assert book.judge(T0 + MINUTE + GRACE_NS) == [SliDelta("r:slices", "{}", T0, 1, 1)]
    assert verdicts(book.judge(T0 + 2 * MINUTE + GRACE_NS)) == [(1, 0, 1)]
    assert book.judge(T0 + 3 * MINUTE) == []


def test_parts_of_a_slice_are_judged_together_and_strictly_below():
    book = SliceBook(P90, "r")
    book.add(values(T0 + k * BUCKET_NS, [0.5] * 17 + [5.0] * (1 if k < 5 else 4)) for k in range(6))
    ((_, good, total),) = verdicts(book.judge(T0 + 2 * MINUTE))
    assert (good, total) == (1, 1), "9 of 111 are slow: p90 is fast"
    found = book.latest("{}")
    assert found is not None
    assert found[1].detail["p90"] == pytest.approx(0.5, rel=0.01)


def test_too_few_events_are_neither_good_nor_bad():
    book = SliceBook(P90, "r")
    book.add([values(T0, [9.0] * 19)])
    assert book.judge(T0 + 2 * MINUTE) == []
    found = book.latest("{}")
    assert found is not None
    assert (found[1].good, found[1].detail["events"]) == (None, 19)


def test_late_data_judge_a_slice_anew():
    book = SliceBook(P90, "r")
    book.add([values(T0, [9.0] * 19)])
    assert book.judge(T0 + 2 * MINUTE) == []
    book.add([values(T0, [9.0])])
    assert verdicts(book.judge(T0 + 3 * MINUTE)) == [(0, 0, 1)]
    book.add([values(T0 + BUCKET_NS, [0.1] * 500)])
    assert verdicts(book.judge(T0 + 4 * MINUTE)) == [(0, 1, 0)], "bad becomes good: one more good, none more in all"
    book.judge(T0 + LATE_NS + 3 * MINUTE)
    book.add([values(T0, [9.0] * 5000)])
    assert book.judge(T0 + LATE_NS + 4 * MINUTE) == []
    assert book.too_late == 1


def test_verdicts_that_were_stored_are_not_counted_again():
    first = SliceBook(P90, "r")
    rows = [values(T0, [0.5] * 20), values(T0 + MINUTE, [2.0] * 20)]
    first.add(rows)
    counted = first.judge(T0 + 3 * MINUTE)
    restarted = SliceBook(P90, "r")
    restarted.restore(counted)
    restarted.add(rows)
    assert restarted.judge(T0 + 3 * MINUTE) == []


def test_a_fixed_reference_survives_a_restart_and_old_verdicts_stand():
    rng = np.random.default_rng(8)
    sli = Drift(("tokens_in",), FirstReference(500), MINUTE, alpha=0.001, min_effect=0.1, min_events=30)
    rows = [row for k in range(150) for row in minute_of(rng, k, shift=0.8 if k >= 30 else 0.0)[:1]]
    first, restarted = SliceBook(sli, "r"), SliceBook(sli, "r")
    first.add(rows)
    end_ns = T0 + 151 * MINUTE
    counted = first.judge(end_ns)
    restarted.restore(counted)
    restarted.add(rows)
    assert restarted.judge(end_ns) == []
    for book in (first, restarted):
        book.add(minute_of(np.random.default_rng(9), 151)[:1])
    assert verdicts(first.judge(end_ns + 2 * MINUTE)) == verdicts(restarted.judge(end_ns + 2 * MINUTE)) == [(151, 1, 1)]


def minute_of(rng: np.random.Generator, k: int, shift: float = 0.0, n: int = 200) -> list[DistributionDelta]:
    return [
        values(T0 + k * MINUTE, rng.lognormal(5 + shift, 0.5, n), "tokens_in"),
        values(T0 + k * MINUTE, {"a": n // 2, "b": n // 2}, "model"),
    ]


def test_drift_is_bad_and_does_not_teach_the_reference():
    rng = np.random.default_rng(1)
    book = SliceBook(DRIFT, "r")
    found = {}
    for k in range(100):
        book.add(minute_of(rng, k, shift=0.8 if k >= 30 else 0.0))
        for minute, good, total in verdicts(book.judge(T0 + (k + 1) * MINUTE + GRACE_NS)):
            found[minute] = (good, total)
    assert 0 not in found, "the first slice has no reference"
    assert {found[minute] for minute in range(1, 30)} == {(1, 1)}
    assert {found[minute] for minute in range(30, 90)} == {(0, 1)}, "an hour of drift is an hour of bad slices"
    assert {found[minute] for minute in range(92, 100)} == {(1, 1)}, "then nothing else is left to compare with"
    latest = book.latest_bad("{}")
    assert latest is not None
    drifted = latest[1].detail["drift"][0]
    assert (drifted["field"], drifted["drifted"]) == ("tokens_in", True)


def test_a_new_category_is_drift():
    rng = np.random.default_rng(2)
    book = SliceBook(DRIFT, "r")
    for k in range(10):
        book.add(minute_of(rng, k))
    book.add([values(T0 + 10 * MINUTE, {"a": 100, "c": 100}, "model")])
    assert verdicts(book.judge(T0 + 12 * MINUTE))[-1] == (10, 0, 1)


def test_a_fixed_reference_is_the_first_events_and_stays():
    rng = np.random.default_rng(3)
    sli = Drift(("tokens_in",), FirstReference(500), MINUTE, alpha=0.001, min_effect=0.1, min_events=30)
    book = SliceBook(sli, "r")
    found = []
    for k in range(200):
        book.add(minute_of(rng, k, shift=0.8 if k >= 30 else 0.0)[:1])
        found += verdicts(book.judge(T0 + (k + 1) * MINUTE + GRACE_NS))
    assert [minute for minute, _, _ in found] == list(range(3, 200)), "three slices of 200 hold 500 events"
    assert {good for minute, good, _ in found if minute >= 30} == {0}, "drift stays drift, however long it lasts"
    assert {good for minute, good, _ in found if minute < 30} == {1}


def test_memory_holds_what_is_needed():
    rng = np.random.default_rng(4)
    book = SliceBook(DRIFT, "r")
    for k in range(300):
        book.add(minute_of(rng, k, n=40))
        book.judge(T0 + (k + 1) * MINUTE + GRACE_NS)
    assert len(book._groups["{}"].held) <= book.retention_ns // MINUTE + 2


def drift_engine() -> Engine:
    return Engine(
        slos_of("{name: inputs, service: chat, sli: {drift: {fields: [tokens_in], slice: 10s}}, objective: 95%}")
    )


def feed(engine: Engine, rng: np.random.Generator, k: int, shift: float) -> int:
    rule, at_ns = rule_id(engine.slos.slos[0]), T0 + k * BUCKET_NS
    engine.ingest_distributions([values(at_ns, rng.lognormal(5 + shift, 0.5, 60), "tokens_in", rule)])
    engine.ingest_sli([SliDelta(rule, "{}", at_ns, 60, 60)])
    return at_ns + BUCKET_NS


def test_drift_alerts_with_the_fields_as_evidence():
    rng = np.random.default_rng(5)
    engine = drift_engine()
    alerted = None
    for k in range(60):
        evaluation = engine.step(feed(engine, rng, k, shift=0.8 if k >= 40 else 0.0))
        found = [one for one in evaluation.findings if one.labels["alertname"] == "ErrorBudgetSequential"]
        assert not (found and k < 40)
        alerted = alerted or (found and (k, found[0]))
    assert alerted
    k, finding = alerted
    assert k - 40 <= 8, "within a minute and a half, most of it the objective's tolerance"
    assert abs(finding.since_ns - (T0 + 40 * BUCKET_NS)) <= 2 * BUCKET_NS
    assert finding.evidence["drift"][0]["field"] == "tokens_in"
    assert finding.summary.startswith("inputs: tokens_in drifted from the reference in")
    json.dumps(finding.evidence, allow_nan=False)
    json.dumps(evaluation.statuses[0].to_json(), allow_nan=False)


def test_a_restart_with_stored_verdicts_goes_on_where_it_was():
    rng = np.random.default_rng(6)
    engine, restarted = drift_engine(), drift_engine()
    slices, rows = [], []
    for k in range(30):
        state = rng.bit_generator.state
        now_ns = feed(engine, rng, k, 0.0)
        rng.bit_generator.state = state
        rows.append((k, state))
        slices += engine.step(now_ns).slice_deltas
    for k, state in rows:
        again = np.random.default_rng()
        again.bit_generator.state = state
        feed(restarted, again, k, 0.0)
    assert {delta.rule for delta in slices} == {slices_rule_id(engine.slos.slos[0])}
    restarted.ingest_sli(slices)
    after = restarted.step(now_ns)
    assert after.slice_deltas == ()
    assert after.statuses[0].to_json() == engine.step(now_ns).statuses[0].to_json()


def test_too_few_events_to_judge_are_not_ok():
    sli = "{quantile: {measure: ttft, quantile: p99, below: 1s}}"
    slos = slos_of(f"{{name: q, service: chat, sli: {sli}, objective: 99%}}")
    engine = Engine(slos)
    rule = rule_id(slos.slos[0])
    for k in range(6):
        engine.ingest_distributions([values(T0 + k * MINUTE, [9.0] * 10, rule=rule)])
        engine.ingest_sli([SliDelta(rule, "{}", T0 + k * MINUTE, 10, 10)])
    (group,) = engine.step(T0 + 6 * MINUTE).statuses[0].groups
    assert (group.state, group.total, group.sli) == ("not_enough_data", 0, None)
    assert group.detail["latest_slice"]["events"] == 10
