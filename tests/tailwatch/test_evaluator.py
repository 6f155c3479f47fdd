"""The evaluator over real databases: every count once, through restarts, outages and a change of the leader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from detectors.slo.compile import compile_rules, rule_id, slices_rule_id
from detectors.slo.spec import SloSet
from storage.compaction import compact
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from storage.retention import RetentionPolicy
from storage.retention import apply as retain
from storage.rollups import sli_totals
from tailwatch.evaluator import Evaluator
from tailwatch.history import load_references
from telemetry.errors import StorageError
from telemetry.findings import Finding
from tests.tailwatch.declared import AVAILABILITY, DRIFT, MINUTE_NS, START_NS, TAIL, slo_set, store

FOREVER_NS = 2**62
Commit = Callable[[Sequence[PreparedPayload]], object]


def act(findings: Sequence[Finding], now_ns: int) -> None:
    """Do nothing about findings."""


def evaluator(database: Database, slos: SloSet, committed: Commit | None = None) -> Evaluator:
    return Evaluator(database, slos, committed or (lambda group: commit(database, group, START_NS)), act)


@contextmanager
def started(database: Database, slos: SloSet, now_ns: int, committed: Commit | None = None) -> Iterator[Evaluator]:
    found = evaluator(database, slos, committed)
    found.start(now_ns)
    try:
        yield found
    finally:
        found.stop()


def send(database: Database, slos: SloSet, count: int, at_ns: int, **options: object) -> None:
    rules = tuple(rule for slo in slos.slos for rule in compile_rules(slo))
    store(database, rules, count, at_ns=at_ns, **options)


def shown(one: Evaluator, slo: str) -> dict[str, tuple[int, int]]:
    """Good and total by the group's first label."""
    return {
        next(iter(group["group"].values()), ""): (group["good"], group["total"])
        for group in one.statuses()[slo]["groups"]
    }


def slices_stored(database: Database, slos: SloSet, name: str) -> tuple[int, int]:
    slo = slos.named(name)
    assert slo is not None
    totals = sli_totals(database, slices_rule_id(slo), 0, FOREVER_NS)
    return sum(one.good for one in totals), sum(one.total for one in totals)


