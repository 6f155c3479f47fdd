"""An SLO that returns to an earlier meaning counts what came in meanwhile, and keeps what rows no longer cover."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from collector.cardinality import CardinalityGuard
from collector.pipeline import Pipeline
from collector.request import Request
from detectors.slo.compile import compile_rules, rule_id, slices_rule_id
from detectors.slo.spec import SloSet
from storage.compaction import compact
from storage.database import Database
from storage.ingest import commit
from storage.retention import RetentionPolicy
from storage.retention import apply as retain
from storage.rollups import load_distributions, load_sli, sli_totals
from tailwatch import backfill as subject
from tailwatch.backfill import backfill, backfilled
from tailwatch.evaluator import Evaluator
from tailwatch.standing import evaluate_now
from telemetry.rules import SERIES_RULE, RollupRule
from tests.tailwatch.declared import AVAILABILITY, MINUTE_NS, START_NS, TAIL, prepare, slo_set, store
from tests.tailwatch.running import traces

FOREVER_NS = 2**62
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
NARROWER = AVAILABILITY + "    where: ['operation=\"chat\"']\n"
SLOWER = TAIL.replace("p90", "p50")


def rules_of(slos: SloSet) -> tuple[RollupRule, ...]:
    return tuple(rule for slo in slos.slos for rule in compile_rules(slo))


def start(database: Database, slos: SloSet) -> list[str]:
    """What a start of the service with these SLOs does before it takes requests in."""
    return backfill(database, (SERIES_RULE, *rules_of(slos)), CardinalityGuard(), START_NS)


def send(database: Database, slos: SloSet, count: int, at_ns: int, *, bad: int = 0, **options: object) -> None:
    store(database, rules_of(slos), count, at_ns=at_ns, bad=bad, **options)


def total(database: Database, rule: str, since_ns: int = 0) -> tuple[int, int]:
    found = sli_totals(database, rule, since_ns, FOREVER_NS)
    return sum(one.good for one in found), sum(one.total for one in found)


def fold(database: Database, slos: SloSet, now_ns: int) -> None:
    """Let an evaluator read everything, and fold what is old enough at ``now_ns``."""
    one = Evaluator(database, slos, lambda group: commit(database, group, now_ns), lambda findings, at_ns: None)
    one.start(now_ns)
    one.step(now_ns)
    assert one.position is not None
    compact(database, now_ns, one.position)
    one.stop()


def rows_kept_for(time_ns: int) -> RetentionPolicy:
    """A policy that keeps counters for long."""
    return RetentionPolicy(time_ns, time_ns, time_ns, 100 * DAY_NS, DAY_NS)


@pytest.fixture
def first(tmp_path: Path) -> SloSet:
    return slo_set(tmp_path, AVAILABILITY)


@pytest.fixture
def second(tmp_path: Path) -> SloSet:
    return slo_set(tmp_path, NARROWER)


def test_what_came_in_under_another_meaning_is_counted(database: Database, first: SloSet, second: SloSet) -> None:
    rule, other = rule_id(first.slos[0]), rule_id(second.slos[0])
    assert start(database, first) == [rule]
    send(database, first, 10, START_NS, bad=1)
    assert start(database, second) == [other]
    send(database, second, 20, START_NS, bad=2)
    assert start(database, first) == [rule]
    assert total(database, rule) == (27, 30)
    send(database, first, 5, START_NS)
    assert start(database, first) == []
    assert total(database, rule) == (32, 35)
    assert start(database, second) == [other]
    assert total(database, other) == (32, 35)


def test_an_slo_that_was_taken_out_for_a_while(database: Database, first: SloSet, tmp_path: Path) -> None:
    rule = rule_id(first.slos[0])
    start(database, first)
    nothing = slo_set(tmp_path)
    assert start(database, nothing) == []
    assert backfilled(database) == {rule}, "nothing came in without it yet"
    send(database, nothing, 20, START_NS, bad=2)
    assert backfilled(database) == frozenset()
    assert start(database, first) == [rule]
    assert total(database, rule) == (18, 20)


def test_counters_older_than_the_rows_stay(database: Database, first: SloSet, second: SloSet) -> None:
    rule = rule_id(first.slos[0])
    start(database, first)
    send(database, first, 100, START_NS - 20 * DAY_NS, bad=7)
    send(database, first, 10, START_NS, bad=1)
    retain(database, START_NS, rows_kept_for(14 * DAY_NS))
    start(database, second)
    send(database, second, 20, START_NS, bad=2)
    start(database, first)
    assert total(database, rule) == (93 + 27, 130)
    assert total(database, rule, START_NS - DAY_NS) == (27, 30)


def test_no_folded_bucket_is_cut_where_the_rows_begin(database: Database, first: SloSet, second: SloSet) -> None:
    """Of an hour's bucket, folded, the second half still has rows: it is kept whole, and not counted again."""
    rule = rule_id(first.slos[0])
    hour_ns = START_NS - START_NS % HOUR_NS - 100 * HOUR_NS
    start(database, first)
    for at_ns in (hour_ns + 10 * MINUTE_NS, hour_ns + 50 * MINUTE_NS, hour_ns + 70 * MINUTE_NS):
        send(database, first, 10, at_ns, bad=1)
    fold(database, first, START_NS)
    retain(database, START_NS, rows_kept_for(START_NS - (hour_ns + 30 * MINUTE_NS)))
    start(database, second)
    send(database, second, 10, hour_ns + 90 * MINUTE_NS)
    start(database, first)
    (series,) = load_sli(database, [rule], 0, FOREVER_NS)
    found = dict(zip(series.bucket_ns.tolist(), series.total.tolist(), strict=True))
    assert found == {hour_ns: 20, hour_ns + 70 * MINUTE_NS: 10, hour_ns + 90 * MINUTE_NS: 10}
    assert total(database, rule) == (37, 40)


