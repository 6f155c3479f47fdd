"""Composites: each slice as good as the weighted mean of its components' shares of good, against a naive sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from detectors.slo.compile import beside_rule_id, compile_rules, rule_id, slices_rule_id
from detectors.slo.engine import Engine
from detectors.slo.parse import parse_slos
from detectors.slo.spec import RATIO_UNIT, SloSet
from telemetry.deltas import DistributionDelta, SliDelta, group_key
from telemetry.errors import FileProblemsError
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS, NANOS

MINUTE_NS = 60 * NANOS
START_NS = 1_700_000_040 * NANOS
COMPONENTS = """
version: 1
slos:
  - {name: quick, service: chat, sli: {latency: {measure: duration, below: 2s}}, objective: 99%, per: [model, tenant]}
  - {name: fine, service: rag, sli: {errors: {}}, objective: 99.9%, per: [model]}
  - {name: tail, service: chat, sli: {quantile: {measure: duration, quantile: p90, below: 2s, min_events: 1}},
     objective: 95%, per: [model]}
  - {name: money, service: chat, sli: {spend: {budget: $5}}}
"""
BOTH = """
  - name: both
    service: chat
    sli: {composite: {of: [{slo: quick, weight: 3}, {slo: fine}], slice: 1m}}
    objective: 90%
"""


def declared(*more: str) -> SloSet:
    return parse_slos([("slos.yaml", COMPONENTS + "".join(more))])


def named(slos: SloSet, name: str) -> Any:
    slo = slos.named(name)
    assert slo is not None
    return slo


def group_of(engine: Engine, name: str, now_ns: int, **labels: str) -> dict[str, Any]:
    for status in engine.step(now_ns).statuses:
        if status.slo.name == name:
            (found,) = [group for group in status.to_json()["groups"] if group["group"] == labels]
            return dict(found)
    raise AssertionError(name)


def parts(slos: SloSet, name: str = "both") -> tuple[str, ...]:
    return tuple(rule.id for rule in compile_rules(named(slos, name)))


def test_a_slice_is_the_weighted_mean_of_the_shares_that_there_are() -> None:
    slos = declared(BOTH)
    quick, fine = parts(slos)
    engine = Engine(slos)
    engine.ingest_sli([
        SliDelta(quick, "{}", START_NS, 5, 10), SliDelta(fine, "{}", START_NS + 10 * NANOS, 90, 100),
        SliDelta(fine, "{}", START_NS + MINUTE_NS, 1, 4),  # quick has no events here, and no say
    ])  # fmt: skip
    group = group_of(engine, "both", START_NS + 3 * MINUTE_NS)
    assert group["total"] == 2
    assert group["good"] == pytest.approx((3 * 0.5 + 0.9) / 4 + 0.25)
    assert group["detail"]["latest_slice"]["shares"] == {"fine": 0.25}
    assert group["detail"]["of"] == {"quick": 3.0, "fine": 1.0}


@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_delay_within_the_hour_gives_the_naive_sum(seed: int) -> None:
    slos = declared(BOTH.replace("objective", "per: [model]\n    objective"))
    random = np.random.default_rng(seed)
    rules, models = parts(slos), ("a", "b")
    rows = []
    for _ in range(400):
        total = int(random.integers(1, 20))
        good, minute = int(random.integers(0, total + 1)), int(random.integers(0, 40))
        bucket_ns = START_NS + minute * MINUTE_NS + int(random.integers(0, 6)) * BUCKET_NS
        rows.append(SliDelta(rules[random.integers(0, 2)], group_key({"model": str(random.choice(models))}),
                             bucket_ns, good, total))  # fmt: skip
    engine = Engine(slos)
    for step, index in enumerate(np.array_split(random.permutation(len(rows)), 8)):
        engine.ingest_sli([rows[i] for i in index])
        engine.step(START_NS + 40 * MINUTE_NS + step * MINUTE_NS)
    sums: dict[tuple[str, int, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        held = sums[row.group, (row.bucket_ns - START_NS) // MINUTE_NS, row.rule]
        held[0] += row.good
        held[1] += row.total
    weight = {rules[0]: 3.0, rules[1]: 1.0}
    for model in models:
        key = group_key({"model": model})
        slices = {minute for group, minute, _ in sums if group == key}
        good = 0.0
        for minute in slices:
            shares = {rule: sums[key, minute, rule] for rule in rules if (key, minute, rule) in sums}
            weighted = sum(weight[rule] * held[0] / held[1] for rule, held in shares.items())
            good += weighted / sum(weight[rule] for rule in shares)
        found = group_of(engine, "both", START_NS + 50 * MINUTE_NS, model=model)
        assert found["total"] == len(slices)
        assert found["good"] == pytest.approx(good, abs=len(slices) / RATIO_UNIT)


def _tail_slices(slos: SloSet, slow: Sequence[bool], model: str = "m") -> list[DistributionDelta]:
    rule = rule_id(named(slos, "tail"))
    return [
        DistributionDelta(rule, group_key({"model": model}), START_NS + i * MINUTE_NS, "duration",
                          DDSketch.of([5.0 if bad else 0.5] * 10))
        for i, bad in enumerate(slow)
    ]  # fmt: skip


MIXED = """
  - name: mixed
    service: chat
    sli: {composite: {of: [{slo: tail}, {slo: fine, weight: 3}], slice: 2m}}
    per: [model]
    objective: 90%
