"""Inhibition: who is kept quiet by whom, as Alertmanager has it, and that a ring still tells somebody."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.inhibition import InhibitRule, inhibitors
from alerting.state import AlertTiming
from telemetry.matchers import parse_matchers
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder, finding, run, set_up

PAGE_OVER_TICKET = InhibitRule(
    parse_matchers(["severity=page"]), parse_matchers(["severity=ticket"]), equal=("service",)
)


def test_a_source_keeps_targets_quiet_that_agree_with_it():
    active = {
        "p": {"severity": "page", "service": "chat"},
        "t": {"severity": "ticket", "service": "chat"},
        "u": {"severity": "ticket", "service": "search"},
    }
    assert inhibitors([PAGE_OVER_TICKET], active) == {"t": "p"}


def test_two_that_lack_a_label_agree_on_it():
    active = {"p": {"severity": "page"}, "t": {"severity": "ticket"}, "u": {"severity": "ticket", "service": "x"}}
    assert inhibitors([PAGE_OVER_TICKET], active) == {"t": "p"}


def test_what_is_source_and_target_is_not_inhibited_by_its_like():
    everything = InhibitRule(parse_matchers(["service=chat"]), parse_matchers(["service=chat"]))
    active = {"a": {"service": "chat"}, "b": {"service": "chat"}}
    assert inhibitors([everything], active) == {}


def test_a_ring_lets_the_most_important_through():
    rules = [
        InhibitRule(parse_matchers(["n=a"]), parse_matchers(["n=b"])),
        InhibitRule(parse_matchers(["n=b"]), parse_matchers(["n=c"])),
        InhibitRule(parse_matchers(["n=c"]), parse_matchers(["n=a"])),
    ]
    active = {name: {"n": name} for name in "abc"}
    assert inhibitors(rules, active) == {"b": "a", "c": "b"}


def naive(rules, active):
    """Whether somebody could inhibit each alert, pair by pair."""
    found = set()
    for rule, target, source in itertools.product(rules, active, active):
        labels, other = active[target], active[source]
        both = rule.source.accepts(labels) and rule.target.accepts(other)
        agree = all(labels.get(name, "") == other.get(name, "") for name in rule.equal)
        if target != source and rule.target.accepts(labels) and rule.source.accepts(other) and agree and not both:
            found.add(target)
    return found


_LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xyz"), max_size=2)
_RULES = st.builds(
    lambda source, target, equal: InhibitRule(parse_matchers(source), parse_matchers(target), tuple(equal)),
    st.lists(st.sampled_from(["a=x", "b=x", "a=~x|y", "b!=z"]), min_size=1, max_size=2),
    st.lists(st.sampled_from(["a=y", "b=y", "a=~y|z", "b!=x"]), min_size=1, max_size=2),
    st.lists(st.sampled_from("ab"), max_size=1),
)


@given(st.lists(_RULES, max_size=3), st.lists(_LABELS, max_size=7))
def test_all_but_rings_are_as_pair_by_pair(rules, labels):
    active = {str(place): one for place, one in enumerate(labels)}
    found = inhibitors(rules, active)
    possible = naive(rules, active)
    assert found.keys() <= possible
    for spared in possible - found.keys():
        # Whoever is spared although it could be inhibited closes a ring: one that it keeps quiet itself could do it.
        assert spared in found.values()
    for start in found:
        seen, place = set(), start
        while place in found:
            assert place not in seen, "a ring tells nobody"
            seen.add(place)
            place = found[place]


@pytest.fixture
def told(lite):
    oncall = Recorder("oncall")
    rule = InhibitRule(parse_matchers(["slo=gateway"]), parse_matchers(["slo!=gateway"]), equal=("service",))
    return oncall, set_up(lite, oncall, inhibit_rules=(rule,))


GATEWAY, CHAT = finding(slo="gateway"), finding(slo="chat-errors")


def test_an_inhibited_page_is_not_told_and_counts_to_the_incident_of_its_source(told):
    oncall, alerting = told
    run(alerting, [GATEWAY, CHAT], 0, 60)
    assert [alert["labels"]["slo"] for heard in oncall.heard for alert in heard.alerts] == ["gateway"]
    states = {alert["labels"]["slo"]: (alert["state"], alert["incident"]) for alert in alerting.alerts()}
    assert states == {"gateway": ("firing", "INC-1"), "chat-errors": ("suppressed", "INC-1")}


def test_it_is_told_once_its_source_has_ended(told):
    oncall, alerting = told
    run(alerting, [GATEWAY, CHAT], 0, 60)
    run(alerting, [CHAT], 60, 600)
    assert {alert["labels"]["slo"] for alert in oncall.heard[-1].alerts} >= {"chat-errors"}
    assert next(one for one in alerting.alerts() if one["labels"]["slo"] == "chat-errors")["state"] == "firing"


def test_a_source_that_comes_later_quiets_what_fires_already(told):
    oncall, alerting = told
    run(alerting, [CHAT], 0, 60)
    run(alerting, [GATEWAY, CHAT], 60, 120)
    states = {alert["labels"]["slo"]: alert["state"] for alert in alerting.alerts()}
    assert states == {"gateway": "firing", "chat-errors": "suppressed"}
    run(alerting, [], 120, 400)
    assert oncall.reasons[-1] == "resolved"
    assert alerting.alerts() == []


def test_a_pending_source_keeps_nobody_quiet(lite):
    oncall = Recorder("oncall")
    rule = InhibitRule(parse_matchers(["slo=gateway"]), parse_matchers(["slo=chat-errors"]))
    alerting = set_up(lite, oncall, inhibit_rules=(rule,), timing=AlertTiming(pending_for_ns=30 * NANOS))
    run(alerting, [CHAT], 0, 20)
    run(alerting, [GATEWAY, CHAT], 20, 40)
    assert {alert["labels"]["slo"]: alert["state"] for alert in alerting.alerts()} == {
        "gateway": "pending", "chat-errors": "firing",
    }  # fmt: skip
    run(alerting, [GATEWAY, CHAT], 40, 60)
    assert {alert["labels"]["slo"]: alert["state"] for alert in alerting.alerts()} == {
        "gateway": "firing", "chat-errors": "suppressed",
    }  # fmt: skip
