"""Budgets for slices of time: against a slow reference, with late events, over restarts, and as evidence."""

from __future__ import annotations

import json
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.slo.compile import rule_id, slices_rule_id
from detectors.slo.counted import CountedSlices
from detectors.slo.engine import Engine
from detectors.slo.evidence import Evidence
from detectors.slo.ledger import Ledger
from detectors.slo.lint import lint
from detectors.slo.slices import GRACE_NS, LATE_NS
from detectors.slo.spec import OCCURRENCES, RATIO_UNIT, RatioTimeslices, Slo, SloSet, Timeslices
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS, NANOS
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.traffic import T0, slos_of

MINUTE = ns("1m")
METHODS = (Timeslices(MINUTE, 0.9), RatioTimeslices(MINUTE))


def method_slos(budgeting: str, more: str = "") -> SloSet:
    sli = "sli: {latency: {measure: duration, below: 1s}}"
    return slos_of(f"{{name: a, service: chat, {sli}, objective: 95%, budgeting: {budgeting}{more}}}")


def row(at_ns: int, bad: int, total: int, rule: str = "r") -> SliDelta:
    return SliDelta(rule, "{}", at_ns, total - bad, total)


def slow_reference(slo: Slo, rows: list[SliDelta]) -> tuple[Fraction, int]:
    """Good slices (or the sum of shares of good events) and how many slices there are, in exact fractions."""
    slices: dict[int, list[SliDelta]] = defaultdict(list)
    assert slo.slice_ns is not None
    for one in rows:
        slices[one.bucket_ns // slo.slice_ns].append(one)
    good = Fraction(0)
    for same in slices.values():
        share = Fraction(sum(one.good for one in same), sum(one.total for one in same))
        if isinstance(slo.budgeting, Timeslices):
            share = Fraction(share >= Fraction(str(slo.budgeting.target)))
        good += share
    return good, len(slices)


EVENTS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 300), st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.sampled_from(["{timeslices: {slice: 1m, target: 90%}}", "{ratio-timeslices: {slice: 2m}}"]))
def test_budget_and_burn_are_those_of_the_slow_reference(events, budgeting):
    """Events up to 50 min late, in any order, asked for as often as they come."""
    slos = method_slos(budgeting)
    slo, engine = slos.slos[0], Engine(slos)
    rows = [
        (k * BUCKET_NS + late * BUCKET_NS, row(T0 + k * BUCKET_NS, min(bad, total), total, rule_id(slo)))
        for k, late, total, bad in events
    ]
    for arrives_ns, one in sorted(rows, key=lambda item: item[0]):
        engine.ingest_sli([one])
        engine.step(T0 + arrives_ns)
    (group,) = engine.step(T0 + ns("2h")).statuses[0].groups
    good, total = slow_reference(slo, [one for _, one in rows])
    assert group.total == total
    assert group.good == pytest.approx(float(good), abs=total / RATIO_UNIT)
    burn = float((total - good) / total / Fraction("0.05"))
    assert group.burn["30d"] == pytest.approx(burn, abs=1e-4)
    assert group.budget_remaining == pytest.approx(1 - burn, abs=1e-4)
    json.dumps(group.to_json(), allow_nan=False)


@pytest.mark.parametrize("method", METHODS)
def test_a_slice_is_judged_when_it_is_complete_and_again_when_late_events_come(method):
    book = CountedSlices(method, "r:slices")
    unit = RATIO_UNIT if isinstance(method, RatioTimeslices) else 1
    book.add([row(T0, 0, 5), row(T0 + MINUTE, 5, 5)])
    assert book.judge(T0 + MINUTE + GRACE_NS - 1) == []
    assert book.judge(T0 + MINUTE + GRACE_NS) == [SliDelta("r:slices", "{}", T0, unit, unit)]
    book.add([row(T0 + 50 * NANOS, 5, 5)])
    expected = -1 if unit == 1 else -RATIO_UNIT // 2
    later = book.judge(T0 + 2 * MINUTE + GRACE_NS)
    assert later == [SliDelta("r:slices", "{}", T0, expected, 0), SliDelta("r:slices", "{}", T0 + MINUTE, 0, unit)]
    assert book.latest("{}") == book.latest_bad("{}")
    book.judge(T0 + LATE_NS + 3 * MINUTE)
    book.add([row(T0, 50, 50)])
    assert book.judge(T0 + LATE_NS + 4 * MINUTE) == []
    assert book.too_late == 1


def test_a_target_is_met_exactly():
    book = CountedSlices(Timeslices(MINUTE, 0.07), "r")
    book.add([row(T0, 93, 100), row(T0 + MINUTE, 94, 100)])
    assert [delta.good for delta in book.judge(T0 + ns("5m"))] == [1, 0]


