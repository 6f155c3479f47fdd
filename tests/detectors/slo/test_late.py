"""Late events: what they prove wrong is withdrawn, what they prove right is dated back; what ended merely ended."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.slo.engine import Engine, Evaluation
from detectors.slo.hindsight import Hindsight
from detectors.slo.spec import SloSet
from telemetry.windows import BUCKET_NS, NANOS
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.traffic import T0, errors_slo, row

GATED = errors_slo()
PLAIN = errors_slo(more=", alert: {policy: page-and-ticket, gate: off, sequential: off}")
SLICED = errors_slo("99%", ", budgeting: {timeslices: {slice: 1m, target: 95%}}")
FAILING = range(3600, 3900, 10)
"""Seconds of the buckets in which requests fail."""
DELAY_S = 1200


def buckets(engine: Engine, seconds: range, bad_of, from_s: int = 0) -> list[tuple[int, Evaluation]]:
    """(bad, total) of every bucket, and a step every 30 s; what each step concludes, from ``from_s`` on."""
    seen = []
    for second in seconds:
        at_ns = T0 + second * NANOS
        engine.ingest_sli([row(engine.slos, at_ns, *bad_of(second)), row(engine.slos, at_ns, 0, 40, "other")])
        if second % 30 == 20:
            evaluation = engine.step(at_ns + BUCKET_NS)
            if second >= from_s:
                seen.append((second, evaluation))
    return seen


def only_failures_heard(second: int) -> tuple[int, int]:
    """During the trouble one collector is cut off, and only failures are heard."""
    return (40, 40) if second in FAILING else (0, 40)


def alerts(evaluation: Evaluation) -> set[str]:
    return {finding.fingerprint for finding in evaluation.findings}


@pytest.mark.parametrize("slos", [GATED, PLAIN, SLICED], ids=["gated", "plain", "sliced"])
def test_good_events_that_come_late_withdraw_the_alerts_that_they_prove_wrong(slos: SloSet):
    engine = Engine(slos)
    seen = buckets(engine, range(0, FAILING.stop + DELAY_S, 10), only_failures_heard, FAILING.start)
    raised = set().union(*(alerts(evaluation) for _, evaluation in seen))
    assert any(finding.severity == "page" for _, evaluation in seen for finding in evaluation.findings)
    assert not any(evaluation.withdrawn for _, evaluation in seen), "so far everything speaks for them"
    still = alerts(seen[-1][1])
    assert still, "the 30 min and the 2 h windows are still full of failures"

    engine.ingest_sli(row(slos, T0 + second * NANOS, 0, 40_000) for second in FAILING)
    (_, after), *later = buckets(engine, range(seen[-1][0] + 10, seen[-1][0] + 3700, 10), only_failures_heard)
    assert alerts(after) == set()
    assert after.withdrawn == raised, "those that had ended before were as wrong"
    assert all(evaluation.withdrawn <= raised and not evaluation.findings for _, evaluation in later)
    assert later[110][1].withdrawn >= still
    assert later[-1][1].withdrawn == frozenset(), "an hour after it ended, it is history"


def test_good_events_that_prove_nothing_withdraw_nothing():
    engine = Engine(GATED)
    seen = buckets(engine, range(0, FAILING.stop + DELAY_S, 10), only_failures_heard, FAILING.start)
    assert alerts(seen[-1][1])
    engine.ingest_sli(row(GATED, T0 + second * NANOS, 0, 20) for second in FAILING)
    engine.ingest_sli(row(GATED, T0 + second * NANOS, 0, 40_000, "other") for second in FAILING)
    later = buckets(engine, range(seen[-1][0] + 10, seen[-1][0] + 4000, 10), lambda _: (0, 40))
    assert not any(evaluation.withdrawn for _, evaluation in later), "two thirds failed: that was an incident"
    assert alerts(later[-1][1]) < alerts(seen[-1][1]), "and some of it ended meanwhile"


@pytest.mark.parametrize("slos", [GATED, PLAIN, SLICED], ids=["gated", "plain", "sliced"])
def test_alerts_that_end_are_not_withdrawn(slos: SloSet):
    engine = Engine(slos)

    def counts(second: int) -> tuple[int, int]:
        return (4, 40) if second in FAILING else (second % 1000 == 0, 40)

    seen = buckets(engine, range(0, FAILING.stop + 9000, 10), counts, FAILING.start)
    assert any(evaluation.findings for _, evaluation in seen)
    assert not any(evaluation.withdrawn for _, evaluation in seen)


def test_an_alert_that_began_long_ago_stands():
    engine = Engine(GATED)
    failing = range(600, 6000, 10)
    seen = buckets(engine, range(0, 6000, 10), lambda s: (4 if s in failing else 0, 40))
    raised = alerts(seen[-1][1])
    engine.ingest_sli(row(GATED, T0 + second * NANOS, 0, 40_000) for second in range(2800, 6000, 10))
    (_, after), *_ = buckets(engine, range(6000, 6030, 10), lambda _: (0, 40))
    assert alerts(after) < raised
    assert after.withdrawn == frozenset(), "the first half hour of failures is as bad as it was"


def test_bad_events_that_come_late_date_the_alert_back_and_too_late_only_count():
    engine = Engine(GATED)
    buckets(engine, range(0, 3600, 10), lambda _: (0, 40))
    engine.ingest_sli(row(GATED, T0 + second * NANOS, 40, 40) for second in range(2400, 2700, 10))
    found = engine.step(T0 + ns("1h")).findings
    assert found
    assert {finding.since_ns for finding in found} == {T0 + 2400 * NANOS}

    engine = Engine(GATED)
    buckets(engine, range(0, 12_000, 10), lambda _: (0, 40))
    engine.ingest_sli([row(GATED, T0 + 2400 * NANOS, 40, 40)])
    evaluation = engine.step(T0 + 12_010 * NANOS)
    assert not evaluation.findings
    shown = {group.group["input_type"]: group for group in evaluation.statuses[0].groups}
    assert (shown["code"].good, shown["code"].total) == (48_000, 48_040)
    assert (shown["code"].detail["late"], "late" in shown["other"].detail) == (40, False)


def test_events_that_are_new_are_not_late_however_far_apart_evaluations_are():
    for began_s, doubtful in ((60, False), (0, True)):
        hindsight = Hindsight(1, BUCKET_NS)
        for minute in (1, 2):
            hindsight.note(np.asarray([[True]]), np.asarray([T0 + 60 * (minute - 1) * NANOS]), T0 + 60 * minute * NANOS)
        changed_ns = np.asarray([T0 + (60 + began_s) * NANOS])
        assert hindsight.note(np.asarray([[False]]), changed_ns, T0 + 180 * NANOS).tolist() == [[doubtful]]
