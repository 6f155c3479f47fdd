"""Alert policies of OpenSLO become burn pairs, and what does not is a warning that says why."""

from __future__ import annotations

import pytest

from detectors.slo.policy import named_policy
from detectors.slo.spec import BurnPair
from telemetry.windows import parse_duration
from tests.detectors.slo.openslo.written import OURS, compiled, document, read, said, slo

HOUR_NS = parse_duration("1h")
SWITCHES = "alertWhenNoData: false, alertWhenResolved: true, alertWhenBreaching: true"


def inline(condition: str, severity: str = "page", switches: str = SWITCHES, targets: str = "[{targetRef: t}]") -> str:
    """An SLO whose one alert policy is written in place."""
    whole = f"{{kind: burnrate, {condition}}}"
    return slo(
        rest=f"""\
  alertPolicies:
    - kind: AlertPolicy
      metadata: {{name: p}}
      spec:
        {switches.replace(", ", chr(10) + "        ")}
        conditions:
          - kind: AlertCondition
            metadata: {{name: c}}
            spec: {{severity: {severity}, condition: {whole}}}
        notificationTargets: {targets}
"""
    ) + document("AlertNotificationTarget", "t", "{target: slack}")


def test_a_burn_over_one_window() -> None:
    text = inline("op: gt, threshold: 14.4, lookbackWindow: 1h")
    assert compiled(text).policy.pairs == (BurnPair("page", HOUR_NS, HOUR_NS, 14.4),)
    assert compiled(text).policy.gate
    assert not said(text)


def test_at_least_is_above_the_number_before() -> None:
    (pair,) = compiled(inline("op: gte, threshold: 2, lookbackWindow: 1h, alertAfter: 0m")).policy.pairs
    assert pair.factor < 2.0
    assert f"{pair.factor:g}" == "2"


def test_a_wait_becomes_the_short_window_and_says_so() -> None:
    text = inline("op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 5m")
    assert compiled(text).policy.pairs == (BurnPair("page", HOUR_NS, HOUR_NS // 12, 2.0),)
    (warning,) = said(text)
    assert "condition.alertAfter: the burn over the last 5m is compared too; nothing waits that long" in warning
    longer = inline("op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 2h")
    assert compiled(longer).policy.pairs == (BurnPair("page", HOUR_NS, HOUR_NS, 2.0),)
    assert "is longer than lookbackWindow" in said(longer)[0]


@pytest.mark.parametrize(
    ("condition", "warning"),
    [
        ("op: lte, threshold: 2, lookbackWindow: 1h", "lte alerts while the budget burns slowly"),
        ("op: lt, threshold: 2, lookbackWindow: 1h", "lt alerts while the budget burns slowly"),
        ("op: gt, threshold: 0, lookbackWindow: 1h", "a burn is above 0 with the first bad event"),
    ],
)
def test_what_burn_windows_cannot_represent_alerts_nothing(condition: str, warning: str) -> None:
    assert compiled(inline(condition)).policy.pairs == ()
    assert warning in said(inline(condition))[0]


@pytest.mark.parametrize(
    ("stated", "severity", "warned"),
    [("page", "page", False), ("ticket", "ticket", False), ("sev1", "page", True), ("Warning", "ticket", True),
     ("somebody-look", "page", True)],
)  # fmt: skip
def test_severities(stated: str, severity: str, warned: bool) -> None:
    text = inline("op: gt, threshold: 2, lookbackWindow: 1h", stated)
    assert compiled(text).policy.pairs[0].severity == severity
    assert len(said(text)) == warned


def test_switches() -> None:
    silent = inline("op: gt, threshold: 2, lookbackWindow: 1h", switches="alertWhenBreaching: false")
    assert compiled(silent).policy.pairs == ()
    assert "this policy alerts nothing here" in said(silent)[0]
    no_data = inline("op: gt, threshold: 2, lookbackWindow: 1h", switches="alertWhenNoData: true")
    assert "alertWhenNoData: is not executed here" in said(no_data)[0]
    assert len(compiled(no_data).policy.pairs) == 1


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("op: gt, threshold: 2", "condition.lookbackWindow: is missing"),
        ("op: gt, lookbackWindow: 1h", "condition.threshold: is missing"),
        ("threshold: 2, lookbackWindow: 1h", "condition.op: is missing"),
        ("op: gt, threshold: 2, lookbackWindow: 60s", "'60s' is not a duration of OpenSLO"),
        ("op: gt, threshold: 2, lookbackWindow: 1h, for: 5m", "condition.for: unknown key"),
    ],
)
def test_conditions_that_are_none(condition: str, expected: str) -> None:
    assert expected in "\n".join(str(problem) for problem in read(inline(condition)).errors)