"""


def test_verdicts_of_components_that_judge_slices_are_followed() -> None:
    slos = declared(MIXED)
    (fine,) = parts(slos, "mixed")
    engine = Engine(slos)
    engine.ingest_distributions(_tail_slices(slos, [True, False, False, False]))
    key = group_key({"model": "m"})
    engine.ingest_sli([SliDelta(fine, key, START_NS + i * MINUTE_NS, 8, 10) for i in range(4)])
    for step in range(60):
        engine.step(START_NS + step * 10 * NANOS)
    group = group_of(engine, "mixed", START_NS + 10 * MINUTE_NS, model="m")
    first, second = (0.5 + 3 * 0.8) / 4, (1.0 + 3 * 0.8) / 4
    offset = START_NS % (2 * MINUTE_NS)  # the first slice of 2m begins at START or a minute before it
    if offset:
        first, second = (0.0 + 3 * 0.8) / 4, (1.0 + 3 * 0.8) / 4
    assert group["good"] == pytest.approx(first + second + (second if offset else 0), abs=1e-5)
    assert group["state"] != "no_traffic"


def test_a_restart_judges_nothing_twice() -> None:
    slos = declared(MIXED)
    (fine,) = parts(slos, "mixed")
    key = group_key({"model": "m"})
    rows = [SliDelta(fine, key, START_NS + i * MINUTE_NS, 8, 10) for i in range(10)]
    sketches = _tail_slices(slos, [False] * 8 + [True] * 2)
    engine = Engine(slos)
    engine.ingest_sli(rows[:8])
    engine.ingest_distributions(sketches[:8])
    stored: list[SliDelta] = []
    for step in range(60):
        stored += engine.step(START_NS + step * 10 * NANOS).slice_deltas
    other = Engine(slos)
    for one in (other, engine):
        one.ingest_sli([*stored, *rows] if one is other else rows[8:])
        one.ingest_distributions(sketches if one is other else sketches[8:])
    for step in range(60, 140):
        assert (
            other.step(START_NS + step * 10 * NANOS).slice_deltas
            == engine.step(START_NS + step * 10 * NANOS).slice_deltas
        )
    now_ns = START_NS + 25 * MINUTE_NS
    assert group_of(other, "mixed", now_ns, model="m") == group_of(engine, "mixed", now_ns, model="m")


def test_composites_of_composites() -> None:
    outer = """
  - name: outer
    service: chat
    sli: {composite: {of: [{slo: both, weight: 1}, {slo: fine}], slice: 1m}}
    objective: 80%
