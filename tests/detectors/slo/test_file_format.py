"""What SLOs of a file share: its defaults, and the policies that any file declares for all."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from jsonschema import Draft202012Validator

from detectors.slo.parse import parse_slos
from detectors.slo.policy import named_policy
from detectors.slo.schema import document
from detectors.slo.spec import BurnPair, Sequential, SloSet
from telemetry.errors import FileProblemsError
from telemetry.windows import parse_duration as ns

VALIDATOR = Draft202012Validator(document())

DEFAULTS = """version: 1
defaults:
  service: chat
  owner: inference-team
  objective: 99.5%
  window: 7d
  alert: ticket-only
  runbook: tail-latency
  where: ['environment="prod"']
  per: [model]
  labels: {team: inference, tier: "1"}
slos:
  - name: plain
    sli: {errors: {}}
  - name: own
    service: search
    owner: search-team
    objective: 99%
    window: 28d
    alert: none
    runbook: errors
    where: ['operation="chat"']
    per: []
    labels: {tier: "2", area: search}
    sli: {errors: {}}
"""
POLICIES = """version: 1
policies:
  - name: business-hours
    source: agreed with the product team
    burn:
      - {severity: page, long: 1h, short: 5m, budget: 2%}
      - {severity: ticket, long: 3d, factor: 1}
    sequential: {severity: ticket, arl: 7d}
    gate: off
"""
USER = """version: 1
slos:
  - {name: a, service: chat, sli: {errors: {}}, objective: 99%, alert: business-hours, window: 15d}
  - {name: b, service: chat, sli: {errors: {}}, objective: 98%, alert: {policy: business-hours, gate: on}}
