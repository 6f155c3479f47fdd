"""Compiled rules: what is counted, under an id that changes with the meaning and with nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from detectors.slo.compile import beside_rule_id, compile_rules, rule_id
from detectors.slo.kinds.latency import Latency
from detectors.slo.parse import parse_slos
from detectors.slo.spec import Policy, Slo
from telemetry.columns import columns_of
from telemetry.matchers import parse_matchers
from telemetry.rules import Below, NoError, Present
from tests.detectors.slo.documents import EVERY_KIND, EXAMPLE


def example() -> Slo:
    return parse_slos([("slos.yaml", EXAMPLE)]).slos[0]


def test_the_id_is_the_name_and_eight_hex_digits_and_never_changes():
    assert re.fullmatch(r"chat-tail-latency@[0-9a-f]{8}", rule_id(example()))
    # Stored counts are found by this id: whoever changes the digest orphans every user's history.
    assert rule_id(example()) == "chat-tail-latency@e385f1cd"


@pytest.mark.parametrize(
    "change",
    [
        {"description": "other"}, {"owner": "other"}, {"runbook": "other"}, {"labels": {"team": "other"}},
        {"policy": Policy("none")}, {"objective": 0.9}, {"window_ns": 1}, {"per": ("input_type", "model_version")},
        {"where": parse_matchers(["tokens_in<=8000", 'operation=~"chat|completion"', 'environment="prod"'])},
    ],
)  # fmt: skip
def test_what_does_not_change_the_meaning(change):
    assert rule_id(replace(example(), **change)) == rule_id(example())


@pytest.mark.parametrize(
    "change",
    [
        {"service": "other"}, {"per": ("model_version",)}, {"sli": Latency("duration", 3.0)},
        {"sli": Latency("ttft", 2.0)}, {"where": parse_matchers(['environment="prod"'])}, {"name": "other"},
    ],
)  # fmt: skip
def test_what_changes_the_meaning(change):
    assert rule_id(replace(example(), **change)) != rule_id(example())


def test_each_kind_becomes_its_rule():
    slos = parse_slos([("slos.yaml", EVERY_KIND)])
    rules = {slo.name: compile_rules(slo) for slo in slos.slos}
    assert rules["errors"][0].good == NoError("bad")
    assert rules["cost"][0].good == Below("cost_per_1k_tokens", 0.002)
    assert (rules["first-token"][0].good, rules["first-token"][0].distributions) == (Present(("ttft",)), ("ttft",))
    assert rules["inputs"][0].distributions == ("tokens_in", "feature.length")
    assert [len(found) for found in rules.values()] == [1, 2, 1, 1, 1, 1]


def test_service_is_a_condition():
    (rule,) = compile_rules(example())
    columns = columns_of(
        "span", np.zeros(2, dtype=np.int64),
        strings={"service": ["chat", "other"], "environment": ["prod"] * 2, "operation": ["chat"] * 2},
        numbers={"tokens_in": [10, 10]},
    )  # fmt: skip
    assert rule.where.mask(columns).tolist() == [True, False]


def test_refused_requests_are_counted_apart():
    slo = parse_slos([("slos.yaml", EVERY_KIND)]).slos[1]
    main, refused = compile_rules(slo)
    columns = columns_of(
        "span", np.zeros(3, dtype=np.int64),
        strings={"service": ["chat"] * 3, "error_type": ["429", "timeout", None]},
    )  # fmt: skip
    valid, good = main.good.masks(columns)
    assert (valid.tolist(), (valid & good).tolist()) == ([False, True, True], [False, False, True])
    assert refused.id == beside_rule_id(slo)
    assert refused.where.mask(columns).tolist() == [True, False, False]