"""
    slos = declared(outer, BOTH)  # the order in the file does not matter
    engine = Engine(slos)
    quick, inner_fine = parts(slos)
    (fine,) = parts(slos, "outer")
    engine.ingest_sli([
        SliDelta(quick, "{}", START_NS, 0, 10), SliDelta(inner_fine, "{}", START_NS, 10, 10),
        SliDelta(fine, "{}", START_NS, 10, 10),
    ])  # fmt: skip
    for step in range(20):
        engine.step(START_NS + step * 10 * NANOS)
    assert group_of(engine, "outer", START_NS + 4 * MINUTE_NS)["good"] == pytest.approx((0.25 + 1.0) / 2)


def test_an_outage_of_one_component_pages_and_says_whose_promises_are_broken() -> None:
    slos = declared(BOTH.replace("90%", "99%"))
    quick, fine = parts(slos)
    engine = Engine(slos)
    findings: tuple[Any, ...] = ()
    for minute in range(120):
        bad = minute >= 90
        engine.ingest_sli([
            SliDelta(quick, "{}", START_NS + minute * MINUTE_NS, 0 if bad else 50, 50),
            SliDelta(fine, "{}", START_NS + minute * MINUTE_NS, 50, 50),
        ])  # fmt: skip
        findings = engine.step(START_NS + (minute + 1) * MINUTE_NS + 11 * NANOS).findings
    page = next(finding for finding in findings if finding.labels["slo"] == "both" and finding.severity == "page")
    assert "quick, fine promise together" in page.summary
    assert page.evidence["slice_of_time"]["shares"] == {"quick": 0.0, "fine": 1.0}


def test_a_changed_component_or_weight_is_another_meaning() -> None:
    slos = declared(BOTH)
    slower = parse_slos(
        [("slos.yaml", (COMPONENTS + BOTH).replace("below: 2s}}, objective: 99%", "below: 3s}}, objective: 99%"))]
    )
    heavier = declared(BOTH.replace("weight: 3", "weight: 4"))
    softer = parse_slos([("slos.yaml", (COMPONENTS + BOTH).replace("objective: 99.9%", "objective: 99%"))])
    ids = [rule_id(named(one, "both")) for one in (slos, slower, heavier, softer)]
    assert len(set(ids[:3])) == 3
    assert ids[0] == ids[3], "what is counted is the same"
    assert beside_rule_id(named(slos, "both")) is None
    assert named(slos, "both").method == "ratio-timeslices"
    assert named(slos, "tail").method == "timeslices"
    assert slices_rule_id(named(slos, "both")) == f"{ids[0]}:slices"


@pytest.mark.parametrize(
    ("of", "more", "message", "remedy"),
    [
        ("[{slo: quik}]", "", "there is no SLO 'quik'", "did you mean quick?"),
        ("[{slo: both}]", "", "a composite cannot be a component of itself: both -> both", "remove one of them"),
        ("[{slo: money}]", "", "a budget of money, which has no share of good", "name SLOs that have an objective"),
        ("[{slo: quick}, {slo: quick}]", "", "quick is a component already", "keep one of them"),
        ("[]", "", "names no SLO", "list components"),
        ("[{slo: quick, weight: 0}]", "", "weight", ""),
        ("[{slo: fine}]", "    per: [tenant]\n", "fine has no groups by tenant", "write per: [model] or fewer"),
        ("[{slo: tail}], slice: 90s", "", "do not make up slices of 1m30s", "write slice: 1m"),
        ("[{slo: fine}]", "    where: ['model=\"m\"']\n", "has no meaning for a composite", "in the components"),
        ("[{slo: fine}]", "    budgeting: ratio-timeslices\n", "for slices of time already", "slice"),
    ],
)
def test_components_that_will_not_do(of: str, more: str, message: str, remedy: str) -> None:
    text = f"\n  - name: both\n    service: chat\n    sli: {{composite: {{of: {of}}}}}\n    objective: 90%\n{more}"
    with pytest.raises(FileProblemsError) as caught:
        declared(text)
    problem = caught.value.problems[0]
    assert message in f"{problem.field} {problem.message}"
    assert remedy in problem.remedy
    assert problem.line > 10
    assert len(caught.value.problems) == 1


def test_a_ring_of_composites_is_told_with_its_way() -> None:
    ring = "".join(
        f"\n  - {{name: {one}, service: chat, objective: 90%, sli: {{composite: {{of: [{{slo: {other}}}]}}}}}}"
        for one, other in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    with pytest.raises(FileProblemsError, match="a -> b -> c -> a"):
        declared(ring)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        # a fault of another SLO does not hide that of a composite, nor a composite's own fault its components'
        ("  - {name: odd, service: chat, sli: {errors: {}}, objective: 990%}\n", ["slos[5].objective", "both.sli"]),
        ("    labels: {slo: x}\n", ["slos[4].labels.slo", "both.sli"]),
        # a component that could not be read is no SLO that there is not
        ("  - {name: gone, service: chat, sli: {errors: {}}, objective: 990%}\n", ["slos[5].objective"]),
        # nor can anybody say what an entry without a readable name is called
        ("  - {name: [a], service: chat, sli: {errors: {}}, objective: 99%}\n", ["slos[5].name"]),
    ],
)
def test_what_is_wrong_with_components_is_told_together_with_everything_else(more: str, told: list[str]) -> None:
    both = BOTH.replace("slo: fine", "slo: gone")
    with pytest.raises(FileProblemsError) as caught:
        declared(both, more)
    fields = [problem.field.removesuffix(".composite.of[1].slo") for problem in caught.value.problems]
    assert fields == told


def test_a_file_that_cannot_be_read_may_hold_the_components() -> None:
    with pytest.raises(FileProblemsError) as caught:
        parse_slos([("slos.yaml", COMPONENTS + BOTH.replace("fine", "elsewhere")), ("else.yaml", "slos: [")])
    assert {problem.file for problem in caught.value.problems} == {"else.yaml"}