def test_counts_read_bit_by_bit_are_the_totals(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    with started(database, slos, START_NS) as one:
        for i in range(5):
            send(database, slos, 10 + i, START_NS + i * MINUTE_NS, bad=i)
            send(database, slos, 3, START_NS - i * MINUTE_NS, attributes={"gen_ai.request.model": "late"})
            one.step(START_NS + i * MINUTE_NS)
        totals = sli_totals(database, rule_id(slos.slos[0]), 0, FOREVER_NS)
        assert shown(one, "availability") == {total.labels["model"]: (total.good, total.total) for total in totals}
        assert shown(one, "availability") == {"m": (50, 60), "late": (15, 15)}


def test_a_restart_shows_the_same(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY, TAIL)
    now_ns = START_NS + 21 * MINUTE_NS
    with started(database, slos, START_NS) as before:
        for i in range(20):
            slow = 2_000_000_000 if i % 4 == 0 else 100_000_000
            send(database, slos, 20, START_NS + i * MINUTE_NS, bad=i % 3, duration_ns=slow)
            before.step(START_NS + i * MINUTE_NS)
        before.step(now_ns)
        compact(database, now_ns, before.position)
    with started(database, slos, now_ns) as after:
        after.step(now_ns)
        assert after.statuses() == before.statuses()
        assert slices_stored(database, slos, "tail") == (15, 20)
        after.step(now_ns + MINUTE_NS)
        assert slices_stored(database, slos, "tail") == (15, 20)


def test_late_records_change_a_verdict_by_the_difference_also_after_a_restart(
    database: Database, tmp_path: Path
) -> None:
    slos = slo_set(tmp_path, TAIL)
    with started(database, slos, START_NS) as one:
        send(database, slos, 20, START_NS)
        one.step(START_NS + 2 * MINUTE_NS)
        assert slices_stored(database, slos, "tail") == (1, 1)
    send(database, slos, 20, START_NS, now_ns=START_NS + 3 * MINUTE_NS, duration_ns=5_000_000_000)
    with started(database, slos, START_NS + 3 * MINUTE_NS) as again:
        again.step(START_NS + 4 * MINUTE_NS)
        assert slices_stored(database, slos, "tail") == (0, 1)
        assert shown(again, "tail") == {"": (0, 1)}


def test_records_ahead_of_our_clock_count_in_their_time_also_after_a_restart(
    database: Database, tmp_path: Path
) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    ahead_ns = START_NS + 30 * MINUTE_NS
    with started(database, slos, START_NS) as one:
        send(database, slos, 7, ahead_ns, now_ns=START_NS)
        one.step(START_NS)
        assert shown(one, "availability") == {"": (0, 0)}
    with started(database, slos, START_NS + MINUTE_NS) as again:
        again.step(START_NS + MINUTE_NS)
        assert shown(again, "availability") == {"": (0, 0)}
        again.step(ahead_ns)
        assert shown(again, "availability") == {"m": (7, 7)}


def test_a_fixed_reference_outlives_what_it_was_made_from(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, DRIFT)

    def tokens(value: int) -> dict[str, int]:
        return {"gen_ai.usage.input_tokens": value}

    with started(database, slos, START_NS) as one:
        for i in range(10):
            for value in (90, 100, 110):
                send(database, slos, 15, START_NS + i * MINUTE_NS, attributes=tokens(value + i))
            one.step(START_NS + i * MINUTE_NS)
        one.step(START_NS + 12 * MINUTE_NS)
        judged = slices_stored(database, slos, "inputs")
        compact(database, START_NS + 100 * 60 * MINUTE_NS, one.position)
    (reference,) = load_references(database)
    late_ns = START_NS + 100 * 60 * MINUTE_NS
    retain(database, late_ns, RetentionPolicy(0, 0, 0, MINUTE_NS, MINUTE_NS))
    with started(database, slos, late_ns) as again:
        send(database, slos, 200, late_ns, attributes=tokens(2000))
        again.step(late_ns + 2 * MINUTE_NS)
        good, total = shown(again, "inputs")[""]
        assert (good, total) == (0, 1)
    assert judged[1] > 0
    assert [str(one) for one in load_references(database)] == [str(reference)]


def test_verdicts_wait_while_storage_fails_and_are_stored_once(database: Database, tmp_path: Path) -> None:
    """Among the failures: a commit whose answer was lost."""
    slos = slo_set(tmp_path, TAIL)
    faults = ["before", "after", "before"]

    def unsteady(group: Sequence[PreparedPayload]) -> None:
        fault = faults.pop() if faults else ""
        if fault == "before":
            raise StorageError("the disk is full", where="test", remedy="free some space")
        commit(database, group, START_NS)
        if fault == "after":
            raise StorageError("the server was lost", where="test", remedy="start it")

    with started(database, slos, START_NS, unsteady) as one:
        for i in range(6):
            send(database, slos, 20, START_NS + i * MINUTE_NS)
            one.step(START_NS + i * MINUTE_NS)
        one.step(START_NS + 8 * MINUTE_NS)
        assert faults == []
        assert slices_stored(database, slos, "tail") == (6, 6)
        assert shown(one, "tail") == {"": (6, 6)}


def test_nothing_is_lost_or_doubled_when_acting_on_findings_fails(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)

    def fail(findings: Sequence[Finding], now_ns: int) -> None:
        raise StorageError("no", where="test", remedy="none")

    one = Evaluator(database, slos, lambda group: commit(database, group, START_NS), fail)
    one.start(START_NS)
    for _ in range(3):
        send(database, slos, 10, START_NS)
        with pytest.raises(StorageError):
            one.step(START_NS)
    assert shown(one, "availability") == {"m": (30, 30)}
    assert one.last is None
    one.stop()


def test_an_outage_of_the_database_loses_nothing(migrated_sqlite_url: str, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY)
    path = Path(migrated_sqlite_url.removeprefix("sqlite:///"))
    away = path.with_suffix(".away")
    with Database(migrated_sqlite_url) as database, started(database, slos, START_NS) as one:
        send(database, slos, 10, START_NS)
        one.step(START_NS)
        send(database, slos, 5, START_NS, bad=5)
        database.close()
        path.rename(away)
        path.mkdir()
        with pytest.raises(StorageError):
            one.step(START_NS)
        path.rmdir()
        away.rename(path)
        one.step(START_NS)
        assert shown(one, "availability") == {"m": (10, 15)}


def test_a_service_heard_before_a_restart_is_not_taken_for_silent(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, AVAILABILITY.replace("per: [model]", "where: ['operation=\"embeddings\"']"))
    send(database, slos, 10, START_NS)
    with started(database, slos, START_NS) as one:
        one.step(START_NS)
        assert [group["state"] for group in one.statuses()["availability"]["groups"]] == ["no_traffic"]


@pytest.fixture
def postgres_database(migrated_postgres_url: str) -> Iterator[Database]:
    with Database(migrated_postgres_url) as opened:
        yield opened


def test_one_of_two_leads_and_the_other_takes_over(
    postgres_database: Database, migrated_postgres_url: str, tmp_path: Path
) -> None:
    slos = slo_set(tmp_path, AVAILABILITY, TAIL)
    acted: list[str] = []
    with Database(migrated_postgres_url) as other:
        first, second = (
            Evaluator(
                db, slos, lambda group, db=db: commit(db, group, START_NS), lambda *_, name=name: acted.append(name)
            )
            for name, db in (("first", postgres_database), ("second", other))
        )
        first.start(START_NS)
        second.start(START_NS)
        for i in range(4):
            send(other, slos, 20, START_NS + i * MINUTE_NS, bad=1)
            for one in (first, second):
                one.step(START_NS + i * MINUTE_NS)
        assert acted == ["first"] * 4
        assert (first.position is None, second.position is None) == (False, True)
        assert second.statuses() == first.statuses()
        window = {"start_ns": START_NS, "end_ns": START_NS + 4 * MINUTE_NS, "step_ns": MINUTE_NS}
        assert second.budget_curve("availability", {"model": "m"}, **window) == first.budget_curve(
            "availability", {"model": "m"}, **window
        )
        first.step(START_NS + 6 * MINUTE_NS)
        first.stop()
        second.step(START_NS + 6 * MINUTE_NS)
        assert acted[-1] == "second"
        assert shown(second, "availability") == {"m": (76, 80)}
        second.step(START_NS + 7 * MINUTE_NS)
        assert slices_stored(other, slos, "tail") == (4, 4)
        first.step(START_NS + 7 * MINUTE_NS)
        assert first.position is None
        second.stop()


def test_who_led_before_begins_anew_when_it_leads_again(
    postgres_database: Database, migrated_postgres_url: str, tmp_path: Path
) -> None:
    """Its own connection fails; meanwhile another leads and stores verdicts that it must not store again."""
    slos = slo_set(tmp_path, TAIL)
    with Database(migrated_postgres_url) as other, started(postgres_database, slos, START_NS) as first:
        send(other, slos, 20, START_NS)
        first.step(START_NS)
        with other.write() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        with started(other, slos, START_NS + 2 * MINUTE_NS) as second:
            second.step(START_NS + 2 * MINUTE_NS)
            assert slices_stored(other, slos, "tail") == (1, 1)
        with pytest.raises(StorageError):
            first.step(START_NS + 3 * MINUTE_NS)
        first.step(START_NS + 3 * MINUTE_NS)
        assert first.position is not None
        assert slices_stored(other, slos, "tail") == (1, 1)
        assert shown(first, "tail") == {"": (1, 1)}