@pytest.mark.parametrize("budgeting", ["{timeslices: {target: 90%}}", "ratio-timeslices"])
def test_a_restart_with_stored_verdicts_and_folded_counts_goes_on_where_it_was(budgeting):
    """Two days of counts; those older than six hours come back in buckets of 5 min, which hold no single minutes."""
    slos = method_slos(budgeting, ", alert: none")
    rng = np.random.default_rng(4)
    engine, restarted = Engine(slos), Engine(slos)
    rows, verdicts = [], []
    for k in range(0, 2 * 1440, 3):
        at_ns = T0 + k * MINUTE
        rows.append(row(at_ns, int(rng.integers(0, 3)), 10, rule_id(slos.slos[0])))
        engine.ingest_sli([rows[-1]])
        if k % 30 == 0:
            verdicts += engine.step(at_ns).slice_deltas
    now_ns = at_ns + ns("10m")
    last = engine.step(now_ns)
    verdicts += last.slice_deltas
    folded_ns = now_ns - ns("6h")
    restarted.ingest_sli(
        SliDelta(one.rule, one.group, one.bucket_ns - (one.bucket_ns % ns("5m") if one.bucket_ns < folded_ns else 0),
                 one.good, one.total) for one in rows
    )  # fmt: skip
    assert {delta.rule for delta in verdicts} == {slices_rule_id(slos.slos[0])}
    restarted.ingest_sli(verdicts)
    again = restarted.step(now_ns)
    assert again.slice_deltas == ()
    assert again.statuses[0].to_json() == last.statuses[0].to_json()


def test_bad_minutes_alert_and_say_so():
    slos = method_slos("{timeslices: {slice: 1m, target: 95%}}")
    engine, rule = Engine(slos), rule_id(slos.slos[0])
    engine.ingest_sli(row(T0 + k * MINUTE, 0 if k < 120 else 1, 10, rule) for k in range(140))
    found = engine.step(T0 + 140 * MINUTE + GRACE_NS).findings
    alert = next(finding for finding in found if finding.labels["alertname"] == "ErrorBudgetSequential")
    assert alert.summary.startswith("a: fewer than 95 % of requests are good in all slices of 1m")
    assert alert.evidence["sli"]["slice_target"] == 0.95
    assert alert.evidence["slice_of_time"]["good_share"] == 0.9
    assert alert.since_ns == T0 + 120 * MINUTE
    (group,) = engine.step(T0 + 140 * MINUTE + GRACE_NS).statuses[0].groups
    assert (group.good, group.total, group.state) == (120, 140, "burning")


def test_shares_alert_and_count_in_slices():
    slos = method_slos("ratio-timeslices")
    engine, rule = Engine(slos), rule_id(slos.slos[0])
    engine.ingest_sli(row(T0 + k * MINUTE, 0 if k < 120 else 8, 10, rule) for k in range(130))
    evaluation = engine.step(T0 + 130 * MINUTE + GRACE_NS)
    alert = next(one for one in evaluation.findings if one.labels["alertname"] == "ErrorBudgetSequential")
    assert (alert.evidence["bad"], alert.evidence["total"]) == (pytest.approx(8), 10)
    assert "on average over slices of 1m" in alert.summary
    (group,) = evaluation.statuses[0].groups
    assert (group.good, group.total) == (pytest.approx(122), 130)
    json.dumps(alert.evidence, allow_nan=False)


def test_one_bad_slice_in_part_is_no_incident():
    slos = method_slos("ratio-timeslices")
    engine, rule = Engine(slos), rule_id(slos.slos[0])
    engine.ingest_sli(row(T0 + k * MINUTE, 10 if k == 30 else 0, 10, rule) for k in range(60))
    evaluation = engine.step(T0 + 60 * MINUTE + GRACE_NS)
    assert not evaluation.findings, "the gate wants two bad slices"


def test_parts_are_evidence_and_never_more_than_whole_slices():
    """A bad slice in ten and a tenth bad in every slice: the same mean, and the second has less evidence, not more."""
    standings = []
    for shares in ([1.0 if k % 10 == 9 else 0.0 for k in range(200)], [0.1] * 200):
        ledger = Ledger(ns("1d"))
        ledger.advance(T0)
        ledger.add(
            SliDelta("r", "{}", T0 + k * BUCKET_NS, round(RATIO_UNIT * (1 - share)), RATIO_UNIT)
            for k, share in enumerate(shares)
        )
        now_ns = T0 + 200 * BUCKET_NS
        evidence = Evidence(0.02, ns("30000d"), BUCKET_NS, 2, RATIO_UNIT)
        standings.append(float(evidence.advance(ledger, ledger.advance(now_ns), now_ns).detector.log_evidence()[0]))
    whole, parts = standings
    assert 0 < parts <= whole + 1e-9


def test_what_is_counted_anew():
    one, other, third = (
        method_slos(budgeting).slos[0]
        for budgeting in ("occurrences", "ratio-timeslices", "{ratio-timeslices: {slice: 5m}}")
    )
    plain = slos_of("{name: a, service: chat, sli: {latency: {measure: duration, below: 1s}}, objective: 95%}").slos[0]
    assert rule_id(one) == rule_id(plain), "the default changes no history"
    assert len({rule_id(one), rule_id(other), rule_id(third)}) == 3
    assert (one.budgeting, one.slice_ns, other.slice_ns) == (OCCURRENCES, None, MINUTE)
    assert [slo.method for slo in (one, other)] == ["occurrences", "ratio-timeslices"]


def test_lint_knows_slices():
    (problem,) = [
        problem for problem in lint(method_slos("{ratio-timeslices: {slice: 1h}}", ", window: 12h, alert: ticket-only"))
        if problem.field.endswith("objective")
    ]  # fmt: skip
    assert "12 slices allows less than one bad slice" in problem.message
