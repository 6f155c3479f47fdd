"""A server that goes away, or a disk that fills up, in the middle of a commit: one sentence, nothing half done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from storage import blocks, increments
from storage.database import Database
from storage.ingest import commit
from storage.statements import insert_rows
from storage.tables import payloads, sli_deltas
from telemetry.errors import StorageError
from tests.postgres import PrivatePostgres
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
