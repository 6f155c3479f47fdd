"""YAML in the pages is read by the parsers that users' files meet, and the signature recipe verifies what is sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from alerting.config import AlertingConfig
from alerting.receivers.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from alerting.runbooks.library import read_runbook
from alerting.runbooks.rendering import first_step, render
from collector.price_file import parse_prices
from collector.scrape.targets import load_targets, parse_targets
from detectors.slo.lint import lint
from detectors.slo.openslo.read import read_openslo
from detectors.slo.parse import parse_slos
from tailwatch.backtest.incidents_file import read_incidents
from tailwatch.settings import Settings, load_settings
from tailwatch.simulation.reading import load_scenario
from tests.docs.example import notification
from tests.docs.pages import DOCS, ROOT, Block, blocks, read

RECIPE = next(block for block in blocks("python") if "def is_genuine" in block.text)


def kind_of(block: Block) -> str:
    document = yaml.safe_load(block.text)
    if "apiVersion" in document:
        return "openslo"
    if "prices" in document and "version" in document:
        return "prices"
    if "jobs" in document:
        return "targets"
    if "traffic" in document:
        return "scenario"
    if "incidents" in document:
        return "incidents"
    return "slos" if "version" in document else "settings"


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if kind_of(block) == "slos"], ids=str)
def test_slo_files_are_read_without_errors_or_warnings(block: Block) -> None:
    slos = parse_slos([("slos.yaml", block.text)])
    assert len(slos)
    allowed = "the gate is off"
    problems = [str(problem) for problem in lint(slos, runbooks=None) if allowed not in problem.message]
    assert not problems


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(block.text, id=str(block)) for block in blocks("yaml") if kind_of(block) == "slos"),
        *(
            pytest.param(path.read_text(encoding="utf-8"), id=path.name)
            for path in sorted((ROOT / "examples").rglob("*.yaml"))
            if path.parent.name != "simulation" and "\nslos:\n  -" in path.read_text(encoding="utf-8")
        ),
    ],
)
def test_the_published_schema_accepts_what_people_copy(text: str) -> None:
    schema = json.loads((DOCS / "slo.schema.json").read_text(encoding="utf-8"))
    assert [fault.message for fault in Draft202012Validator(schema).iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if kind_of(block) == "openslo"], ids=str)
def test_openslo_documents_are_strict_and_executed(block: Block) -> None:
    found = read_openslo([("openslo.yaml", block.text)], strict=True)
    assert (len(found.slos), found.problems) == (1, ())


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if kind_of(block) == "prices"], ids=str)
def test_price_files_are_read(block: Block) -> None:
    assert parse_prices(block.text, "prices.yaml").table.prices


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if kind_of(block) == "settings"], ids=str)
def test_configuration_files_are_read(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TAILWATCH_{name.upper()}", raising=False)
    path = tmp_path / "tailwatch.yaml"
    path.write_text(block.text, encoding="utf-8")
    alerting = load_settings(path).alerting
    assert (alerting != AlertingConfig()) is ("alerting" in yaml.safe_load(block.text))
    assert bool(alerting.receivers) == (alerting.route is not None)


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if kind_of(block) == "targets"], ids=str)
def test_scrape_files_are_read(block: Block) -> None:
    assert parse_targets(block.text, "scrape.yaml", {"VLLM_AUTHORIZATION": "x"})


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if kind_of(block) == "scenario"], ids=str)
def test_scenarios_are_read(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(block.text, encoding="utf-8")
    assert load_scenario(path).disturbances


def test_labelled_incidents_are_read_and_both_formats_say_the_same(tmp_path: Path) -> None:
    (listed,) = (block.text for block in blocks("yaml") if kind_of(block) == "incidents")
    (table,) = (block.text for block in blocks("text") if block.text.startswith("start, end, name"))
    found = []
    for name, text in (("incidents.yaml", listed), ("incidents.csv", table)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        found.append([(one.start_ns, one.end_ns, one.slo, one.labels) for one in read_incidents(tmp_path / name)])
    assert len(found[0]) == 2
    assert found[0] == found[1]


def test_the_example_of_a_scrape_file_is_read_and_needs_no_secret() -> None:
    targets = load_targets(ROOT / "examples" / "scrape.yaml", {})
    assert {target.job for target in targets} == {"vllm", "triton", "dcgm"}


def test_every_kind_of_file_has_an_example() -> None:
    kinds = {"openslo", "slos", "prices", "settings", "targets", "scenario", "incidents"}
    assert {kind_of(block) for block in blocks("yaml")} == kinds


@pytest.fixture
def is_genuine() -> Callable[[dict[str, str], bytes, str], bool]:
    """The recipe of docs/alerting.md, run as it stands there."""
    names: dict[str, Any] = {}
    exec(compile(RECIPE.text, str(RECIPE), "exec"), names)  # the page's own text
    found: Callable[[dict[str, str], bytes, str], bool] = names["is_genuine"]
    return found


def headers(secret: str, body: bytes, age_s: int = 0) -> dict[str, str]:
    timestamp = str(int(time.time()) - age_s)
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret, timestamp, body)}


def test_the_recipe_accepts_what_tailwatch_signs(is_genuine: Callable[..., bool]) -> None:
    body = '{"status":"firing","ü":1}\n'.encode()
    assert is_genuine(headers("s3cret", body), body, "s3cret")


def test_the_recipe_refuses_everything_else(is_genuine: Callable[..., bool]) -> None:
    body = b"{}"
    assert not is_genuine(headers("s3cret", body), b"{ }", "s3cret")
    assert not is_genuine(headers("s3cret", body), body, "other")
    assert not is_genuine(headers("s3cret", body, age_s=3600), body, "s3cret")
    assert not is_genuine({}, body, "s3cret")
    assert not is_genuine({TIMESTAMP_HEADER: "²", SIGNATURE_HEADER: "ü"}, body, "s3cret")


def test_the_runbook_example_is_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "slice-errors.md"
    path.write_text(next(block for block in blocks("markdown")).text, encoding="utf-8")
    told = notification()
    text = render(read_runbook(path), told.incident, told.evidence, told.external_url)
    assert "could not be filled in" not in text
    assert "input\\_type = `code`" in text
    assert first_step(text).startswith("Roll `chat` back")


def test_the_example_is_what_the_page_says_of_it() -> None:
    told = notification()
    assert [alert["state"] for alert in told.incident["alerts"]] == ["firing", "suppressed"]
    assert told.incident["cause"] in read(DOCS / "alerting.md")
