"""What shipped runbooks name exists: commands with their options, addresses, files, settings, pages and gauges."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from fastapi.routing import APIRoute

from alerting.config_models import AlertingModel
from alerting.runbooks.library import SHIPPED
from detectors.slo import keys
from detectors.slo.kinds.registry import KINDS
from tailwatch.api import health, metrics, status
from tailwatch.settings import Settings
from telemetry.metric_names import KNOWN_METRICS
from telemetry.rules import SERIES_MEASURES
from telemetry.schema import FIELDS
from tests.docs.pages import DOCS, ROOT, read
from tests.docs.test_pages import parsed

RUNBOOKS = sorted(SHIPPED.glob("*.md"))
PROGRAMS = ("amtool ", "curl ", "df ", "dmesg", "nvidia-smi", "top")
"""Of others; tests of amtool drive it for real."""
SAID_BY_OTHERS = {
    "Retry-After", "out of memory", "Out of memory: Killed process", "SW Power Cap", "HW Slowdown", "ERR!",
}  # fmt: skip
ADDRESSES = {
    route.path
    for router in (health.router, metrics.router, status.router)
    for route in router.routes
    if isinstance(route, APIRoute)
}
SETTINGS = {*Settings.model_fields, *AlertingModel.model_fields, *(key.name for key in keys.SLO_KEYS)} | {
    key.name for kind in KINDS.values() for key in kind.keys
}
PAGES = set(re.findall(r'url_path="(\w+)"', read(ROOT / "dashboard" / "app.py")))


def spans(page: Path) -> list[str]:
    """Everything in a runbook that is set as code."""
    return re.findall(r"`([^`]+)`", read(page))


def exists(code: str) -> bool:
    """Whether something set as code is known: to Tailwatch, or as another's."""
    if code.startswith("tailwatch "):
        parsed([word.strip("<>") for word in shlex.split(re.sub(r"\{\{.*?\}\}", "x", code))[1:]])
        return True
    if code.startswith("/"):
        return code in ADDRESSES
    address = re.search(r"http://TAILWATCH:4318(/\S*)", code)
    if address is not None and not code.startswith("amtool"):
        return address[1] in ADDRESSES
    if code in SAID_BY_OTHERS or code.startswith(PROGRAMS):
        return True
    if (ROOT / code).is_file() or (SHIPPED / f"{code}.md").is_file():
        return True
    attributes = {name for field in FIELDS for name in (field.name, *field.sources)}
    names = {*SETTINGS, *KINDS, *SERIES_MEASURES, *attributes, "last_evaluation"}
    return re.split(r"[:=]", code)[0] in names or code in read(ROOT / "sdk" / "tailwatch_sdk" / "delivery.py")


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_what_is_set_as_code_exists(page: Path) -> None:
    unknown = []
    for code in spans(page):
        try:
            unknown += [] if exists(code) else [code]
        except click.UsageError as error:
            unknown.append(f"{code}: {error.format_message()}")
    assert unknown == []


@pytest.mark.parametrize("code", ["tailwatch alerts quiet", "/api/v1/nothing", "docs/none.md", "no_such_setting: 3"])
def test_what_does_not_exist_would_be_found(code: str) -> None:
    try:
        assert not exists(code)
    except click.UsageError:
        assert code.startswith("tailwatch ")


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_links_lead_to_pages_and_gauges_are_known(page: Path) -> None:
    text = read(page)
    assert set(re.findall(r'page\("[^"]*", "(\w+)"', text)) <= PAGES
    roles = {metric.role for metric in KNOWN_METRICS.values() if metric.kind == "gauge"}
    assert set(re.findall(r'live\("gauge", "(\w+)"', text)) <= roles
    gauges = re.findall(r"gauge: (\w+)", text)
    assert set(gauges) <= KNOWN_METRICS.keys()


def test_the_runbooks_that_documents_name_are_there() -> None:
    assert set(re.findall(r"tailwatch runbook render ([a-z-]+)", "".join(map(read, DOCS.glob("*.md"))))) <= {
        page.stem for page in RUNBOOKS
    }
