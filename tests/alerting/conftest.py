"""Fixtures of alerting's tests: a quick database, and a local server that behaves as it is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.alerting.hook_server import HookServer


@pytest.fixture
def lite(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database with the schema, for what does not depend on the kind of database."""
    path = tmp_path / "tailwatch.db"
    shutil.copyfile(migrated_sqlite, path)
    with Database(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def hook() -> Iterator[HookServer]:
    """A local HTTP server to deliver to."""
    with HookServer() as server:
        yield server
