"""`tailwatch slo status` without a server: what the counters say, and what the stored rows say of undeclared SLOs."""

from __future__ import annotations

from pathlib import Path

from collector.cardinality import CardinalityGuard
from detectors.slo.compile import compile_rules
from storage.compaction import compact
from storage.database import Database
from storage.ingest import commit
from storage.rollups import sli_totals
from tailwatch.backfill import backfill
from tailwatch.evaluator import Evaluator
from tailwatch.standing import evaluate_now
from tests.tailwatch.declared import AVAILABILITY, MINUTE_NS, START_NS, TAIL, slo_set, store


def test_it_says_what_the_server_says(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY, TAIL)
    rules = tuple(rule for slo in slos.slos for rule in compile_rules(slo))
    backfill(database, rules, CardinalityGuard(), START_NS)
    one = Evaluator(database, slos, lambda group: commit(database, group, START_NS), lambda findings, now_ns: None)
    one.start(START_NS)
    for i in range(10):
        store(database, rules, 20, at_ns=START_NS + i * MINUTE_NS, bad=i % 2)
        one.step(START_NS + i * MINUTE_NS)
    now_ns = START_NS + 11 * MINUTE_NS
    one.step(now_ns)
    position = one.position
    assert position is not None
    compact(database, now_ns, position)
    assert evaluate_now(database, slos, 100, now_ns) == list(one.statuses().values())
    one.stop()


def test_slos_that_are_not_configured_are_judged_from_rows_and_nothing_is_written(
    database: Database, tmp_path: Path
) -> None:
    slos = slo_set(tmp_path, TAIL)
    for i in range(5):
        slow = 5_000_000_000 if i == 0 else 100_000_000
        store(database, (), 20, at_ns=START_NS + i * MINUTE_NS, duration_ns=slow)
    for _ in range(2):
        (tail,) = evaluate_now(database, slos, 100, START_NS + 6 * MINUTE_NS)
        assert [(group["good"], group["total"]) for group in tail["groups"]] == [(4, 5)]
    assert sli_totals(database, tail["revision"], 0, 2**62) == ()


def test_an_slo_without_any_telemetry_is_told_apart_from_one_without_traffic(
    database: Database, tmp_path: Path
) -> None:
    slos = slo_set(tmp_path, AVAILABILITY.replace("per: [model]", "where: ['operation=\"embeddings\"']"))
    (before,) = evaluate_now(database, slos, 100, START_NS)
    store(database, (), 5, at_ns=START_NS)
    (after,) = evaluate_now(database, slos, 100, START_NS)
    assert [group["state"] for group in (*before["groups"], *after["groups"])] == ["no_telemetry", "no_traffic"]
