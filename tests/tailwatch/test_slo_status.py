"""`tailwatch slo status`: a line for every budget, of shares and of money."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from storage.database import Database
from tailwatch.cli import main
from tests.tailwatch.declared import START_NS, slo_file, store

SPEND = """
  - name: bill
    service: chat
    sli: {spend: {budget: $500}}
"""
ERRORS = """
  - name: answered
    service: chat
    sli: {errors: {}}
    objective: 99%
"""


def test_budgets_of_money_and_of_shares_stand_side_by_side(tmp_path: Path) -> None:
    config = tmp_path / "tailwatch.yaml"
    config.write_text(f"data_dir: {tmp_path}\nslos: [{slo_file(tmp_path, SPEND, ERRORS)}]\n", encoding="utf-8")
    database = Database(f"sqlite:///{tmp_path}/tailwatch.db")
    database.upgrade()
    store(database, (), 3, at_ns=START_NS)
    database.close()
    result = CliRunner().invoke(main, ["--config", str(config), "slo", "status"])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert any(line[:2] == ["answered", "99"] for line in lines)
    assert any(line[0] == "bill" for line in lines if line)
