"""The dashboard: the shape that Grafana reads, queries that Prometheus parses, over series that exist."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from detectors.slo.export.grafana import dashboard
from detectors.slo.export.prometheus import prometheus_rules
from detectors.slo.parse import parse_slos
from tests.detectors.slo.documents import EVERY_KIND, EXAMPLE
from tests.detectors.slo.export.test_rules import check

SLOS = parse_slos([("a.yaml", EXAMPLE), ("b.yaml", EVERY_KIND)])
GAUGES = {"objective_ratio", "sli_ratio", "budget_remaining_ratio", "burn_rate", "state"}
DATASOURCE = {"const": {"type": "prometheus", "uid": "${datasource}"}}
TARGET = {
    "type": "object",
    "required": ["datasource", "expr", "legendFormat", "refId"],
    "properties": {
        "datasource": DATASOURCE,
        "expr": {"type": "string", "minLength": 1},
        "refId": {"pattern": "^[A-Z]+$"},
    },
}
POSITION = {
    "type": "object",
    "required": ["h", "w", "x", "y"],
    "additionalProperties": False,
    "properties": {
        "h": {"type": "integer", "minimum": 1}, "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "x": {"type": "integer", "minimum": 0, "maximum": 23}, "y": {"type": "integer", "minimum": 0},
    },
}  # fmt: skip
PANEL = {
    "type": "object",
    "required": ["id", "type", "title", "gridPos"],
    "properties": {"id": {"type": "integer", "minimum": 1}, "gridPos": POSITION},
    "if": {"properties": {"type": {"const": "row"}}},
    "then": {"required": ["collapsed", "panels"]},
    "else": {
        "required": ["datasource", "targets", "fieldConfig", "options"],
        "properties": {
            "type": {"enum": ["stat", "timeseries", "state-timeline"]}, "datasource": DATASOURCE,
            "targets": {"type": "array", "minItems": 1, "items": TARGET},
            "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
        },
    },
}  # fmt: skip
SHAPE = {
    "type": "object",
    "required": ["id", "uid", "title", "tags", "schemaVersion", "version", "panels", "templating", "time", "timezone"],
    "properties": {
        "id": {"type": "null"},
        "uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {"type": "array", "minItems": 1, "items": PANEL},
        "templating": {"type": "object", "required": ["list"]},
        "time": {"type": "object", "required": ["from", "to"]},
    },
}
"""What Grafana's dashboard schema asks of the parts that are used."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dashboard(SLOS))
    return found


def queries(document: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in document["panels"] for target in panel.get("targets", [])]


def test_it_has_grafana_s_shape(document: dict[str, Any]) -> None:
    jsonschema.validate(document, SHAPE)
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))
    for panel in document["panels"]:
        letters = [target["refId"] for target in panel.get("targets", [])]
        assert len(letters) == len(set(letters))


def test_panels_do_not_overlap_or_leave_the_grid(document: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in document["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = [one[at] + one[size] <= other[at] or other[at] + other[size] <= one[at] for at, size in ("xw", "yh")]
        assert any(apart), (one, other)


def test_the_data_source_and_the_slo_are_variables(document: dict[str, Any]) -> None:
    source, slo = document["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert (slo["name"], slo["type"]) == ("slo", "custom")
    assert slo["query"].split(",") == [one.name for one in SLOS.slos]
    assert [option["value"] for option in slo["options"] if option["selected"]] == ["chat-tail-latency"]
    assert all('slo="$slo"' in query for query in queries(document))


def test_every_query_reads_series_that_exist(document: dict[str, Any]) -> None:
    rules = yaml.safe_load(prometheus_rules(SLOS))
    recorded = {rule["record"] for group in rules["groups"] for rule in group["rules"] if "record" in rule}
    known = recorded | {f"tailwatch_slo_{name}" for name in GAUGES} | {"ALERTS"}
    for query in queries(document):
        assert set(re.findall(r"([a-zA-Z_:][\w:]*)\{", query)) <= known, query
    read = " ".join(queries(document))
    assert all(name in read for name in recorded if name.startswith("slo:sli_error") and not name.endswith("30d"))


def test_every_query_is_promql(tmp_path: Path, document: dict[str, Any]) -> None:
    rules = [
        {"record": f"panel:query:{place}", "expr": query.replace("$slo", "a")}
        for place, query in enumerate(queries(document))
    ]
    check(tmp_path, yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))


def test_titles_say_sli_budget_burn_and_alerts(document: dict[str, Any]) -> None:
    titles = {panel["title"] for panel in document["panels"]}
    assert {"SLI", "Budget remaining", "Burn by window", "Alerts"} <= titles


def test_the_same_slos_give_the_same_text_and_others_another_identity() -> None:
    assert dashboard(SLOS) == dashboard(SLOS)
    other = json.loads(dashboard(parse_slos([("a.yaml", EXAMPLE)])))
    assert other["uid"] != json.loads(dashboard(SLOS))["uid"]
