from __future__ import annotations

import json
import math

import numpy as np
import pytest

from telemetry.columns import columns_of
from telemetry.deltas import group_key, group_labels
from telemetry.errors import OverloadedError, PayloadError, Problem, TailwatchError
from telemetry.findings import CAUSES, Finding, fingerprint
from telemetry.matchers import parse_matchers
from telemetry.rules import SERIES_MEASURES, SERIES_RULE, Below, NoError, Present, RollupRule, Throttled
from telemetry.schema import FIELD_BY_NAME, FIELDS, LOG_HOME, is_feature, is_log_home

BATCH = columns_of(
    "span",
    np.zeros(5, dtype=np.int64),
    strings={"error_type": [None, "timeout", "429", "overloaded", None], "feature.t": ["x", None, None, None, None]},
    numbers={"duration": [0.5, 1.0, 1.5, math.nan, 0.0], "feature.x": [math.nan, 1.0, math.nan, math.nan, math.nan]},
)


@pytest.mark.parametrize(
    ("throttled", "valid"), [("bad", [1, 1, 1, 1, 1]), ("ignore", [1, 1, 0, 0, 1]), ("separate", [1, 1, 0, 0, 1])]
)
def test_refused_requests_are_bad_or_no_events(throttled: Throttled, valid: list[int]) -> None:
    events, good = NoError(throttled).masks(BATCH)
    assert events.tolist() == [bool(value) for value in valid]
    assert (events & good).tolist() == [True, False, False, False, True]


def test_a_threshold_is_strict_and_a_missing_measure_no_event() -> None:
    events, good = Below("duration", 1.0).masks(BATCH)
    assert events.tolist() == [True, True, True, False, True]
    assert good.tolist() == [True, False, False, False, True]
    events, good = Below("queue", 1.0).masks(BATCH)
    assert not events.any()
    assert not good.any()


def test_any_present_field_makes_an_event() -> None:
    events, good = Present(("feature.x", "feature.t", "absent")).masks(BATCH)
    assert events.tolist() == good.tolist() == [True, True, False, False, False]


def test_a_rule_names_everything_it_reads() -> None:
    rule = RollupRule("r", parse_matchers(['a="1"', "b>2"]), ("c",), Below("d", 1), ("e",))
    assert rule.names == {"a", "b", "c", "d", "e"}
    assert NoError().names == {"error_type"}
    assert Present(("x", "y")).names == {"x", "y"}


def test_the_series_rule_speaks_of_canonical_fields() -> None:
    assert SERIES_RULE.names <= set(FIELD_BY_NAME)
    assert all(FIELD_BY_NAME[name].kind == "number" for name in SERIES_MEASURES)


def test_no_attribute_feeds_two_fields_of_the_same_kind() -> None:
    sources = [source for field in FIELDS for source in field.sources]
    assert len(sources) == len(set(sources))
    assert len(FIELD_BY_NAME) == len(FIELDS)


def test_what_logs_feed() -> None:
    assert is_feature("feature.x")
    assert not is_feature("features")
    assert all(is_log_home(name) for name in (*LOG_HOME, "feature.x"))
    assert not is_log_home("duration")
    assert set(FIELD_BY_NAME) >= LOG_HOME


def test_equal_groups_have_equal_keys() -> None:
    assert group_key({"b": "2", "a": "é"}) == group_key({"a": "é", "b": "2"}) == '{"a":"é","b":"2"}'
    for labels in ({}, {"a": ""}, {"a": 'x"\n\0y', "b": "=,"}):
        assert group_labels(group_key(labels)) == labels
        assert json.loads(group_key(labels)) == labels


def test_a_fingerprint_is_of_the_label_set() -> None:
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "1", "b": "2"}) != fingerprint({"a": "2", "b": "1"})
    assert fingerprint({"a": "1", "b": ""}) != fingerprint({"a": "1"})
    labels = {"alertname": "x", "slo": "s", "service": "c", "severity": "page"}
    assert Finding(labels, "page", 0, "text").fingerprint == fingerprint(labels)
    assert len(fingerprint({})) == 16


def test_every_cause_reads_as_a_sentence() -> None:
    assert all(text and text[0].isupper() and not text.endswith(".") for text in CAUSES.values())
    assert "unknown" in CAUSES


def test_an_error_says_where_what_and_the_remedy() -> None:
    assert str(TailwatchError("it broke.", where="a.yaml", remedy="mend it")) == "a.yaml: it broke. mend it"
    assert str(TailwatchError("it broke")) == "it broke"
    assert PayloadError("no", status=413).status == 413
    assert str(OverloadedError("full", retry_after_s=2.5)) == "full. retry after 2.5 s"
    assert str(Problem("f.yaml", 3, "a.b", "is wrong", "do this")) == "f.yaml:3: a.b: is wrong (do this)"
