"""``tailwatch slo export`` as a person runs it: files, standard error and exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from tailwatch.cli.slo_export import export
from telemetry.errors import ConfigError, FileProblemsError
from tests.tailwatch.declared import AVAILABILITY, TAIL, slo_file


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(export, [str(word) for word in words])


def test_rules_go_to_standard_output_and_notes_to_standard_error(tmp_path: Path) -> None:
    done = run("--format", "prometheus", slo_file(tmp_path, AVAILABILITY))
    assert done.exit_code == 0
    groups = yaml.safe_load(done.stdout)["groups"]
    assert [(group["name"], group["interval"]) for group in groups] == [
        ("tailwatch-slo-availability", "30s"), ("tailwatch-slo-period-availability", "5m"),
    ]  # fmt: skip
    assert "the plain burn-rate rule: availability" in done.stderr
    assert "warning" not in done.stderr


@pytest.mark.parametrize(("more", "status"), [((), 0), (("--strict",), 1)])
def test_what_is_left_out_is_named_and_fails_only_when_strict(
    tmp_path: Path, more: tuple[str, ...], status: int
) -> None:
    output = tmp_path / "rules.yaml"
    done = run("--format", "prometheus", slo_file(tmp_path, AVAILABILITY, TAIL), "--output", output, *more)
    assert done.exit_code == status
    assert done.stdout == ""
    assert "warning: tail: SLO left out: its budget is for slices of time" in done.stderr
    assert 'slo="availability"' in output.read_text(encoding="utf-8")
    assert "tail" not in yaml.safe_load(output.read_text(encoding="utf-8"))["groups"][0]["name"].split("-")[2:]


def test_strict_is_content_with_what_can_be_expressed(tmp_path: Path) -> None:
    assert run("--format", "prometheus", slo_file(tmp_path, AVAILABILITY), "--strict").exit_code == 0


def test_the_dashboard_is_json(tmp_path: Path) -> None:
    done = run("--format", "grafana", slo_file(tmp_path, AVAILABILITY, TAIL))
    assert done.exit_code == 0
    assert json.loads(done.stdout)["title"] == "Tailwatch SLOs"


def test_intervals_are_durations_of_whole_seconds(tmp_path: Path) -> None:
    path = slo_file(tmp_path, AVAILABILITY)
    assert "interval: 1m\n" in run("--format", "prometheus", path, "--interval", "60s").stdout
    for wrong in ("soon", "1.5s", "0"):
        done = run("--format", "prometheus", path, "--scrape-interval", wrong)
        assert done.exit_code == 2
        assert "Traceback" not in done.stderr
    done = run("--format", "prometheus", path, "--scrape-interval", "2m")
    assert "alert over 1h left out" in done.stderr


def test_faults_are_errors_that_say_what_to_do(tmp_path: Path) -> None:
    missing = run("--format", "prometheus", tmp_path / "none.yaml")
    assert isinstance(missing.exception, ConfigError)
    broken = slo_file(tmp_path, "\n  - {name: a}\n")
    assert isinstance(run("--format", "prometheus", broken).exception, FileProblemsError)
    nowhere = run("--format", "grafana", slo_file(tmp_path, AVAILABILITY), "--output", tmp_path / "no" / "where.json")
    assert isinstance(nowhere.exception, ConfigError)
    assert "cannot be written: no such file or directory" in str(nowhere.exception)
