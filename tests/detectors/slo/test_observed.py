"""Lint against observed traffic says what cannot be borne out, once, and is silent about what can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detectors.slo.observed import Observed, lint_observed
from detectors.slo.parse import parse_slos
from detectors.slo.spec import Slo
from telemetry.windows import NANOS

WEEK_NS = 7 * 86400 * NANOS
FINE = Observed(
    span_ns=WEEK_NS, services=["chat", "search"], of_service=700_000, groups={"{}": (696_000, 700_000)},
    lowest=0.01, highest=3.5, p99=0.4,
)  # fmt: skip


def slo_of(more: str = "", sli: str = "{latency: {measure: duration, below: 2s}}", objective: str = "99%") -> Slo:
    text = f"version: 1\nslos:\n  - name: a\n    service: chat\n    sli: {sli}\n    objective: {objective}\n{more}"
    return parse_slos([("slos.yaml", text)]).slos[0]


def findings(slo: Slo, seen: Observed, limit: int = 2000) -> list[str]:
    return [f"{one.severity} {one}" for one in lint_observed(slo, seen, limit)]


def only(slo: Slo, seen: Observed, limit: int = 2000) -> str:
    """The finding, of which there is one."""
    (found,) = findings(slo, seen, limit)
    return found


def quiet(events: int, **more: Any) -> Observed:
    return replace(FINE, of_service=events, groups={"{}": (events, events)}, **more)


def test_what_fits_the_traffic_is_let_pass() -> None:
    assert findings(slo_of(), FINE) == []
    assert findings(slo_of("    alert: none\n"), quiet(150)) == []


def test_a_service_that_sends_nothing_is_told_alone_with_the_one_that_is_probably_meant() -> None:
    seen = Observed(WEEK_NS, ["chatt", "search"], 0, (0,))
    assert only(slo_of("    where: ['model=\"m\"']\n"), seen) == (
        "warning slos.yaml:4: a.service: chat sent nothing in the last 7d (did you mean chatt?)"
    )
    assert "there are no services that did" in only(slo_of(), Observed(3600 * NANOS, [], 0))


def test_a_condition_that_matches_nothing_names_what_it_missed() -> None:
    slo = slo_of("    where: ['operation=\"Chat\"', 'region=\"eu\"', 'model=~\"gpt.*\"', 'tier=\"gold\"']\n")
    values = {"operation": ["embeddings", "chat"], "model": ["llama", "qwen"], "tier": ["gold"]}
    seen = replace(FINE, groups={}, matching=(0, 0, 0, 12), values=values)
    first, second, third = findings(slo, seen)
    assert 'slos.yaml:7: a.where[0]: operation="Chat" matches none of 700000 records' in first
    assert 'did you mean operation="chat"?' in first
    assert "no record of the service has region" in second
    assert "values of model: llama, qwen" in third


def test_a_field_that_no_record_has_makes_no_groups() -> None:
    found = only(slo_of("    per: [model, tenant]\n"), replace(FINE, having={"model": 5}))
    assert "slos.yaml:7: a.per[1]: no record of chat in the last 7d has tenant" in found


@pytest.mark.parametrize(("groups", "expected"), [(200, None), (170, "170 groups"), (150, None)])
def test_groups_near_and_beyond_the_limit(groups: int, expected: str | None) -> None:
    slo = slo_of("    per: [model]\n    alert: none\n", objective="90%")
    seen = replace(FINE, having={"model": 5}, groups={f"g{i}": (960, 1000) for i in range(groups)})
    found = " ".join(one for one in findings(slo, seen, 200) if "a.per" in one)
    if groups == 200:
        assert "more than 200 groups" in found
    else:
        assert (expected in found) if expected else not found


def test_a_threshold_beyond_everything_observed() -> None:
    assert only(slo_of(sli="{latency: {measure: duration, below: 30s}}"), FINE) == (
        "warning slos.yaml:5: a.sli.latency.below: the p99 of duration in the last 7d was 0.4 s, and the highest 3.5 s:"
        " a threshold of 30 s is never reached (something like 0.5 s would notice a change)"
    )
    assert findings(slo_of(sli="{latency: {measure: duration, below: 6s}}"), FINE) == []


def test_a_threshold_below_everything_observed() -> None:
    bad = replace(FINE, groups={"{}": (0, 700_000)})
    found = findings(slo_of(sli="{latency: {measure: duration, below: 5ms}}"), bad)
    assert "a.sli.latency.below: the lowest duration in the last 7d was 0.01 s: every event is bad" in found[0]


def test_a_budget_of_less_than_one_event_names_what_the_traffic_supports() -> None:
    found = findings(slo_of("    alert: none\n", objective="99.9%"), quiet(84))
    assert found == [
        (
            "warning slos.yaml:6: a.objective: at the traffic in the last 7d, about 360 events a window, the budget is"
            " 0.36 events: a single bad one spends more than all of it (it takes an objective of 99.5 % or a window of"
            " 84d)"
        )
    ]
    grouped = replace(quiet(84), groups={'{"model":"a"}': (80, 80), '{"model":"b"}': (4, 4)}, having={"model": 9})
    (told,) = findings(slo_of("    per: [model]\n    alert: none\n"), grouped)
    assert 'about 17 events a window of the group {"model":"b"}' in told
    assert "fewer groups" in told


def test_a_page_that_too_little_traffic_keeps_from_firing() -> None:
    slo = slo_of("    alert: page-only\n", objective="90%")
    hourly = 7 * 24 * 2
    found = [one for one in findings(slo_of("    alert: page-only\n"), quiet(hourly)) if "a.alert" in one]
    assert "at 2 events in 1h, the page at 14.4x cannot fire" in found[0]
    assert not [one for one in findings(slo, quiet(hourly * 2)) if "cannot fire" in one]
    ungated = slo_of("    alert: {policy: page-only, gate: off}\n")
    assert not [one for one in findings(ungated, quiet(hourly)) if "a.alert" in one]


def test_a_quiet_service_is_told_what_it_can_and_cannot_know() -> None:
    """Three failures in a row at ten requests an hour; and of a busy one there is nothing to say."""
    (found,) = [one for one in findings(slo_of(objective="99.9%"), quiet(7 * 24 * 10)) if "is noticed" in one]
    assert found.startswith(
        "suggestion slos.yaml:3: a.alert: at 10 events an hour, an outage is noticed after 18 min on"
    )
    assert "the least that is noticed is within 1h 30 % errors, within 6h 8.33 % errors" in found
    assert not [one for one in findings(slo_of(objective="99.9%"), quiet(7 * 24 * 2000)) if "is noticed" in one]


def test_an_objective_that_history_supports() -> None:
    strict, loose = slo_of(objective="99.9%"), slo_of(objective="90%")
    assert only(strict, FINE) == (
        "suggestion slos.yaml:6: a.objective: 99.4286 % of 700,000 events were good in the last 7d: the objective of"
        " 99.9 % was not met (history supports 99 %)"
    )
    assert "history supports 99 %" in only(loose, FINE)
    few = replace(FINE, groups={"{}": (50, 99)})
    assert not [one for one in findings(slo_of("    alert: none\n"), few) if one.startswith("suggestion")]


def test_conditions_that_exclude_each_other_are_told() -> None:
    slo = slo_of("    where: ['operation=\"chat\"', 'model=\"m\"']\n")
    found = only(slo, replace(FINE, groups={}, matching=(5, 5)))
    assert "none of 700000 records of chat in the last 7d is an event of this SLO" in found
