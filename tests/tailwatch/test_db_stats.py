"""``tailwatch db stats`` says what the database holds, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from storage.database import Database
from storage.ingest import commit
from tailwatch.cli.db import command
from tests.storage.build import NOW_NS, log_columns, payload, span_columns


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    """Settings that name a database of two blocks."""
    with Database(database_url) as database:
        database.upgrade()
        commit(database, [payload("a", columns=(span_columns(200), log_columns(3)))], NOW_NS)
    path = tmp_path / "tailwatch.yaml"
    path.write_text(f"database_url: {database_url}\n", encoding="utf-8")
    return path


def test_blocks_and_tables_are_told(config: Path) -> None:
    shown = CliRunner().invoke(command, ["stats"], obj=config)
    assert shown.exit_code == 0, shown.output
    assert "record_blocks" in shown.output
    assert "spans" in shown.output
    assert "1 requests remembered, the last at 2023-11-14 22:13:20Z" in shown.output


def test_the_same_as_json(config: Path) -> None:
    shown = json.loads(CliRunner().invoke(command, ["stats", "--json"], obj=config).output)
    assert {one["name"] for one in shown["tables"]} >= {"record_blocks", "sli_deltas", "feedback"}
    assert {(one["signal"], one["level"], one["records"]) for one in shown["blocks"]} == {
        ("span", 2, 200),
        ("log", 0, 3),
    }
    assert max(one["newest"] for one in shown["blocks"]) == NOW_NS / 1e9
    assert shown["ingest"]["requests"] == 1
