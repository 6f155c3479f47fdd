"""Lint: alerts that cannot fire and things that are probably not meant, at their line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.slo.lint import lint
from detectors.slo.parse import parse_slos
from detectors.slo.spec import SloSet
from tests.detectors.slo.documents import EXAMPLE


def found(body: str, runbooks: list[str] | None = None) -> list[str]:
    slos = parse_slos([("slos.yaml", f"version: 1\nslos:\n  - {{name: a, service: chat, {body}}}\n")])
    return [f"{problem.severity} {problem.field} {problem.message}" for problem in lint(slos, runbooks)]


def test_the_example_is_clean():
    assert lint(parse_slos([("slos.yaml", EXAMPLE)]), ["tail-latency"]) == []


def test_a_page_that_a_90_percent_objective_can_never_fire():
    problems = found("sli: {errors: {}}, objective: 90%")
    assert problems == ["error a.alert the page at 14.4x over 1h can never fire: 0.9 burns at most 10x"]


def test_a_factor_just_below_the_highest_burn_can_fire():
    alert = "alert: [{severity: page, long: 1h, factor: 9.99}]"
    assert found(f"sli: {{errors: {{}}}}, objective: 90%, {alert}") == []
    assert "never fire" in found(f"sli: {{errors: {{}}}}, objective: 90%, {alert.replace('9.99', '10')}")[0]


def test_an_objective_out_of_range_in_a_model_made_by_hand():
    (slo,) = parse_slos([("slos.yaml", EXAMPLE)]).slos
    (problem,) = lint(SloSet((replace(slo, objective=1.0),)))
    assert (problem.severity, problem.line, problem.field) == ("error", 11, "chat-tail-latency.objective")


def test_an_unknown_runbook_with_a_suggestion():
    slos = parse_slos([("slos.yaml", EXAMPLE)])
    (problem,) = lint(slos, ["tail-spike", "tail-latencies"])
    assert (problem.line, problem.remedy) == (14, "did you mean tail-latencies?")
    assert lint(slos, None) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("sli: {errors: {}}, objective: 1%", "warning a.objective allows 99.0000% of everything to be bad"),
        ("sli: {errors: {}}, objective: 99.9999%", "warning a.objective allows only 1e-06"),
        ("sli: {errors: {}}, objective: 99%, alert: none", "warning a.alert nothing is alerted"),
        ("sli: {errors: {}}, objective: 99%, alert: {policy: page-only, gate: off}", "the gate is off"),
        (
            "sli: {errors: {}}, objective: 99%, window: 1d, alert: [{severity: page, long: 2d, factor: 2}]",
            "the page at 2x over 2d looks further back than the SLO's window",
        ),
        (
            "sli: {errors: {}}, objective: 99%, alert: [{severity: page, long: 1h, factor: 0.2}]",
            "fires while the budget lasts twice over",
        ),
        (
            "sli: {errors: {}}, objective: 99%, alert: [" + 2 * "{severity: page, long: 1h, factor: 2}, " + "]",
            "error a.alert two alerts of severity page look back over 1h",
        ),
        ("sli: {errors: {}}, objective: 99%, where: ['service=\"x\"']", 'error a.where[0] service="x" contradicts'),
        ("sli: {errors: {}}, objective: 99%, where: ['error_type!=\"\"']", "chooses events by their error"),
        ("sli: {errors: {}}, objective: 99%, where: ['operaton=\"chat\"']", "operaton is no canonical field"),
        ("sli: {errors: {}}, objective: 99%, per: [modell]", "modell is no canonical field"),
        ("sli: {errors: {}}, objective: 99%, per: [user]", "user makes a budget for each of very many values"),
        ("sli: {latency: {measure: ttft, below: 2000}}, objective: 99%", "2000 s is a long time for ttft"),
        ("sli: {latency: {measure: ttft, below: 0.00001}}, objective: 99%", "1e-05 s is hardly measurable"),
        ("sli: {cost: {measure: request, below: 50}}, objective: 99%", "50 US dollars is much"),
        (
            "sli: {quantile: {measure: ttft, quantile: p99, below: 1s, min_events: 10}}, objective: 99%",
            "10 events do not reach into the tail",
        ),
        (
            "sli: {quantile: {measure: ttft, quantile: p50, below: 1s}}, objective: 99%, window: 1h",
            "a window of 60 slices allows less than one bad slice",
        ),
        ("sli: {drift: {fields: [model], alpha: 0.05}}, objective: 95%", "alpha 0.05 alone takes most of the 0.05"),
        (
            "sli: {drift: {fields: [model], reference: {window: 1m}}}, objective: 95%",
            "60 s holds fewer than three slices",
        ),
        (
            "sli: {drift: {fields: [model], reference: {first: 10}}}, objective: 95%",
            "error a.sli.drift.reference 10 events are fewer than the 30",
        ),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant(body, expected):
    assert any(expected in problem for problem in found(body)), found(body)


def test_two_slos_that_say_the_same():
    slo = "{name: NAME, service: chat, sli: {errors: {}}, objective: 99%}"
    text = f"version: 1\nslos: [{slo.replace('NAME', 'a')}, {slo.replace('NAME', 'b')}]\n"
    (problem,) = lint(parse_slos([("slos.yaml", text)]))
    assert (problem.severity, problem.message) == ("warning", "says the same as a")