def test_without_rows_counters_stay(database: Database, first: SloSet, second: SloSet) -> None:
    rule = rule_id(first.slos[0])

    def send_unkept(slos: SloSet, number: int, at_ns: int) -> None:
        body = traces(10, end_ns=at_ns, first_id=number, bad=1)
        pipeline = Pipeline(rules=(SERIES_RULE, *rules_of(slos)), keep_rows=False)
        prepared = prepare(pipeline, Request("span", "protobuf", body), at_ns)
        assert prepared.payload is not None
        commit(database, [prepared.payload], at_ns, kept=frozenset())

    start(database, first)
    send_unkept(first, 1, START_NS)
    start(database, second)
    send_unkept(second, 101, START_NS)
    start(database, first)
    assert total(database, rule) == (9, 10)
    # Rows are kept again: what came in before that still has none.
    start(database, second)
    send(database, second, 10, START_NS + 10 * MINUTE_NS)
    start(database, first)
    assert total(database, rule) == (19, 20)


@pytest.mark.parametrize("step", ["begin_backfill", "count_stored", "void_from", "replace_counters", "end_backfill"])
def test_a_kill_at_any_step_loses_and_doubles_nothing(
    database: Database, first: SloSet, second: SloSet, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    rule, other = rule_id(first.slos[0]), rule_id(second.slos[0])
    start(database, first)
    send(database, first, 10, START_NS, bad=1)
    start(database, second)
    send(database, second, 20, START_NS, bad=2)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(subject, step, killed)
        with pytest.raises(KeyboardInterrupt):
            start(database, first)
    assert total(database, rule) == ((27, 30) if step == "end_backfill" else (9, 10))
    assert total(database, other) == (27, 30)
    assert start(database, second) == [], "the kill changed nothing"
    assert start(database, first) == [rule]
    assert total(database, rule) == (27, 30)


def test_slices_are_judged_anew_from_complete_distributions(database: Database, tmp_path: Path) -> None:
    """Fast requests under the first meaning, slow ones under the second: together every slice is bad."""
    fast, other = slo_set(tmp_path, TAIL), slo_set(tmp_path, SLOWER)
    rule, verdicts = rule_id(fast.slos[0]), slices_rule_id(fast.slos[0])
    now_ns = START_NS + 30 * MINUTE_NS
    start(database, fast)
    for i in range(10):
        send(database, fast, 20, START_NS + i * MINUTE_NS)
    fold(database, fast, now_ns)
    assert total(database, verdicts) == (10, 10)
    start(database, other)
    for i in range(5, 15):
        send(database, other, 20, START_NS + i * MINUTE_NS, duration_ns=5_000_000_000)
    start(database, fast)
    sketches = [one for found in load_distributions(database, [rule], 0, FOREVER_NS) for one in found.distributions]
    assert sum(sketch.count for sketch in sketches) == 400
    for _ in range(2):
        fold(database, fast, now_ns + DAY_NS)
        assert total(database, verdicts) == (5, 15)


def test_verdicts_older_than_the_rows_stay_and_are_not_given_twice(database: Database, tmp_path: Path) -> None:
    fast, other = slo_set(tmp_path, TAIL), slo_set(tmp_path, SLOWER)
    verdicts = slices_rule_id(fast.slos[0])
    hour_ns = START_NS - START_NS % HOUR_NS - 100 * HOUR_NS
    start(database, fast)
    for i in range(120):
        send(database, fast, 20, hour_ns + i * MINUTE_NS)
    fold(database, fast, START_NS)
    fold(database, fast, START_NS)
    retain(database, START_NS, rows_kept_for(START_NS - (hour_ns + HOUR_NS)))
    start(database, other)
    for i in range(60, 120):
        send(database, other, 80, hour_ns + i * MINUTE_NS, duration_ns=5_000_000_000)
    start(database, fast)
    assert total(database, verdicts) == (60, 60)
    for _ in range(2):
        fold(database, fast, START_NS)
        assert total(database, verdicts) == (60, 120)


def test_how_it_would_stand_is_how_it_stands_once_it_is_back(database: Database, first: SloSet, second: SloSet) -> None:
    start(database, first)
    send(database, first, 100, START_NS - 20 * DAY_NS, bad=7)
    send(database, first, 10, START_NS, bad=1)
    retain(database, START_NS, rows_kept_for(14 * DAY_NS))
    start(database, second)
    send(database, second, 20, START_NS, bad=2)
    (before,) = evaluate_now(database, first, 100, START_NS)
    start(database, first)
    assert evaluate_now(database, first, 100, START_NS) == [before]
    assert [(group["good"], group["total"]) for group in before["groups"]] == [(120, 130)]


def test_requests_that_come_in_meanwhile_wait_and_count_once(
    migrated_postgres_url: str, first: SloSet, second: SloSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another collector of the same database counts by the rule while this one counts it anew."""
    rule = rule_id(first.slos[0])
    with Database(migrated_postgres_url) as database, Database(migrated_postgres_url) as other:
        start(database, first)
        send(database, first, 10, START_NS)
        start(database, second)
        send(database, second, 7, START_NS)
        count_stored = subject.count_stored
        sender = threading.Thread(target=send, args=(other, first, 5, START_NS))

        def interrupted(*arguments: Any, **more: Any) -> object:
            counted = count_stored(*arguments, **more)
            sender.start()
            sender.join(0.2)
            return counted

        with monkeypatch.context() as patch:
            patch.setattr(subject, "count_stored", interrupted)
            start(database, first)
        sender.join(30)
        assert not sender.is_alive()
        assert total(database, rule) == (22, 22)
