"""Strict mode takes what the specification says; lenient mode also what the specification's examples do."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from detectors.slo.lint import lint
from detectors.slo.openslo.read import read_openslo
from detectors.slo.spec import SloSet
from tests.detectors.slo.openslo.written import FOREIGN, OURS, document, read, slo

EXAMPLES = Path(__file__).parents[4] / "examples" / "openslo"
SHORT_POLICY = "{alertWhenBreaching: true, conditions: [{conditionRef: c}], notificationTargets: [{targetRef: t}]}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (slo(objectives="[{target: 0.9, op: gt}]"), "op: belongs to a thresholdMetric only"),
        (slo(objectives="[{target: 0.9, op: gt, value: 1}]"), "value: belongs to a thresholdMetric only"),
        (slo(rest="  alertPolicies: [page-only]\n"), "text where a mapping is needed"),
        (slo(rest="  alertPolicies:\n"), "nothing where a list is needed"),
        (slo(OURS.replace("        counter: true\n", "")), "counter: is missing"),
        (slo(window="[{duration: 1d}]"), "isRolling: is missing"),
        (slo().replace("  budgetingMethod: Occurrences\n", ""), "budgetingMethod: is missing"),
        (slo(metadata="{name: MySlo}"), "'MySlo' is not a name as RFC 1123 has them"),
        (slo().replace("service: chat", "service: My chat"), "'My chat' is not a name"),
        (document("AlertPolicy", "p", SHORT_POLICY), "alertWhenNoData: is missing"),
        (document("DataSource", "d", "{type: Prometheus}"), "connectionDetails: is missing"),
        (document("Service", "s", ""), "nothing where a mapping is needed"),
    ],
)
def test_what_only_lenient_mode_takes(text: str, said: str) -> None:
    assert not read(text).errors
    assert said in "\n".join(str(problem) for problem in read(text, strict=True).errors)


@pytest.mark.parametrize("strict", [True, False])
def test_all_kinds_are_taken_to_the_letter(strict: bool) -> None:
    text = slo(FOREIGN)
    text += document("SLI", "i", "{description: x, thresholdMetric: {metricSource: {type: T, spec: {a: [1]}}}}")
    text += document("Service", "chat", "{description: x}")
    text += document("DataSource", "d", "{description: x, type: CloudWatch, connectionDetails: {a: {b: c}}}")
    text += document("AlertNotificationTarget", "t", "{description: x, target: email}")
    text += document(
        "AlertCondition", "c",
        "{description: x, severity: sev1, condition: {kind: burnrate, op: lte, threshold: 2, lookbackWindow: 1h, "
        "alertAfter: 5m}}",
    )  # fmt: skip
    text += document("AlertPolicy", "p", "{alertWhenNoData: true, alertWhenResolved: true, " + SHORT_POLICY[1:])
    found = read(text, strict)
    assert (found.errors, found.documents) == ((), 7)
    assert [warning.message.partition(":")[0] for warning in found.warnings] == ["valid, and not executable here"]


@pytest.mark.parametrize("strict", [True, False])
def test_long_descriptions_are_for_neither(strict: bool) -> None:
    assert not read(document("Service", "s", "{description: " + 1050 * "a" + "}"), strict).errors
    (error,) = read(document("Service", "s", "{description: " + 1051 * "a" + "}"), strict).errors
    assert "has 1051 characters" in error.message


def test_the_example_is_strict_and_executed() -> None:
    text = (EXAMPLES / "chat.yaml").read_text(encoding="utf-8")
    found = read_openslo([("chat.yaml", text)], strict=True)
    assert not found.errors
    assert [slo.name for slo in found.slos] == ["chat-answers.promised", "chat-answers.aspired", "chat-first-token"]
    assert all("alertAfter" in warning.field for warning in found.warnings)
    assert not lint(SloSet(found.slos))


def test_the_foreign_example_is_lenient_and_reported() -> None:
    text = (EXAMPLES / "elsewhere.yaml").read_text(encoding="utf-8")
    found = read_openslo([("elsewhere.yaml", text)])
    assert not found.errors
    assert ["not executable here" in warning.message for warning in found.warnings] == [True]
    assert len(read_openslo([("elsewhere.yaml", text)], strict=True).errors) == 3


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything within a YAML value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*at, key)
        yield from places(child, (*at, key))


@pytest.mark.parametrize("wrong", [None, 7, 10**30, "x", [], {"a": [1]}], ids=repr)
def test_whatever_stands_in_a_document_strict_mode_refuses_all_that_lenient_mode_does(wrong: Any) -> None:
    documents = list(yaml.safe_load_all((EXAMPLES / "chat.yaml").read_text(encoding="utf-8")))
    every = list(places(documents))
    for path in random.Random(4).sample(every, 10):
        changed = copy.deepcopy(documents)
        holder: Any = changed
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = wrong
        text = yaml.safe_dump_all(changed)
        lenient, strict = read(text), read(text, strict=True)
        assert bool(strict.errors) >= bool(lenient.errors)
        assert len(lenient.slos) <= 3
