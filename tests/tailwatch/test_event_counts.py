"""Events by SLO and group as counters: each event once, never down, and what a restart or another leader does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from detectors.slo.compile import rule_id
from detectors.slo.parse import parse_slos
from tailwatch.event_counts import EventCounts
from telemetry.deltas import SliColumns, group_key
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, START_NS, TAIL
from tests.tailwatch.inprocess import InProcess, service_on
from tests.tailwatch.running import traces

OVERALL = "\n  - {name: overall, service: chat, sli: {errors: {}}, objective: 99%}\n"
DAY_NS = 86400 * NANOS
GOOD, VALID = "tailwatch_slo_good_events_total", "tailwatch_slo_valid_events_total"
SPENT = "tailwatch_slo_spent_usd_total"


def scraped(running: InProcess) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = generate_latest(running.service.registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in {GOOD, VALID, SPENT}
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset({"service": "chat", **labels}.items())


def test_events_are_counted_by_slo_and_label(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY + TAIL + OVERALL) as running:
        running.evaluate()
        assert scraped(running) == {key(GOOD, slo="overall"): 0, key(VALID, slo="overall"): 0}
        body = traces(20, end_ns=START_NS, bad=3)
        running.take(body)
        running.take(body)
        running.evaluate()
        expected = {
            key(GOOD, slo="availability", model="m"): 17, key(VALID, slo="availability", model="m"): 20,
            key(GOOD, slo="overall"): 17, key(VALID, slo="overall"): 20,
        }  # fmt: skip
        assert scraped(running) == expected, "a repeated request counts once; slices of time are no counters"
        running.evaluate()
        assert scraped(running) == expected


def test_money_is_counted_in_dollars(tmp_path: Path, migrated_sqlite_url: str) -> None:
    prices = "version: 1\nprices: [{model: m, effective: 2020-01-01, per_request: 0.25}]\n"
    (tmp_path / "prices.yaml").write_text(prices)
    bill = "\n  - {name: bill, service: chat, sli: {spend: {budget: $100}}}\n"
    with service_on(tmp_path, migrated_sqlite_url, bill, prices="prices.yaml") as running:
        running.take(traces(10, end_ns=START_NS))
        running.evaluate()
        assert scraped(running) == {key(SPENT, slo="bill"): 2.5}
        families = text_string_to_metric_families(generate_latest(running.service.registry).decode())
        samples = [sample for family in families for sample in family.samples if sample.labels.get("slo") == "bill"]
    usd = {one.labels["part"]: one.value for one in samples if one.name == "tailwatch_slo_window_usd"}
    assert usd == {"left": 97.5, "budget": 100}
    shares = {"tailwatch_slo_window_events", "tailwatch_slo_sli_ratio", "tailwatch_slo_objective_ratio"}
    assert shares.isdisjoint(one.name for one in samples), "money is no event"


def test_late_events_count_when_they_come(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, OVERALL) as running:
        running.take(traces(5, end_ns=START_NS - 7200 * NANOS, bad=5))
        running.evaluate()
        assert scraped(running) == {key(GOOD, slo="overall"): 0, key(VALID, slo="overall"): 5}


def test_a_restart_begins_at_zero_and_knows_the_groups(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        running.take(traces(20, end_ns=START_NS, bad=3))
        running.evaluate()
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        running.evaluate()
        labels = {"slo": "availability", "model": "m"}
        assert scraped(running) == {key(GOOD, **labels): 0, key(VALID, **labels): 0}
        running.take(traces(4, end_ns=START_NS, bad=1, first_id=5_000))
        running.evaluate()
        assert scraped(running) == {key(GOOD, **labels): 3, key(VALID, **labels): 4}


def test_a_follower_has_no_counters(tmp_path: Path, migrated_postgres_url: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        service_on(tmp_path / "a", migrated_postgres_url, OVERALL) as leader,
        service_on(tmp_path / "b", migrated_postgres_url, OVERALL) as follower,
    ):
        follower.take(traces(20, end_ns=START_NS, bad=3))
        follower.evaluate()
        leader.evaluate()
        assert scraped(follower) == {}
        assert scraped(leader) == {key(GOOD, slo="overall"): 17, key(VALID, slo="overall"): 20}
        leader.service.evaluator.stop()
        follower.evaluate()
        assert scraped(follower) == {key(GOOD, slo="overall"): 0, key(VALID, slo="overall"): 0}
        leader.evaluate()
        assert scraped(leader) == {}, "who no longer leads exposes nothing that would be summed twice"


def test_groups_that_left_every_window_are_dropped() -> None:
    slos = parse_slos([("slos.yaml", f"version: 1\nslos:{AVAILABILITY}")])
    (slo,) = slos.slos
    counts = EventCounts(slos)

    def add(model: str, now_ns: int) -> None:
        counts.add(SliColumns.of([(rule_id(slo), group_key({"model": model}), now_ns, 1, 2)]), now_ns)

    def known() -> list[Mapping[str, str]]:
        return [one.group for one in counts.counts()]

    evaluated = {rule_id(slo): [group_key({"model": "new"})]}
    counts.begin(START_NS)
    add("old", START_NS)
    add("new", START_NS + 29 * DAY_NS)
    counts.know(evaluated, START_NS + 29 * DAY_NS)
    assert known() == [{"model": "new"}, {"model": "old"}]
    counts.know(evaluated, START_NS + 31 * DAY_NS)
    assert known() == [{"model": "new"}]
    assert [(one.good, one.valid) for one in counts.counts()] == [(1, 2)]
    counts.end()
    add("new", START_NS + 31 * DAY_NS)
    assert known() == []
