"""Simulations as a user runs them: reports of every format, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tailwatch.cli import main

SCENARIO = """version: 1
name: small <test>
service: chat
duration: 40m
slos:
  - {name: errs, service: chat, sli: {errors: {}}, objective: 99%}
  - {name: lat, service: chat, sli: {latency: {measure: duration, below: 4s}}, objective: 99%, per: [input_type]}
traffic: {rate: 5, jitter: 20%}
errors: {rate: 0.1%}
measures: {duration: {median: 500ms, sigma: 0.5}}
slices:
  - {share: 70%, labels: {input_type: chat}}
  - {share: 30%, labels: {input_type: code}}
incidents:
  - {name: out, start: 10m, duration: 10m, errors: 60%}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulation")
    (folder / "scenario.yaml").write_text(SCENARIO, encoding="utf-8")
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def report(folder: Path, name: str, *options: str) -> str:
    result = run(folder / "scenario.yaml", "--report", folder / name, *options)
    assert result.exit_code == 0, result.output
    return (folder / name).read_text(encoding="utf-8")


def document(folder: Path, name: str, *options: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(report(folder, name, *options))
    return read


@pytest.mark.parametrize("ending", ["json", "md", "html"])
def test_the_same_seed_gives_the_same_report_byte_for_byte(folder: Path, ending: str):
    for name in ("one", "same"):
        report(folder, f"{name}.{ending}", "--seed", "5")
    assert (folder / f"one.{ending}").read_bytes() == (folder / f"same.{ending}").read_bytes()


def test_another_seed_gives_another_report(folder: Path):
    one, other = (document(folder, f"{seed}.json", "--seed", seed) for seed in ("5", "6"))
    assert one["events"] != other["events"]
    assert one["score"]["recall"] == 1.0
    assert one["score"]["incidents"][0]["name"] == "out"
    assert {slo["name"]: len(slo["groups"]) for slo in one["slos"]} == {"errs": 1, "lat": 2}


def test_reports_for_people_say_what_was_caught(folder: Path):
    text = report(folder, "report.md")
    assert text.startswith("# Simulation of small <test>")
    assert "| out |" in text
    page = report(folder, "report.html")
    assert "small &lt;test&gt;" in page
    assert "<svg" in page
    assert "<td>out</td>" in page


def test_a_report_that_cannot_be_written_is_refused_before_the_run(folder: Path):
    for name, said in (("report.pdf", "is no format of a report"), ("nowhere/report.md", "there is no such folder")):
        result = run(folder / "scenario.yaml", "--report", folder / name)
        assert result.exit_code == 2
        assert said in result.output


def test_a_scenario_with_mistakes_gives_their_sentences(folder: Path):
    (folder / "bad.yaml").write_text(SCENARIO.replace("rate: 5", "rate: x").replace("share: 70%", "share: 7"))
    result = run(folder / "bad.yaml")
    assert result.exit_code != 0
    assert "bad.yaml:8: traffic.rate" in result.output
    assert "bad.yaml:12: slices[0].share" in result.output
