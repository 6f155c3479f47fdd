"""An engine that goes on with another's memory: it concludes what the other would have."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from detectors.slo.engine import Engine, Evaluation
from detectors.slo.memory import Memory
from detectors.slo.spec import SloSet
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS, NANOS
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.traffic import T0, errors_slo, row, slos_of

GATED = errors_slo()
TICKETED = errors_slo(more=", alert: {policy: page-and-ticket, gate: on, sequential: off}")
UNGATED = errors_slo(more=", alert: {policy: page-and-ticket, gate: off, sequential: off}")
MINUTE_NS = 60 * NANOS


def conclusions(evaluation: Evaluation) -> tuple[object, ...]:
    return (
        [status.to_json() for status in evaluation.statuses],
        {finding.fingerprint: finding.since_ns for finding in evaluation.findings},
        evaluation.withdrawn,
    )


def clustered(hours: float, slos: SloSet, seed: int = 3) -> list[SliDelta]:
    """Errors that come three times as unevenly as chance would have it, and an outage in the second hour."""
    rng = np.random.default_rng(seed)
    rows, share = [], 0.0
    for i in range(int(hours * 360)):
        share = rng.beta(0.005 * 49, 0.995 * 49) if i % 3 == 0 else share
        failing = 360 <= i < 400
        total = int(rng.poisson(30))
        rows.append(row(slos, T0 + i * BUCKET_NS, int(rng.binomial(total, 0.4 if failing else share)), total))
        rows.append(row(slos, T0 + i * BUCKET_NS, int(rng.binomial(total, 0.004)), total, "other"))
    return rows


def outlasting() -> list[SliDelta]:
    """Eight hours: a failure of ten minutes in the second, then too few errors for evidence and enough for a ticket."""
    bad = [10 if 360 <= i < 420 else int(i % 16 == 0) for i in range(8 * 360)]
    return [row(TICKETED, T0 + i * BUCKET_NS, count, 10) for i, count in enumerate(bad)]


def run(engine: Engine, rows: list[SliDelta], until_ns: int) -> Evaluation:
    """A step every five minutes, then one at ``until_ns``."""
    waiting = sorted(rows, key=lambda delta: delta.bucket_ns)
    for now_ns in range(waiting[0].bucket_ns, until_ns, 5 * MINUTE_NS):
        due = [delta for delta in waiting if delta.bucket_ns <= now_ns]
        waiting = waiting[len(due) :]
        engine.ingest_sli(due)
        engine.step(now_ns)
    engine.ingest_sli(waiting)
    return engine.step(until_ns)


def restarted(slos: SloSet, rows: list[SliDelta], memories: list[Memory]) -> Engine:
    engine = Engine(slos)
    engine.remember(memories)
    engine.ingest_sli(rows)
    return engine


@pytest.mark.parametrize("slos", [GATED, TICKETED, UNGATED], ids=["gated", "tickets", "ungated"])
@pytest.mark.parametrize("hours", [1.2, 9.0])
def test_what_is_remembered_goes_on_as_if_nothing_had_happened(slos: SloSet, hours: float):
    rows, before = clustered(hours, slos), T0 + int(hours * 3600) * NANOS
    first = Engine(slos)
    run(first, rows, before)
    then = before + 15 * NANOS
    late = [row(slos, then - ns("20m"), 3, 500), row(slos, then, 0, 40)]
    second = restarted(slos, [*rows, *late], first.memories())
    first.ingest_sli(late)
    for after_ns in range(then, then + ns("10m"), MINUTE_NS):
        expected, seen = first.step(after_ns), second.step(after_ns)
        assert conclusions(seen) == conclusions(expected)


def test_a_ticket_that_rests_on_an_alarm_of_seven_hours_ago_outlives_a_restart():
    """The counts of the last six hours do not show it any more, so without a memory it ends with the restart."""
    rows, first, before = outlasting(), Engine(TICKETED), T0 + ns("8h")
    held = {finding.fingerprint for finding in run(first, rows, before).findings}
    assert held
    again = restarted(TICKETED, rows, first.memories()).step(before + NANOS)
    assert {finding.fingerprint for finding in again.findings} == held
    forgetful = restarted(TICKETED, rows, []).step(before + NANOS)
    assert not forgetful.findings


def test_late_events_that_came_with_the_restart_withdraw_the_alerts_of_before():
    rows = [row(GATED, T0 + s * NANOS, 0, 40) for s in range(0, 3600, 10)]
    failing = range(3600, 3900, 10)
    rows += [row(GATED, T0 + s * NANOS, 40, 40) for s in failing]
    first, before = Engine(GATED), T0 + ns("65m")
    raised = {finding.fingerprint for finding in run(first, rows, before).findings}
    assert raised
    late = [row(GATED, T0 + s * NANOS, 0, 40_000) for s in failing]
    after = restarted(GATED, [*rows, *late], first.memories()).step(before + 30 * NANOS)
    assert (after.findings, after.withdrawn) == ((), raised)
    assert not restarted(GATED, [*rows, *late], []).step(before + 30 * NANOS).withdrawn


def test_a_memory_of_other_counts_another_version_or_a_later_time_is_passed_over():
    rows, first, before = outlasting(), Engine(TICKETED), T0 + ns("8h")
    run(first, rows, before)
    (memory,) = first.memories()
    now_ns = before + 15 * NANOS
    anew = conclusions(restarted(TICKETED, rows, []).step(now_ns))
    assert conclusions(restarted(TICKETED, rows, [memory]).step(now_ns)) != anew
    no_alarms = {name: array for name, array in memory.evidence.items() if name != "alarm_ns"}
    narrow = {**memory.evidence, "cusum": memory.evidence["cusum"][:, 1:]}
    stricter = {**memory.alerts, "error_budget": memory.alerts["error_budget"] / 2}
    for other in (
        replace(memory, evidence=no_alarms), replace(memory, evidence=narrow),
        replace(memory, alerts=stricter), replace(memory, alerts={}),
        replace(memory, at_ns=now_ns + NANOS), replace(memory, layout="another"),
    ):  # fmt: skip
        assert conclusions(restarted(TICKETED, rows, [other]).step(now_ns)) == anew
    engine = Engine(TICKETED)
    engine.remember([memory], without={rows[0].rule})
    engine.ingest_sli(rows)
    assert conclusions(engine.step(now_ns)) == anew


def test_groups_that_the_memory_does_not_know_are_judged_from_the_counts():
    rows, before = clustered(1.2, GATED), T0 + ns("72m")
    first = Engine(GATED)
    run(first, rows, before)
    more = [row(GATED, T0 + s * NANOS, 20, 40, "new") for s in range(4000, 4300, 10)]
    (status,) = restarted(GATED, [*rows, *more], first.memories()).step(before + 15 * NANOS).statuses
    alerting = {group.group["input_type"] for group in status.groups if group.alerts}
    assert "new" in alerting


def test_a_layout_has_the_same_name_in_every_process():
    program = (
        "from detectors.slo.engine import Engine; from tests.detectors.slo.test_memory import GATED, T0, row\n"
        "engine = Engine(GATED); engine.ingest_sli([row(GATED, T0, 0, 40)]); engine.step(T0)\n"
        "print(engine.memories()[0].layout)"
    )
    names = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }  # fmt: skip
    assert len(names) == 1


@pytest.mark.parametrize("sli", ["{spend: {budget: $720}}", "{errors: {}}, objective: 99%, alert: none"])
def test_groups_that_nothing_looks_back_on_are_remembered_and_forgotten_too(sli: str):
    slos = slos_of(f"{{name: quiet, service: chat, sli: {sli}, per: [input_type], window: 7d}}")
    rows = [row(slos, T0, 1, 40), row(slos, T0 + ns("6d"), 1, 40, "other")]
    first = Engine(slos)
    first.ingest_sli(rows)
    first.step(T0 + ns("6d"))
    second, now_ns = restarted(slos, rows, first.memories()), T0 + ns("6d") + NANOS
    assert conclusions(second.step(now_ns)) == conclusions(first.step(now_ns))
    (status,) = second.step(T0 + ns("8d")).statuses
    assert [group.group for group in status.groups] == [{"input_type": "other"}]
