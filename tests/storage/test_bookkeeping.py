"""Revisions, statuses, settings and table sizes."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from storage.database import Database
from storage.ingest import commit
from storage.revisions import begin_backfill, end_backfill, register, revisions
from storage.settings import read_setting, settle_setting, write_setting
from storage.stats import block_stats, ingest_stats, table_stats
from storage.status import load_statuses, save_statuses
from storage.tables import metadata
from telemetry.errors import NotFoundError
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, log_columns, payload, span_columns


def test_a_revision_is_registered_once_and_remembers_its_backfill(database: Database):
    with database.write() as connection:
        first = register(connection, "errors", "a1", '{"good": 1}', NOW_NS)
        assert (first.created_ns, first.backfilled_ns) == (NOW_NS, None)
        begin_backfill(connection, "errors", "a1", NOW_NS + 5)
        assert register(connection, "errors", "a1", '{"good": 1}', NOW_NS + 6).backfilled_ns is None
        assert end_backfill(connection, "errors", "a1", NOW_NS + 5)
        again = register(connection, "errors", "a1", '{"good": 1}', NOW_NS + 9)
        assert (again.created_ns, again.backfilled_ns) == (NOW_NS, NOW_NS + 5)
        changed = register(connection, "errors", "b2", '{"good": 2}', NOW_NS + 10)
        assert changed.backfilled_ns is None
        register(connection, "other", "a1", "{}", NOW_NS)
    assert [found.revision for found in revisions(database, "errors")] == ["a1", "b2"]
    assert [(found.name, found.revision) for found in revisions(database)] == [
        ("errors", "a1"), ("errors", "b2"), ("other", "a1"),
    ]  # fmt: skip


def test_an_unknown_revision_cannot_be_backfilled(database: Database):
    with pytest.raises(NotFoundError, match="SLO errors has no revision a1"), database.write() as connection:
        begin_backfill(connection, "errors", "a1", NOW_NS)


def test_records_that_were_not_counted_by_a_revision_undo_its_backfill(database: Database):
    with database.write() as connection:
        for revision in ("a1", "b2", "c3", "d4"):
            register(connection, "errors", revision, "{}", NOW_NS)
            begin_backfill(connection, "errors", revision, NOW_NS)
        assert end_backfill(connection, "errors", "a1", NOW_NS)
        assert end_backfill(connection, "errors", "b2", NOW_NS)
    counted = replace(payload("a", span_columns(3)), spans=3, rules=frozenset({"b2", "c3"}))
    commit(database, [counted], NOW_NS)
    commit(database, [replace(payload("b"), rules=frozenset())], NOW_NS)
    with database.write() as connection:
        assert end_backfill(connection, "errors", "c3", NOW_NS)
        assert not end_backfill(connection, "errors", "d4", NOW_NS), "the records came in while it was under way"
    assert {found.revision: found.backfilled_ns for found in revisions(database)} == {
        "a1": None, "b2": NOW_NS, "c3": NOW_NS, "d4": None,
    }  # fmt: skip


def test_what_several_payloads_of_a_commit_were_counted_by_is_what_all_of_them_were(database: Database):
    with database.write() as connection:
        for revision in ("a1", "b2"):
            register(connection, "errors", revision, "{}", NOW_NS)
            begin_backfill(connection, "errors", revision, NOW_NS)
            end_backfill(connection, "errors", revision, NOW_NS)
    payloads = [
        replace(payload(name, span_columns(3)), spans=3, rules=rules)
        for name, rules in (("a", frozenset({"a1", "b2"})), ("b", frozenset({"b2"})))
    ]
    commit(database, payloads, NOW_NS)
    assert {found.revision: found.backfilled_ns for found in revisions(database)} == {"a1": None, "b2": NOW_NS}


def test_a_backfill_that_another_process_began_anew_does_not_end(database: Database):
    with database.write() as connection:
        register(connection, "errors", "a1", "{}", NOW_NS)
        begin_backfill(connection, "errors", "a1", NOW_NS)
        begin_backfill(connection, "errors", "a1", NOW_NS + 1)
        assert not end_backfill(connection, "errors", "a1", NOW_NS)
        assert end_backfill(connection, "errors", "a1", NOW_NS + 1)


def test_statuses_are_replaced_as_a_whole(database: Database):
    assert load_statuses(database) == {}
    save_statuses(database, {"errors": {"state": "ok"}, "latency": {"state": "burning", "name": "\ud800"}}, NOW_NS)
    save_statuses(database, {"latency": {"state": "ok", "burn": {"1h": None}}, "cost": []}, NOW_NS + 1)
    loaded = load_statuses(database)
    assert {name: status.body for name, status in loaded.items()} == {
        "latency": {"state": "ok", "burn": {"1h": None}}, "cost": [],
    }  # fmt: skip
    assert {status.evaluated_ns for status in loaded.values()} == {NOW_NS + 1}
    save_statuses(database, {}, NOW_NS + 2)
    assert load_statuses(database) == {}


def test_more_statuses_than_fit_one_statement(database: Database):
    save_statuses(database, {f"slo-{number}": number for number in range(1201)}, NOW_NS)
    save_statuses(database, {"slo-3": 3}, NOW_NS)
    assert list(load_statuses(database)) == ["slo-3"]


def test_settings_are_kept(database: Database):
    assert read_setting(database, "key") is None
    write_setting(database, "key", "one")
    write_setting(database, "key", "two")
    assert read_setting(database, "key") == "two"


def test_tables_tell_their_rows_and_bytes(database: Database):
    commit(database, [payload("a", columns=(span_columns(5000),))], NOW_NS)
    stats = {found.name: found for found in table_stats(database)}
    assert set(metadata.tables) <= set(stats)
    assert (stats["record_blocks"].rows, stats["feedback"].rows) == (17, 0)  # a block five minutes
    assert stats["record_blocks"].size_bytes > stats["feedback"].size_bytes > 0
    assert next(iter(stats)) == "record_blocks"


def test_blocks_and_ingest_tell_how_far_they_are(database: Database):
    assert (block_stats(database), ingest_stats(database).last_received_ns) == ([], None)
    columns = (span_columns(20), log_columns(3), span_columns(1, end_ns=NOW_NS - 3600 * NANOS))
    commit(database, [payload("a", columns=columns)], NOW_NS + 5)
    small, large, logs = block_stats(database)
    assert (small.signal, small.level, small.blocks, small.records) == ("span", 0, 1, 1)
    assert (large.signal, large.level, large.blocks, large.records) == ("span", 1, 1, 20)
    assert (logs.signal, logs.level, logs.blocks, logs.records) == ("log", 0, 1, 3)
    assert (large.oldest_ns, large.newest_ns) == (NOW_NS - 19 * NANOS, NOW_NS)
    assert large.size_bytes > small.size_bytes > 0
    found = ingest_stats(database)
    assert (found.requests, found.last_received_ns) == (1, NOW_NS + 5)


def test_writers_that_settle_a_setting_at_once_agree(database: Database):
    barrier = threading.Barrier(4)
    settled: list[str] = []

    def settle(number: int) -> None:
        barrier.wait()
        settled.append(settle_setting(database, "key", f"value-{number}"))

    threads = [threading.Thread(target=settle, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(settled) == 4
    assert set(settled) == {read_setting(database, "key")}
    assert settle_setting(database, "key", "another") == settled[0]
