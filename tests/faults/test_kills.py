"""A collector or its database killed at any moment: nothing acknowledged is missing, nothing is counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.kills import kill_collector, kill_database, restart_database
from tests.postgres import PrivatePostgres, find_binaries


@pytest.fixture(scope="module")
def mortal(postgres: PrivatePostgres) -> Iterator[PrivatePostgres]:
    """A PostgreSQL server that may be killed: the session's own belongs to all tests."""
    binaries = find_binaries()
    assert binaries is not None
    server = PrivatePostgres(binaries)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_kills_of_the_collector_on_sqlite(tmp_path: Path) -> None:
    outcome = kill_collector(tmp_path, kills=3)
    assert outcome.problems == ()
    assert outcome.stored == outcome.counted >= outcome.acknowledged > 0


def test_kills_of_the_collector_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    outcome = kill_collector(tmp_path, kills=1, seed=2, database_url=postgres_url)
    assert outcome.problems == ()
    assert outcome.stored == outcome.counted >= outcome.acknowledged > 0


def test_kills_of_postgresql(tmp_path: Path, mortal: PrivatePostgres) -> None:
    outcome = kill_database(tmp_path, mortal, kills=1)
    assert outcome.problems == ()
    assert outcome.answers["503"] > 0


def test_a_restart_of_postgresql(tmp_path: Path, mortal: PrivatePostgres) -> None:
    outcome = restart_database(tmp_path, mortal, down_s=1)
    assert outcome.problems == ()
