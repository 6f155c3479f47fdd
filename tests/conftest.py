"""Fixtures for all tests: a fresh database of each kind, empty or with Tailwatch's schema."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.postgres import PrivatePostgres, find_binaries

ENGINES = ("sqlite", "postgresql")

LONGEST = (
    "tests/faults/test_kills.py", "tests/tailwatch/test_calendar_restart.py", "tests/faults/test_disks.py",
    "tests/tailwatch/test_corrections.py", "tests/benchmarks/test_benchmarks.py", "tests/faults/test_hostile.py",
    "tests/dashboard/test_pages.py",
)  # fmt: skip
"""Files that take longest, which begin first: one that began last would be waited for by workers that are done."""

BROWSER_S = 300
"""What a test in a browser may take: it waits for many pages, each with the patience that a busy machine needs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what opens a browser, and put the longest files first."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(BROWSER_S))
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.location[0], len(order)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL server for the session; without one installed its tests are skipped, but fail where CI is set."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed, and CI must test on it")
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    server = PrivatePostgres(binaries)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'tailwatch.db'}"


@pytest.fixture
def postgres_url(postgres: PrivatePostgres) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database: the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{'sqlite' if request.param == 'sqlite' else 'postgres'}_url")
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, to be copied: migrating anew for every test would take most of its time."""
    path = tmp_path_factory.mktemp("migrated") / "tailwatch.db"
    with Database(f"sqlite:///{path}") as database:
        database.upgrade()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PrivatePostgres) -> str:
    """The name of a PostgreSQL database with the schema, to be used as a template."""
    name = postgres.create_database()
    with Database(postgres.url(name)) as database:
        database.upgrade()
    return name


@pytest.fixture
def migrated_sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """The URL of a fresh SQLite file with the schema."""
    path = tmp_path / "tailwatch.db"
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def migrated_postgres_url(postgres: PrivatePostgres, migrated_postgres: str) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database with the schema."""
    name = postgres.create_database(template=migrated_postgres)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database with the schema: the test runs once on SQLite and once on PostgreSQL."""
    kind = "sqlite" if request.param == "sqlite" else "postgres"
    with Database(request.getfixturevalue(f"migrated_{kind}_url")) as opened:
        yield opened
