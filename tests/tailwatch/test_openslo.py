"""OpenSLO documents from the command line to a budget: they are linted, served and counted like native SLOs."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from detectors.slo.parse import load_slos
from storage.database import Database
from tailwatch.cli import main
from tailwatch.standing import evaluate_now
from tests.tailwatch.declared import MINUTE_NS, START_NS, store
from tests.tailwatch.running import serving, write_config

EXAMPLES = Path(__file__).parents[2] / "examples" / "openslo"
CHAT = EXAMPLES / "chat.yaml"
ELSEWHERE = EXAMPLES / "elsewhere.yaml"
MINE = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: answers}
spec:
  service: chat
  indicator:
    metadata: {name: inline}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Tailwatch, spec: {sli: {errors: {}}}}}
        total: {metricSource: {type: Tailwatch, spec: {}}}
  timeWindow: [{duration: 1d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
"""


def lint(folder: Path, *arguments: str | Path) -> tuple[int, str]:
    config = write_config(folder, {})
    found = CliRunner().invoke(main, ["--config", str(config), "slo", "lint", *map(str, arguments)])
    return found.exit_code, found.output


def test_the_strict_example_is_without_errors(tmp_path: Path) -> None:
    status, said = lint(tmp_path, "--openslo", "--strict", CHAT)
    assert status == 0
    assert said.endswith("3 SLOs without errors\n")


def test_a_foreign_file_is_valid_and_says_that_it_is_not_executed(tmp_path: Path) -> None:
    status, said = lint(tmp_path, "--openslo", ELSEWHERE)
    assert status == 0
    assert "document 1 (SLO gateway-availability): spec.indicator: valid, and not executable here" in said
    assert lint(tmp_path, ELSEWHERE) == (status, said)


def test_strict_mode_says_document_line_field_and_reason(tmp_path: Path) -> None:
    status, said = lint(tmp_path, "--openslo", "--strict", CHAT, ELSEWHERE)
    assert status == 1
    assert (
        f"error: {ELSEWHERE}:13: document 1 (SLO gateway-availability): spec.indicator.spec.ratioMetric.counter" in said
    )
    assert said.endswith("3 errors\n")


def test_a_native_file_is_no_openslo(tmp_path: Path) -> None:
    native = tmp_path / "native.yaml"
    native.write_text("version: 1\nslos: []\n", encoding="utf-8")
    status, said = lint(tmp_path, "--openslo", native)
    assert status == 1
    assert "apiVersion: is missing" in said


def test_strict_is_for_openslo(tmp_path: Path) -> None:
    status, said = lint(tmp_path, "--strict", CHAT)
    assert status == 2
    assert "add --openslo" in said


def test_it_is_counted(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "openslo.yaml"
    path.write_text(MINE, encoding="utf-8")
    store(database, (), 20, at_ns=START_NS, bad=1)
    (answers,) = evaluate_now(database, load_slos([path]), 100, START_NS + MINUTE_NS)
    (group,) = answers["groups"]
    assert (answers["name"], group["good"], group["total"]) == ("answers", 19, 20)
    assert group["budget_remaining"] == pytest.approx(0.5)


def test_it_is_served_beside_native_slos(tmp_path: Path) -> None:
    native = tmp_path / "native.yaml"
    native.write_text(
        "version: 1\nslos: [{name: native, service: chat, objective: 99%, sli: {errors: {}}}]\n", encoding="utf-8"
    )
    config = write_config(tmp_path, {"slos": [str(native), str(CHAT), str(ELSEWHERE)]})
    with serving(config) as running:
        slos = httpx.get(f"{running.url}/api/v1/slos").json()["slos"]
        status = httpx.get(f"{running.url}/api/v1/status").json()
    assert [slo["name"] for slo in slos] == [
        "native", "chat-answers.promised", "chat-answers.aspired", "chat-first-token",
    ]  # fmt: skip
    assert any("not executable here" in str(problem) for problem in status["config_problems"])
