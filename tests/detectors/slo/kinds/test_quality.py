"""Quality SLOs: what is written is what is asked of a record, and what cannot be asked is said."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.slo.compile import compile_rules, rule_id
from detectors.slo.engine import Engine
from detectors.slo.kinds.quality import Quality
from detectors.slo.lint import lint
from detectors.slo.parse import parse_slos
from detectors.slo.spec import SloSet
from telemetry.columns import columns_of
from telemetry.conformance import Conforms, FieldCheck
from telemetry.errors import FileProblemsError
from telemetry.windows import NANOS

FULL = """
    require: [tokens_out, feature.age]
    types: {feature.age: number}
    ranges: {feature.age: [0, 130], tokens_out: [1, null]}
    allowed: {finish_reason: [stop, length, 8, true]}
    patterns: {feature.code: "[A-Z]{2}"}
    max_length: {feature.code: 2}
"""


def document(quality: str) -> str:
    return f"version: 1\nslos:\n- name: conform\n  service: chat\n  objective: 90%\n  sli:\n   quality: {quality}\n"


def parsed(quality: str) -> SloSet:
    return parse_slos([("slos.yaml", document(quality))])


def test_what_is_written_is_what_is_asked() -> None:
    (slo,) = parsed(FULL).slos
    checks = (
        FieldCheck("feature.age", "number", 0.0, 130.0),
        FieldCheck("feature.code", pattern="[A-Z]{2}", max_length=2),
        FieldCheck("finish_reason", allowed=("8", "length", "stop", "true")),
        FieldCheck("tokens_out", low=1.0),
    )
    assert slo.sli == Quality(("feature.age", "tokens_out"), checks)
    assert compile_rules(slo)[0].good == Conforms(("feature.age", "tokens_out"), checks)


def test_the_order_of_fields_is_no_part_of_the_meaning() -> None:
    one = parsed("{require: [a.x, b.y], allowed: {c.z: [p, q], d.w: [r]}}").slos[0]
    other = parsed("{allowed: {d.w: [r], c.z: [q, p]}, require: [b.y, a.x]}").slos[0]
    assert rule_id(one) == rule_id(other)


@pytest.mark.parametrize(
    ("quality", "message"),
    [
        ("{require: []}", "names no field"),
        ("{ranges: {}}", "names no field"),
        ("{ranges: {tokens_out: [5, 1]}}", "nothing is between 5 and 1"),
        ("{ranges: {tokens_out: [1]}}", "is not a least and a most"),
        ("{ranges: {tokens_out: [null, null]}}", "is not a least and a most"),
        ("{ranges: {tokens_out: [one, .inf]}}", "'one' is not a number"),
        ("{types: {tokens_out: float}}", "'float' is not a choice"),
        ("{allowed: {finish_reason: []}}", "allows nothing"),
        ('{patterns: {finish_reason: "["}}', "is not a regular expression"),
        ("{max_length: {finish_reason: 512}}", "texts are kept to 512 characters"),
        ("{needs: [tokens_out]}", "unknown key"),
    ],
)
def test_what_cannot_be_asked_is_said(quality: str, message: str) -> None:
    with pytest.raises(FileProblemsError) as caught:
        parsed(quality)
    assert message in "; ".join(problem.message for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("quality", "severity", "message"),
    [
        ("{}", "error", "asks nothing of a record"),
        ("{types: {finish_reason: number}}", "error", "finish_reason is read as text and is never number"),
        ("{types: {tokens_out: number}}", "warning", "tokens_out is always read as number"),
        ("{require: [tokens_out, feature.age]}", "warning", "a call is judged twice"),
    ],
)
def test_lint_says_what_cannot_be_meant(quality: str, severity: str, message: str) -> None:
    problems = [problem for problem in lint(parsed(quality)) if problem.severity == severity]
    assert message in "; ".join(problem.message for problem in problems)


def test_calls_are_counted_and_the_finding_says_which_fields() -> None:
    slos = parsed("{require: [tokens_out], allowed: {finish_reason: [stop]}}")
    n = 200
    batch = columns_of(
        "span",
        np.arange(n, dtype=np.int64) * NANOS,
        strings={"service": ["chat"] * n, "finish_reason": ["stop" if i % 4 else "error" for i in range(n)]},
        numbers={"tokens_out": [math.nan if i % 5 == 0 else 7.0 for i in range(n)]},
    )
    engine = Engine(slos)
    deltas = roll_up(batch, compile_rules(slos.slos[0]), CardinalityGuard(), 0)
    engine.ingest_sli(deltas.sli)
    evaluation = engine.step((n + 30) * NANOS)
    (group,) = evaluation.statuses[0].groups
    assert (group.good, group.total) == (sum(1 for i in range(n) if i % 4 and i % 5), n)
    assert group.detail["finish_reason"] == {"allowed": ("stop",)}
    assert "records do not conform in finish_reason, tokens_out" in evaluation.findings[0].summary
