"""Opening, upgrading and failing: every fault of the environment is one sentence without secrets."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError

from storage import engines
from storage.database import Database
from storage.tables import metadata, settings
from storage.versions import VERSION_TABLE, newest_version, stored_version
from telemetry.errors import SchemaError, StorageError
from tests.postgres import PrivatePostgres


def _count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(settings)).scalar_one()


def _refusal(url: str) -> StorageError:
    """Why the database of ``url`` cannot be brought up to date."""
    with Database(url) as database, pytest.raises(StorageError) as caught:
        database.upgrade()
    return caught.value


def test_upgrade_creates_every_table_and_may_be_repeated(database_url: str):
    with Database(database_url) as database:
        database.upgrade()
        database.upgrade()
        with database.read() as connection:
            assert stored_version(connection) == newest_version()
        assert _count(database) == 0
    assert "settings" in metadata.tables


def test_upgrade_needs_neither_the_working_directory_nor_alembic_when_there_is_nothing_to_do(
    database_url: str, tmp_path: Path
):
    """A service may be started in a folder that has a ``migrations`` package of its own."""
    decoy = tmp_path / "migrations"
    decoy.mkdir()
    (decoy / "__init__.py").write_text("raise SystemExit('imported the wrong migrations')")
    code = (
        "import sys; from storage.database import Database; Database(sys.argv[1]).upgrade();"
        "print('alembic' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, database_url],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [run.stdout.strip() for run in runs] == ["True", "False"], runs


def test_upgrades_at_the_same_time_take_turns(database_url: str):
    databases = [Database(database_url) for _ in range(4)]
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(databases))

    def upgrade(database: Database) -> None:
        barrier.wait()
        try:
            database.upgrade()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=upgrade, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert failures == []


def test_a_newer_schema_is_refused_with_what_to_do(database: Database):
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for refuse in (database.check_schema, database.upgrade):
        with pytest.raises(SchemaError, match=r"schema 9999, this one|schema 9999, this Tailwatch .* or newer"):
            refuse()


def test_an_older_schema_is_not_refused(database_url: str):
    with Database(database_url) as database:
        database.check_schema()


def test_what_a_block_wrote_is_there_when_it_ends_and_gone_when_it_raises(database: Database):
    with database.write() as connection:
        connection.execute(insert(settings).values(key="kept", value="1"))

    def fail() -> None:
        with database.write() as connection:
            connection.execute(insert(settings).values(key="lost", value="1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _count(database) == 1


def test_a_reader_sees_one_state_while_others_write(database: Database):
    with database.read() as connection:
        query = select(func.count()).select_from(settings)
        before = connection.execute(query).scalar_one()
        with database.write() as writer:
            writer.execute(insert(settings).values(key="new", value="1"))
        assert connection.execute(query).scalar_one() == before
    assert _count(database) == before + 1


def _write_twice(database: Database, key: str, value: str = "1") -> None:
    with database.write() as connection:
        for _ in range(2):
            connection.execute(insert(settings).values(key=key, value=value))


def test_a_violated_constraint_is_the_callers_to_handle(database: Database):
    with pytest.raises(IntegrityError):
        _write_twice(database, "same")


def test_threads_of_one_process_write_one_after_the_other(database: Database):
    def write(number: int) -> None:
        for step in range(10):
            with database.write() as connection:
                connection.execute(insert(settings).values(key=f"{number}-{step}", value=""))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count(database) == 40


def test_sqlite_commits_reach_the_disk(sqlite_url: str):
    with Database(sqlite_url) as database:
        for block in (database.read, database.write):
            with block() as connection:
                pragmas = {
                    name: connection.execute(text(f"PRAGMA {name}")).scalar()
                    for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
                }
            assert pragmas == {
                "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1,
                "busy_timeout": int(engines.BUSY_TIMEOUT_S * 1000),
            }  # fmt: skip


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path):
    with Database(f"sqlite:///{tmp_path}/a/b/tailwatch.db") as database:
        database.upgrade()
    assert (tmp_path / "a" / "b" / "tailwatch.db").is_file()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/x\.db: its folder cannot be made.*name a folder"):
        Database(f"sqlite:///{tmp_path}/file/x.db")


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root writes everywhere; a directory in the file's place fails alike
        (folder / "x.db").mkdir()
    assert "x.db: the database file cannot be opened" in str(_refusal(f"sqlite:///{folder}/x.db"))


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database\n" * 100)
    before = path.read_bytes()
    sentence = str(_refusal(f"sqlite:///{path}"))
    assert sentence == f"{path}: the file is not a database. name another file, or move this one away"
    assert path.read_bytes() == before


def test_a_database_locked_by_another_process_is_said_to_be(sqlite_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_S", 0.05)
    with Database(sqlite_url) as database:
        database.upgrade()
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match=r"the database is locked.*another process"), database.write():
            pass
        other.close()


def test_a_nested_write_on_sqlite_is_refused_rather_than_waiting_forever(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_S", 0.05)
    with Database(sqlite_url) as database, database.write():  # noqa: SIM117
        with pytest.raises(StorageError, match="another thread"), database.write():
            pass


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://root:hunter2@host/db", "mysql is not a database that Tailwatch knows"),
        ("not a url with hunter2", "the database URL cannot be read"),
        ("postgresql://u:hunter2@h:port/x", "the database URL cannot be read"),
        ("sqlite://", "a database in memory"),
        ("sqlite:///:memory:", "a database in memory"),
    ],
)
def test_a_url_that_cannot_be_used_is_explained_without_repeating_it(url: str, sentence: str):
    with pytest.raises(StorageError, match=sentence) as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_server_is_named_without_the_password(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    pytest.importorskip("psycopg")
    refusal = _refusal("postgresql://ann:hunter2@127.0.0.1:1/tail?password=hunter3")
    assert str(refusal).startswith("postgresql://ann@127.0.0.1:1/tail: the server cannot be reached")
    assert "hunter" not in caplog.text + str(refusal)
    assert refusal.__suppress_context__, "a traceback would show the driver's own words"


def test_a_missing_database_is_named(postgres: PrivatePostgres):
    assert "/nowhere: the database does not exist. create it" in str(_refusal(postgres.url("nowhere")))


def test_a_wrong_password_is_said_to_be_and_not_shown(postgres: PrivatePostgres):
    postgres.execute("CREATE ROLE carol LOGIN PASSWORD 'right'")
    rules = postgres.folder / "data" / "pg_hba.conf"
    plain = rules.read_text()
    rules.write_text(f"local all carol scram-sha-256\n{plain}")
    postgres.execute("SELECT pg_reload_conf()")
    try:
        sentence = str(_refusal(postgres.url("postgres").replace("tailwatch@", "carol:hunter2@")))
        assert "refused the user or the password" in sentence
        assert "hunter2" not in sentence
    finally:
        rules.write_text(plain)
        postgres.execute("SELECT pg_reload_conf()")
        postgres.execute("DROP ROLE carol")


def test_a_user_without_rights_is_told_so(postgres: PrivatePostgres, postgres_url: str):
    postgres.execute("CREATE ROLE dave LOGIN")
    try:
        assert "the user may not do this" in str(_refusal(postgres_url.replace("tailwatch@", "dave@")))
    finally:
        postgres.execute("DROP ROLE dave")


def test_a_connection_that_the_server_ended_is_replaced(postgres: PrivatePostgres, postgres_url: str):
    with Database(postgres_url) as database:
        database.upgrade()
        name = postgres_url.split("@/")[1].split("?", maxsplit=1)[0]
        postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        assert _count(database) == 0


def test_errors_do_not_show_the_data(database: Database):
    with pytest.raises(IntegrityError) as caught:
        _write_twice(database, "same", value="confidential")
    assert "confidential" not in str(caught.value)
