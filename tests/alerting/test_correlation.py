"""The five things that make alerts one incident, each alone, and each when it does not hold."""

from __future__ import annotations

import pytest

from alerting.correlation import related_services
from tests.alerting.makers import at, diagnosis, finding, parse, set_up

CALLS = {"gateway": ("chat", "search"), "chat": ("retrieval",)}


def incidents(database, first, second, *, because=None, window_s=None, **settings):
    """How many incidents two alerts make, of which each fires at its onset."""
    alerting = set_up(database, **settings)
    causes = because or {}

    def diagnose(found):
        return causes.get(found.labels["slo"])

    alerting.apply([first], diagnose, first.since_ns)
    alerting.apply([first, second], diagnose, max(first.since_ns, second.since_ns))
    return len(alerting.incidents())


@pytest.mark.parametrize(("service", "number"), [("chat", 1), ("search", 2)])
def test_service(lite, service, number):
    assert incidents(lite, finding(slo="a"), finding(slo="b", service=service, since=10)) == number


@pytest.mark.parametrize(("since", "number"), [(0, 1), (300, 1), (301, 2)])
def test_time(lite, since, number):
    assert incidents(lite, finding(slo="a"), finding(slo="b", since=since)) == number


@pytest.mark.parametrize(("cause", "number"), [("bad-release", 1), ("tail-spike", 2), ("unknown", 2)])
def test_cause(lite, cause, number):
    because = {"a": diagnosis("bad-release"), "b": diagnosis(cause)}
    assert incidents(lite, finding(slo="a"), finding(slo="b", service="search"), because=because) == number


@pytest.mark.parametrize(
    ("where", "number"),
    [({"tenant": "acme"}, 1), ({"tenant": "globex"}, 2), ({}, 1), ({"model": "m", "tenant": "acme"}, 1)],
)
def test_slice(lite, where, number):
    because = {"a": diagnosis("slice-errors", tenant="acme"), "b": diagnosis("slice-errors", **where)}
    assert incidents(lite, finding(slo="a"), finding(slo="b", service="search"), because=because) == number


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [
        ("chat", "gateway", 1),
        ("gateway", "retrieval", 1),
        ("retrieval", "gateway", 1),
        ("chat", "search", 2),
        ("chat", "billing", 2),
    ],
)
def test_upstream(lite, one, other, number):
    first, second = finding(slo="a", service=one), finding(slo="b", service=other, since=20)
    assert incidents(lite, first, second, depends_on=CALLS) == number


def test_upstream_needs_the_time_and_gives_way_to_a_cause_that_is_another(lite):
    late = finding(slo="b", service="gateway", since=301)
    assert incidents(lite, finding(slo="a"), late, depends_on=CALLS) == 2


def test_an_incident_is_of_every_service_that_it_has_an_alert_of(lite):
    alerting = set_up(lite, depends_on=CALLS)
    every = [
        finding(slo="a", service="retrieval"),
        finding(slo="b", service="chat", since=20),
        finding(slo="c", service="gateway", since=40),
        finding(slo="d", service="search", since=60),
    ]
    for last in range(1, 5):
        alerting.apply(every[:last], lambda _: None, at(20 * last))
    assert len(alerting.incidents()) == 1, "search calls nobody, but the gateway that is in it calls search"


def test_services_that_call_each_other_in_a_ring_are_all_related():
    assert related_services({"a": ("b",), "b": ("c",), "c": ("a",)}) == {
        "a": {"b", "c"}, "b": {"a", "c"}, "c": {"a", "b"},
    }  # fmt: skip
    assert related_services({}) == {}


def test_the_configuration_says_who_calls_whom():
    assert parse({"depends_on": {"gateway": ["chat"]}}).depends_on == {"gateway": ("chat",)}
