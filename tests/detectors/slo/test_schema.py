"""The published JSON Schema: it is what the parser's keys say, and it accepts what the parser accepts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from detectors.slo.parse import parse_slos
from detectors.slo.schema import document, text
from telemetry.errors import FileProblemsError
from tests.detectors.slo.documents import EVERY_KIND, EXAMPLE

PUBLISHED = Path(__file__).parents[3] / "docs" / "slo.schema.json"
VALIDATOR = Draft202012Validator(document())


def parses(content: str) -> bool:
    try:
        parse_slos([("slos.yaml", content)])
    except FileProblemsError:
        return False
    return True


def test_the_published_schema_is_current():
    assert PUBLISHED.read_text(encoding="utf-8") == text(), "run python -m detectors.slo.schema > docs/slo.schema.json"


def test_the_schema_is_one():
    Draft202012Validator.check_schema(document())


@pytest.mark.parametrize("content", [EXAMPLE, EVERY_KIND])
def test_examples_validate(content):
    assert list(VALIDATOR.iter_errors(yaml.safe_load(content))) == []
    assert parses(content)


BAD = st.sampled_from(
    [
        None, True, 0, -1, 1.5, 101, "", "nonsense", "2 parsecs", "p0.5.5", [], [1], {}, {"a": 1}, ["x", "x"],
    ]
)  # fmt: skip
SEVERITY = st.sampled_from(["page", "ticket", "loud"])
DURATIONS = st.sampled_from(["30s", "5m", "1h30m", " 2h ", 90, 0.5, "5 m", "h", "-5m", 0, -1, True, None, "1h1"])
SHARES = st.sampled_from(["99.5%", 0.5, "7 %", 1, 0, 99, "0.5", "%", None, False])
FIELD_LISTS = st.sampled_from([["model"], ["model", "feature.x"], [], ["model", "model"], "model", [1]])
COUNTS = st.sampled_from([1, 500, 0, -3, 2.5, "12", "500 events", "0 events", None, True])
MEASURES = st.sampled_from(["duration", "ttft", "request", "per_1k_tokens", "speed", None])
PAIRS = st.fixed_dictionaries(
    {"severity": SEVERITY, "long": st.sampled_from(["1h", "soon"])},
    optional={"factor": st.sampled_from([2, 0, "2"]), "budget": SHARES, "extra": st.just(1)},
)
SEQUENTIAL = st.fixed_dictionaries({}, optional={"severity": SEVERITY, "arl": st.sampled_from(["30d", "never"])})
ALERTS = st.one_of(
    st.sampled_from(["page-and-ticket", "page-only", "ticket-only", "none", "so loud", None, [], {}]),
    st.lists(PAIRS | st.fixed_dictionaries({"sequential": SEQUENTIAL}), max_size=2),
    st.fixed_dictionaries(
        {},
        optional={
            "policy": st.sampled_from(["page-only", "none"]), "burn": st.lists(PAIRS, max_size=2),
            "sequential": SEQUENTIAL | st.sampled_from([False, True]), "gate": st.sampled_from([True, False, "on", 1]),
        },
    ),
)  # fmt: skip
SLIS = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"errors": st.sampled_from([None, {}, {"throttled": "ignore"}, {"throttled": "x"}, []])}
    ),
    st.fixed_dictionaries({"latency": st.fixed_dictionaries({"measure": MEASURES}, optional={"below": DURATIONS})}),
    st.fixed_dictionaries(
        {
            "cost": st.fixed_dictionaries(
                {"measure": MEASURES, "below": st.sampled_from([0.1, "$0.2", "$ 1", "0.2", 0, "$0", None])}
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "quantile": st.fixed_dictionaries(
                {
                    "measure": MEASURES, "below": DURATIONS,
                    "quantile": st.sampled_from(["p99", "p99.9", "95%", 0.5, "p", "99", 99, None]),
                },
                optional={"min_events": COUNTS},
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "drift": st.fixed_dictionaries(
                {"fields": FIELD_LISTS},
                optional={
                    "alpha": SHARES, "min_effect": st.sampled_from([0.1, 0, "x"]), "min_events": COUNTS,
                    "reference": st.sampled_from(
                        [{"window": "1h"}, {"first": 500}, {"first": "500 events"}, {}, {"first": 0}, {"last": 1}]
                    ),
                },
            )
        }
    ),
)  # fmt: skip
QUALITIES = st.fixed_dictionaries(
    {},
    optional={
        "require": FIELD_LISTS,
        "types": st.sampled_from([{"model": "text"}, {"model": "float"}, {}, ["model"], None]),
        "ranges": st.sampled_from(
            [{"a": [0, 1]}, {"a": [None, -1.5]}, {"a": [None, None]}, {"a": [1]}, {"a": ["x", 1]}, {"a": 1}, {}]
        ),
        "allowed": st.sampled_from([{"a": ["x", 1, True]}, {"a": []}, {"a": [None]}, {"a": [""]}, {"a": "x"}, {}]),
        "patterns": st.sampled_from([{"a": "[A-Z]"}, {"a": ""}, {"a": 1}, {}]),
        "max_length": st.sampled_from([{"a": 5}, {"a": 511}, {"a": 512}, {"a": 0}, {"a": 2.5}, {}]),
        "extra": st.just(1),
    },
)
WINDOWS = st.sampled_from(["30d", "soon", None, [], {}]) | st.fixed_dictionaries(
    {},
    optional={
        "calendar": st.sampled_from(["day", "month", "era", None, 1]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "", None, 1]), "start": st.just(1),
    },
)  # fmt: skip
SLICES = st.fixed_dictionaries({}, optional={"slice": st.sampled_from(["1m", "soon", 30, 0]), "target": SHARES})
BUDGETINGS = st.sampled_from(["occurrences", "ratio-timeslices", "timeslices", None, 1, [], {}]) | st.dictionaries(
    st.sampled_from(["timeslices", "ratio-timeslices", "occurrences"]), SLICES, max_size=2
)
SLOS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "a.b-c", "a b", "", 3]), "service": st.sampled_from(["chat", "", None])},
    optional={
        "sli": SLIS, "objective": SHARES, "alert": ALERTS, "owner": BAD, "description": BAD,
        "per": st.sampled_from([["model"], [], ["model", "model"], "model"]),
        "where": st.sampled_from([['a="b"'], [], [3], "a=b"]), "window": WINDOWS, "budgeting": BUDGETINGS,
        "labels": st.sampled_from([{}, {"team": "a"}, {"team": 1}, {"1": "a"}, []]), "extra": BAD,
    },
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.fixed_dictionaries({"version": st.sampled_from([1, 1, 1, 2, "1"]), "slos": st.lists(SLOS, max_size=1)}))
def test_schema_and_parser_agree(content):
    assert parses(yaml.safe_dump(content)) == VALIDATOR.is_valid(content)


@settings(max_examples=120, deadline=None)
@given(WINDOWS, BUDGETINGS)
def test_schema_and_parser_agree_on_windows_and_budgeting(window, budgeting):
    slo = {"name": "a", "service": "b", "objective": 0.9, "sli": {"errors": {}}}
    content = {"version": 1, "slos": [{**slo, "window": window, "budgeting": budgeting}]}
    assert parses(yaml.safe_dump(content)) == VALIDATOR.is_valid(content)


@settings(max_examples=120, deadline=None)
@given(SLIS, ALERTS)
def test_schema_and_parser_agree_on_slis_and_alerts(sli, alert):
    slo = {"name": "a", "service": "b", "objective": 0.9, "sli": sli, "alert": alert}
    content = {"version": 1, "slos": [slo]}
    assert parses(yaml.safe_dump(content)) == VALIDATOR.is_valid(content)


@settings(max_examples=300, deadline=None)
@given(QUALITIES)
def test_schema_and_parser_agree_on_quality(quality):
    content = {"version": 1, "slos": [{"name": "a", "service": "b", "objective": 0.9, "sli": {"quality": quality}}]}
    assert parses(yaml.safe_dump(content)) == VALIDATOR.is_valid(content)
