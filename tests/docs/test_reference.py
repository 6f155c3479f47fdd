"""Tables of keys, fields and settings name exactly what the code reads, with its defaults."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from alerting import config_access_models, config_receiver_models
from alerting.config_models import AlertingModel, RouteModel
from alerting.config_strict import Strict
from alerting.hooks.models import HookModel
from alerting.routing import GroupTiming
from alerting.runbooks.library import RunbookLibrary
from alerting.runbooks.questions import QUESTIONS
from alerting.runbooks.rendering import _ENVIRONMENT, _context
from detectors.slo import keys, schema
from detectors.slo.kinds.registry import KINDS
from detectors.slo.policy import NO_ALERT, POLICY_NAMES
from detectors.slo.states import State
from storage.compaction import FOLDS
from tailwatch.cli.settings import show
from tailwatch.settings import Settings
from telemetry.findings import CAUSES
from telemetry.windows import format_duration, parse_duration
from tests.docs.example import notification
from tests.docs.pages import DOCS, PAGES, ROOT, read

SLO_PAGE, ALERTING_PAGE, TELEMETRY_PAGE = (read(DOCS / f"{name}.md") for name in ("slo", "alerting", "telemetry"))


def rows(page: str, first_cell: str) -> list[list[str]]:
    """The cells of the table whose header begins with ``first_cell``."""
    lines = page.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {first_cell} |"))
    end = next(place for place in range(start, len(lines)) if not lines[place].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start + 2 : end]]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_settings_are_documented_with_their_defaults() -> None:
    table = rows(read(DOCS / "settings.md"), "key in tailwatch.yaml")
    assert [codes(row[0])[0] for row in table] == list(Settings.model_fields)
    for (_, variable, default, meaning), (name, field) in zip(table, Settings.model_fields.items(), strict=True):
        assert meaning == field.description
        assert variable == ("file only" if name == "alerting" else f"`TAILWATCH_{name.upper()}`")
        assert default.strip("`") == _default(name)


def _default(name: str) -> str:
    if name == "database_url":
        return "unset"
    shown = show(Settings.model_construct(), name)
    return "none" if shown in ("(none)", "(no receivers)") else shown


def test_the_published_schema_is_that_of_the_parser() -> None:
    assert json.loads((DOCS / "slo.schema.json").read_text(encoding="utf-8")) == schema.document()


def test_every_key_of_an_slo_is_documented() -> None:
    documented = {name for row in rows(SLO_PAGE, "key") for name in codes(row[0])}
    assert documented == {key.name for key in keys.SLO_KEYS}
    kinds = {codes(row[0])[0]: codes(row[1]) for row in rows(SLO_PAGE, "kind")}
    assert kinds.keys() == KINDS.keys()
    for kind, own in KINDS.items():
        assert {key.name for key in own.keys} <= set(kinds[kind]), kind


@pytest.mark.parametrize(
    "key", sorted({key.name for key in (*keys.ALERT_KEYS, *keys.PAIR_KEYS, *keys.SEQUENTIAL_KEYS)})
)
def test_every_key_of_an_alert_is_shown(key: str) -> None:
    assert re.search(rf"\b{key}\b", SLO_PAGE.partition("## Alerts")[2].partition("## States")[0])


def test_policies_and_states_are_documented() -> None:
    alerts = SLO_PAGE.partition("## Alerts")[2]
    assert {*POLICY_NAMES, NO_ALERT} <= set(codes(alerts))
    assert {codes(row[0])[0] for row in rows(SLO_PAGE, "state")} == set(State.__args__)  # type: ignore[attr-defined]


def _shown_default(value: Any) -> str:
    return format_duration(value) if isinstance(value, int) else ""


def test_keys_of_the_alerting_section_are_documented_with_their_defaults() -> None:
    table = {codes(row[0])[0]: row[1] for row in rows(ALERTING_PAGE, "key")}
    assert table.keys() == AlertingModel.model_fields.keys()
    for name, field in AlertingModel.model_fields.items():
        if isinstance(field.default, bool):
            assert table[name] == f"`{str(field.default).lower()}`", name
        elif isinstance(field.default, int):
            assert table[name] == f"`{_shown_default(field.default)}`", name


def test_keys_of_hooks_are_documented() -> None:
    page = (DOCS / "hooks.md").read_text(encoding="utf-8")
    table = rows(page, "key of a hook")
    documented = {name.partition(":")[0] for row in table for name in codes(f"{row[0]} {row[2]}")}
    assert HookModel.model_fields.keys() <= documented


def test_keys_of_a_route_are_documented_with_their_defaults() -> None:
    table = {codes(row[0])[0]: row[1] for row in rows(ALERTING_PAGE, "key of a route")}
    assert table.keys() == {field.alias or name for name, field in RouteModel.model_fields.items()}
    timing = GroupTiming()
    for name in ("group_wait", "group_interval", "repeat_interval"):
        assert table[name] == f"`{format_duration(getattr(timing, f'{name}_ns'))}`"


RECEIVER_MODELS = [
    model
    for module in (config_receiver_models, config_access_models)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, Strict) and model.__module__ == module.__name__
]


@pytest.mark.parametrize("model", RECEIVER_MODELS, ids=lambda model: model.__name__)
def test_keys_of_receivers_are_documented(model: Any) -> None:
    part = ALERTING_PAGE.partition("## Receivers and routes")[2].partition("**Routes**")[0]
    prose = "".join(part.split("```")[::2])
    documented = {name.partition(":")[0] for name in codes(prose)}
    assert {field.alias or name for name, field in model.model_fields.items()} <= documented


def test_every_cause_has_a_runbook() -> None:
    assert RunbookLibrary().names >= CAUSES.keys()


def test_every_question_of_live_steps_is_documented() -> None:
    assert {codes(row[0])[0] for row in rows(ALERTING_PAGE, "live step")} == QUESTIONS.keys()


def test_variables_and_filters_of_runbooks_are_documented() -> None:
    documented = {name.partition("(")[0] for row in rows(ALERTING_PAGE, "in a template") for name in codes(row[0])}
    told = notification()
    asks_for_all = read(ROOT / "alerting" / "runbooks" / "rendering.py")
    given = _context(asks_for_all, told.incident, told.evidence, told.external_url).keys()
    own_filters = {"code", "number", "percent", "seconds", "utc", "url_part"}
    assert own_filters <= _ENVIRONMENT.filters.keys()
    assert documented == {*given, "live", *own_filters}


def test_files_and_folders_that_the_architecture_names_exist() -> None:
    page = read(DOCS / "architecture.md")
    for row in rows(page, "folder"):
        assert (ROOT / codes(row[0])[0]).is_dir()


def test_the_architecture_states_the_ages_of_compaction() -> None:
    page = read(DOCS / "architecture.md")
    ages = [fold.age_ns for fold in FOLDS]
    assert ages == [parse_duration(age) for age in ("2m", "6h", "73h")]
    for text in ("after 2 min", "after 6 h", "after 73 h"):
        assert text in " ".join(page.split())


def test_metrics_that_the_pages_name_exist() -> None:
    sources = [ROOT / "tailwatch" / name for name in ("metrics.py",)] + [
        ROOT / "detectors" / "slo" / "export" / "names.py"
    ]
    source = "".join(path.read_text(encoding="utf-8") for path in sources)
    named = {name for page in DOCS.glob("*.md") for name in re.findall(r"`(tailwatch_[a-z_]+)`", read(page))}
    assert named - {"tailwatch_sdk"} <= set(re.findall(r'"(tailwatch_[a-z_]+)"', source))


def test_pages_do_not_name_a_place_on_the_machine_they_were_written_on() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|tmp|Users)/", read(page)), page.name
