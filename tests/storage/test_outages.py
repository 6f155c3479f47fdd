"""A server that goes away, or a disk that fills up, in the middle of a commit: one sentence, nothing half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from storage import blocks, increments, spans
from storage.backoff import LONGEST_PAUSE_S, Backoff
from storage.database import Database
from storage.ingest import PreparedPayload, RepeatedError, commit
from storage.partitions import DAY_NS, partitions
from storage.rollups import sli_totals
from storage.statements import insert_rows
from storage.tables import payloads, record_blocks, sli_deltas
from telemetry.errors import StorageError
from tests.postgres import PrivatePostgres, find_binaries
from tests.storage.build import NOW_NS, payload, sli, span_columns


def _count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(payloads)).scalar_one()


def test_a_server_that_ends_the_connection_amid_a_commit(
    postgres: PrivatePostgres, migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    given = payload("a", sli(NOW_NS), columns=(span_columns(50),))

    def cut_off(connection: Connection, table: Any, columns: Sequence[str], rows: Any) -> None:
        if table is sli_deltas:
            process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            postgres.execute(f"SELECT pg_terminate_backend({process}, 5000)")
        insert_rows(connection, table, columns, rows)

    with Database(migrated_postgres_url) as database:
        with monkeypatch.context() as patch:
            patch.setattr(increments, "insert_rows", cut_off)
            with pytest.raises(StorageError, match="the server cannot be reached"):
                commit(database, [given], NOW_NS)
        assert _count(database) == 0
        commit(database, [given], NOW_NS)
        assert _count(database) == 1


def test_a_full_disk(migrated_sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    given = payload("a", sli(NOW_NS), columns=(span_columns(2000),))

    def fill_up(connection: Connection, table: Any, columns: Sequence[str], rows: Any) -> None:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
        insert_rows(connection, table, columns, rows)

    with Database(migrated_sqlite_url) as database:
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "insert_rows", fill_up)
            with pytest.raises(StorageError, match=r"tailwatch\.db: the disk is full\. free some space"):
                commit(database, [given], NOW_NS)
        database.close()
        assert _count(database) == 0
        commit(database, [given], NOW_NS)
        assert _count(database) == 1


def test_a_damaged_file(migrated_sqlite_url: str):
    with Database(migrated_sqlite_url) as database:
        commit(database, [payload("a", columns=(span_columns(500),))], NOW_NS)
    path = migrated_sqlite_url.removeprefix("sqlite:///")
    with open(path, "r+b") as file:  # noqa: PTH123
        file.seek(4096)
        file.write(b"\xff" * 4096 * 20)
    with Database(migrated_sqlite_url) as database, pytest.raises(StorageError, match="damaged.*backup"):  # noqa: RUF043
        _count(database)


@pytest.fixture
def own_postgres(postgres: PrivatePostgres) -> Iterator[PrivatePostgres]:  # skips where there is none
    """A server that the test may stop."""
    server = PrivatePostgres(find_binaries() or Path())
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _until(database: Database, given: PreparedPayload) -> None:
    """Commit as a collector does while the server comes back: what had been committed is a repeat."""
    for _ in range(600):
        try:
            commit(database, [given], NOW_NS)
        except StorageError:
            time.sleep(0.05)
            continue
        except RepeatedError:
            pass
        return
    pytest.fail("the server is back, and is not found")


@pytest.mark.parametrize("end", ["kill", "halt"])
def test_a_server_that_went_and_comes_back_is_found_and_has_everything_once(own_postgres: PrivatePostgres, end: str):
    with Database(own_postgres.url(own_postgres.create_database())) as database:
        database.upgrade()
        commit(database, [payload("a", sli(NOW_NS), columns=(span_columns(50),))], NOW_NS)
        getattr(own_postgres, end)()
        given = payload("b", sli(NOW_NS), columns=(span_columns(50, seed=7),))
        for _ in range(3):
            with pytest.raises(StorageError, match="the server cannot be reached"):
                commit(database, [given], NOW_NS)
        own_postgres.launch()
        _until(database, given)
        assert _count(database) == 2
        assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 100


def test_a_server_killed_at_any_moment_of_commits_keeps_what_it_acknowledged(own_postgres: PrivatePostgres):
    group = [payload(f"{number}", sli(NOW_NS), columns=(span_columns(30, seed=number),)) for number in range(40)]
    with Database(own_postgres.url(own_postgres.create_database())) as database:
        database.upgrade()
        for given in group[:5]:
            commit(database, [given], NOW_NS)
        killer = threading.Thread(target=lambda: (own_postgres.kill(), own_postgres.launch()))
        killer.start()
        for given in group[5:]:
            _until(database, given)
        killer.join()
        assert _count(database) == len(group)
        assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 30 * len(group)
        (total,) = sli_totals(database, "rule", NOW_NS, NOW_NS + 1)
        assert total.total == len(group)


def test_a_commit_for_any_day_finds_a_partition_while_readers_hold_the_table(migrated_postgres_url: str):
    with Database(migrated_postgres_url) as database:
        far = span_columns(3, end_ns=NOW_NS - 400 * DAY_NS, seed=3)
        with database.read() as reader:
            reader.execute(select(func.count()).select_from(record_blocks)).scalar_one()
            commit(database, [payload("a", columns=(far,))], NOW_NS)
        with database.read() as connection:
            assert partitions(connection, record_blocks) == {}
        commit(database, [payload("b", columns=(span_columns(2),))], NOW_NS)
        with database.read() as connection:
            assert list(partitions(connection, record_blocks).values()) == [NOW_NS // DAY_NS]
        assert len(spans.load_columns(database, 0, NOW_NS + 1)) == 5


def test_attempts_grow_apart_and_fail_at_once_in_between():
    now_s = 0.0
    backoff = Backoff("db", lambda: now_s)

    def attempt(*, fails: bool) -> str:
        try:
            with backoff.attempt():
                _ = 1 / (not fails)
        except ZeroDivisionError:
            return "asked"
        except StorageError as error:
            return error.sentence()
        return "reached"

    assert attempt(fails=True) == "asked"
    assert "the server cannot be reached. it is asked again in 0.1 s" in attempt(fails=False)
    asked = 0
    for _ in range(1000):
        now_s += 0.01
        asked += attempt(fails=True) == "asked"
    assert asked == 8  # after 0.1, 0.3, 0.7, 1.5, 3.1, 5.1, 7.1 and 9.1 s
    now_s += LONGEST_PAUSE_S
    assert [attempt(fails=False), attempt(fails=True), attempt(fails=False)[:3]] == ["reached", "asked", "db:"]
