"""One process leads at a time, and a dead one leads no longer."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.locks import Leadership
from telemetry.errors import StorageError
from tests.postgres import PrivatePostgres


def test_one_of_two_leads_until_it_lets_go(postgres_url: str):
    with Database(postgres_url) as one, Database(postgres_url) as two:
        first, second = Leadership(one), Leadership(two)
        assert [first.hold(), second.hold(), first.hold(), second.hold()] == [True, False, True, False]
        first.release()
        assert [second.hold(), first.hold()] == [True, False]
        second.release()
        second.release()
        assert first.hold()
        first.release()


def test_a_leader_whose_connection_broke_is_told_and_another_may_lead(postgres: PrivatePostgres, postgres_url: str):
    with Database(postgres_url) as one, Database(postgres_url) as two:
        first, second = Leadership(one), Leadership(two)
        assert first.hold()
        name = postgres_url.split("@/")[1].split("?", maxsplit=1)[0]
        postgres.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        with pytest.raises(StorageError, match="cannot be reached"):
            first.hold()
        assert second.hold()
        assert not first.hold()
        second.release()


def test_on_sqlite_the_only_process_leads(sqlite_url: str):
    with Database(sqlite_url) as database:
        leadership = Leadership(database)
        assert leadership.hold()
        leadership.release()
        assert leadership.hold()
