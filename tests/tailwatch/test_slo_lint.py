"""``tailwatch slo lint`` on files and on data: what it says, in which form, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from storage.database import Database
from tailwatch.cli import main
from telemetry.clock import SystemClock
from tests.tailwatch.declared import AVAILABILITY, store
from tests.tailwatch.running import write_config

LATENCY = """
  - name: latency
    service: chat
    sli: {latency: {measure: duration, below: 30s}}
    objective: 99%
    where: ['operation="Chat"']
    per: [tenant]
"""


def run(folder: Path, *arguments: str, slos: str = AVAILABILITY, **document: object) -> Result:
    config = write_config(folder, document, f"version: 1\nslos:{slos}")
    return CliRunner().invoke(main, ["--config", str(config), "slo", "lint", *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory with telemetry of an hour."""
    (tmp_path / "data").mkdir()
    now_ns = SystemClock().now_ns()
    with Database(f"sqlite:///{tmp_path}/data/tailwatch.db") as database:
        database.upgrade()
        store(database, (), 300, at_ns=now_ns - 3600 * 10**9, now_ns=now_ns, bad=3)
        store(database, (), 300, at_ns=now_ns - 60 * 10**9, now_ns=now_ns)
    return tmp_path


def test_the_configured_files_are_the_default(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert (found.exit_code, found.output) == (0, "1 SLO without errors\n")
    nothing = CliRunner().invoke(main, ["--config", str(write_config(tmp_path, {})), "slo", "lint"])
    assert (nothing.exit_code, "there are no SLOs" in nothing.output) == (2, True)


def test_errors_of_reading_and_of_sense_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("version: 1\nslos: [\n")
    (tmp_path / "loose.yaml").write_text(
        "version: 1\nslos:\n  - {name: b, service: chat, sli: {errors: {}}, objective: 90%, window: 40d}\n"
    )
    found = run(tmp_path, str(tmp_path / "broken.yaml"), str(tmp_path / "loose.yaml"), rollup_retention="35d")
    assert found.exit_code == 1
    assert "broken.yaml:3: this is not YAML" in found.output
    assert "can never fire" in found.output
    assert "b.window: the window is longer than counters are kept" in found.output
    assert "errors\n" in found.output


def test_files_are_held_against_the_data(folder: Path) -> None:
    found = run(folder, "--data", slos=AVAILABILITY + LATENCY)
    assert found.exit_code == 0, found.output
    assert 'latency.where[0]: operation="Chat" matches none of 600 records of chat' in found.output
    assert 'did you mean operation="chat"?' in found.output
    assert "latency.per[0]: no record of chat" in found.output
    assert "availability.objective: at the traffic" not in found.output


def test_only_what_came_in_since_is_looked_at(folder: Path) -> None:
    found = run(folder, "--data", "--since", "30m", slos=LATENCY)
    assert "none of 300 records" in found.output
    assert run(folder, "--data", "--since", "soon").exit_code == 2


def test_findings_as_json(folder: Path) -> None:
    document = json.loads(run(folder, "--data", "--format", "json", slos=LATENCY).output)
    assert (document["slos"], document["errors"]) == (1, 0)
    first = document["findings"][0]
    assert (first["severity"], first["line"], first["field"]) == ("warning", 7, "latency.where[0]")
    assert first["file"].endswith("slos.yaml")
    assert first["message"]
    assert first["remedy"] == 'did you mean operation="chat"?'


def test_findings_as_annotations(tmp_path: Path) -> None:
    found = run(tmp_path, "--format", "github", slos=AVAILABILITY.replace("99%", "990%"))
    assert found.exit_code == 1
    (line,) = found.output.splitlines()
    assert line.startswith("::error file=")
    assert ",line=7,title=slos[0].objective::990%25 is not between" in line


def test_nothing_is_made_where_there_is_no_database(tmp_path: Path) -> None:
    found = run(tmp_path, "--data")
    assert (found.exit_code, "there is no database to look into" in found.output) == (2, True)
    assert not (tmp_path / "data").exists()


def test_the_database_is_only_read(folder: Path) -> None:
    path = folder / "data" / "tailwatch.db"
    before = path.read_bytes()
    with Database(f"sqlite:///{path}") as database, database.write():
        assert run(folder, "--data").exit_code == 0, "while somebody else writes"
    assert path.read_bytes() == before