def test_references() -> None:
    text = slo(rest="  alertPolicies: [{alertPolicyRef: p}, {alertPolicyRef: q}]\n")
    text += document("AlertPolicy", "p", "{conditions: [{conditionRef: c}], notificationTargets: [{targetRef: t}]}")
    text += document("AlertPolicy", "q", "{conditions: [{conditionRef: c}], notificationTargets: [{targetRef: u}]}")
    text += document("AlertCondition", "c", "{severity: page, condition: {op: gt, threshold: 2, lookbackWindow: 1h}}")
    text += document("AlertNotificationTarget", "t", "{target: slack}")
    found = compiled(text)
    assert found.policy.pairs == (BurnPair("page", HOUR_NS, HOUR_NS, 2.0),)
    assert found.labels == {"notification_targets": "t,u"}
    (warning,) = said(text)
    assert "document 3 (AlertPolicy q): spec.notificationTargets[0].targetRef: the given files define no" in warning


def test_an_undefined_policy_is_a_warning_and_alerts_nothing() -> None:
    text = slo(rest="  alertPolicies: [{alertPolicyRef: pager}]\n")
    assert compiled(text).policy.pairs == ()
    assert "the given files define no AlertPolicy 'pager'" in said(text)[0]


@pytest.mark.parametrize("written", ["{alertPolicyRef: page-and-ticket}", "page-and-ticket"])
def test_a_shipped_policy_goes_by_its_name_and_scales(written: str) -> None:
    found = compiled(slo(rest=f"  alertPolicies: [{written}]\n"))
    shipped = named_policy("page-and-ticket", found.window_ns)
    assert (found.policy.pairs, found.policy.sequential) == (shipped.pairs, shipped.sequential)


def test_a_policy_of_the_files_comes_before_a_shipped_one() -> None:
    text = slo(rest="  alertPolicies: [page-only]\n")
    text += document("AlertPolicy", "page-only", "{conditions: [{conditionRef: c}]}")
    text += document("AlertCondition", "c", "{severity: ticket, condition: {op: gt, threshold: 2, lookbackWindow: 1h}}")
    assert [pair.severity for pair in compiled(text).policy.pairs] == ["ticket"]


def test_one_condition_a_policy() -> None:
    text = document("AlertPolicy", "p", "{conditions: [{conditionRef: a}, {conditionRef: b}]}")
    assert "has 2 conditions, and the specification allows one" in said(text)[0]
    assert "is an empty list" in said(document("AlertPolicy", "p", "{conditions: []}"))[0]


def test_problems_of_what_two_slos_share_are_said_once() -> None:
    two = slo(rest="  alertPolicies: [p]\n") + "---\n" + slo(OURS, rest="  alertPolicies: [p]\n", metadata="{name: b}")
    two += document("AlertPolicy", "p", "{conditions: [{conditionRef: c}]}")
    two += document("AlertCondition", "c", "{severity: p1, condition: {op: gt, threshold: 2, lookbackWindow: 1h}}")
    assert [sentence for sentence in said(two) if "is executed as page" in sentence] == said(two)
    assert len(said(two)) == 1


def test_what_a_policy_that_no_slo_has_refers_to_is_looked_for_all_the_same() -> None:
    policy = f"{{{SWITCHES}, conditions: [{{conditionRef: fast-bum}}], notificationTargets: [{{targetRef: nobody}}]}}"
    condition = "{severity: page, condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h}}"
    found = said(document("AlertPolicy", "p", policy) + document("AlertCondition", "fast-burn", condition))
    assert len(found) == 2
    assert "define no AlertCondition 'fast-bum' (did you mean fast-burn?)" in found[0]
    assert "define no AlertNotificationTarget 'nobody'" in found[1]