"""


def parse(*texts: str) -> SloSet:
    return parse_slos([(f"{number}.yaml", text) for number, text in enumerate(texts, start=1)])


def problems_of(*texts: str) -> list[str]:
    with pytest.raises(FileProblemsError) as caught:
        parse(*texts)
    return [str(problem) for problem in caught.value.problems]


def valid(text: str) -> bool:
    return VALIDATOR.is_valid(yaml.safe_load(text))


def test_defaults_stand_in_for_what_an_slo_lacks_and_give_way_to_what_it_says() -> None:
    plain, own = parse(DEFAULTS).slos
    assert (plain.service, plain.owner, plain.objective) == ("chat", "inference-team", 0.995)
    assert (plain.window_ns, plain.policy) == (ns("7d"), named_policy("ticket-only", ns("7d")))
    assert (plain.runbook, plain.per) == ("tail-latency", ("model",))
    assert plain.labels == {"team": "inference", "tier": "1"}
    assert [str(one) for one in plain.where.items] == ['environment="prod"']
    assert (own.service, own.owner, own.objective, own.window_ns) == ("search", "search-team", 0.99, ns("28d"))
    assert (own.policy.name, own.runbook, own.per) == ("none", "errors", ())
    assert own.labels == {"team": "inference", "tier": "2", "area": "search"}
    assert [str(one) for one in own.where.items] == ['environment="prod"', 'operation="chat"'], "conditions add up"
    assert valid(DEFAULTS)


def test_a_default_is_found_where_it_is_written() -> None:
    plain, own = parse(DEFAULTS).slos
    assert (plain.origin.line_of("window"), own.origin.line_of("window")) == (6, 19)


def test_defaults_hold_for_their_own_file_alone() -> None:
    assert "2.yaml:3: slos[0].service: is missing (add service:)" in problems_of(
        DEFAULTS, "version: 1\nslos:\n  - {name: b, sli: {errors: {}}, objective: 99%}\n"
    )


def test_a_fault_in_the_defaults_is_told_once_however_many_slos_take_it() -> None:
    text = (
        DEFAULTS.replace("99.5%", "995%").replace("window: 7d", "window: soon").replace("ticket-only", "tickets-only")
    )
    slos = "".join(f"  - {{name: s{number}, sli: {{errors: {{}}}}}}\n" for number in range(3))
    found = problems_of(text.partition("slos:")[0] + "slos:\n" + slos)
    assert [one.partition(": ")[0] for one in found] == ["1.yaml:5", "1.yaml:6", "1.yaml:7"]
    assert "did you mean ticket-only?" in found[2]


def test_a_fault_in_defaults_that_no_slo_takes_is_told_too() -> None:
    assert len(problems_of("version: 1\ndefaults: {objective: 7, name: a, labels: {slo: x}}\nslos: []\n")) == 3


def test_a_declared_policy_serves_every_file_and_scales_to_each_window() -> None:
    first, second = parse(USER, POLICIES).slos
    page = BurnPair("page", ns("1h"), ns("5m"), 7.2)
    assert first.policy.name == "business-hours"
    assert first.policy.pairs == (page, BurnPair("ticket", ns("3d"), ns("6h"), 1.0))
    assert (first.policy.sequential, first.policy.gate) == (Sequential("ticket", ns("7d")), False)
    assert second.policy.pairs[0] == replace(page, factor=14.4)
    assert second.policy.gate
    assert valid(USER)
    assert valid(POLICIES)


def test_an_unknown_policy_has_a_suggestion() -> None:
    assert (
        "did you mean business-hours?"
        in problems_of(USER.replace("alert: business-hours", "alert: busines-hours"), POLICIES)[0]
    )
    assert "did you mean business-hours?" in problems_of(USER.replace("{policy: b", "{policy: bb"), POLICIES)[0]


def test_policies_have_names_of_their_own() -> None:
    taken = POLICIES.replace("business-hours", "page-only")
    assert problems_of(POLICIES, POLICIES, taken) == [
        "2.yaml:3: policies[0].name: is the name of the policy at 1.yaml:3 (choose another name)",
        "3.yaml:3: policies[0].name: page-only is a policy that there is already (choose another name)",
    ]


def test_every_fault_of_a_policy_is_told_once_where_it_is_written() -> None:
    broken = (
        POLICIES.replace("budget: 2%", "budget: 200%").replace("arl: 7d", "arl: 7s").replace("gate: off", "gate: maybe")
    )
    assert [one.partition(": ")[0] for one in problems_of(USER, broken)] == ["2.yaml:6", "2.yaml:8", "2.yaml:9"]
    assert problems_of("version: 1\npolicies:\n  - {name: quiet}\n") == [
        "1.yaml:3: policies[0]: alerts nothing (list burn pairs, or add sequential)"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\nslos:\n  - {name: a\n", "this is not YAML"),
        ("version: 1\nslos:\n\t- name: a\n", "this is not YAML"),
        ("version: 1\nslos: []\n---\nversion: 1\nslos: []\n", "the file holds a second document"),
        ("version: 1\nslos: *unknown\n", "check the names of anchors"),
        ("version: 1\nslos: " + "[" * 4000, "nests too deeply"),
        ("version: 1\nslos: &a [*a]\n", "a list where a mapping is needed"),
        ("version: 1\nversion: 1\nslos: []\n", "repeats the key of line 1"),
        ("version: 1\nx: &x {a: 1}\nslos:\n  - {<<: *x, name: a}\n", "use defaults:"),
        ("version: 1\nslos: []\n\x00", "this is not YAML"),
        ("- a\n", "a list where a mapping is needed"),
        ("just text", "text where a mapping is needed"),
        ("version: 1\n", "add slos:, or policies:"),
        ("? {a: b}\n: 1\n", "unknown key"),
    ],
)
def test_a_broken_file_is_told_and_hides_no_error_of_another(text: str, expected: str) -> None:
    other = USER.replace("business-hours", "page-only").replace("99%", "990%")
    found = problems_of(text, other)
    assert any(one.startswith("1.yaml") and expected in one for one in found), found
    (fault,) = [one for one in found if one.startswith("2.yaml")]
    assert fault.startswith("2.yaml:3: slos[0].objective: 990% is not between 0 and 1")
    assert fault.endswith("(write a share such as 99.5%)")


def test_anchors_and_aliases_are_plain_yaml() -> None:
    text = "version: 1\nslos:\n  - {name: a, service: &s chat, sli: &e {errors: {}}, objective: &o 99%}\n"
    first, second = parse(text + "  - {name: b, service: *s, sli: *e, objective: *o}\n").slos
    assert replace(second, name="a", origin=first.origin) == first
