"""What incidents are called: what is wrong, where and how bad, without the SLO's name, and the same for as long."""

from __future__ import annotations

import pytest

from alerting.posted import read_posted
from alerting.titles import BECAUSE, LONGEST
from telemetry.findings import CAUSES
from tests.alerting.makers import T0, at, diagnosis, finding, set_up, undiagnosed

FAILING = {"complaint": "37 % of requests of input_type=code fail", "group": {"input_type": "code"}}


def title(alerting, *findings, diagnose=undiagnosed, seconds=0.0):
    alerting.apply(findings, diagnose, at(seconds))
    return alerting.incidents()[0]["title"]


@pytest.mark.parametrize(
    ("because", "called"),
    [
        (None, "chat: 37 % of requests of input_type=code fail"),
        (diagnosis("slice-errors", input_type="code"), "chat: 37 % of requests of input_type=code fail"),
        (
            diagnosis("slice-errors", tenant="acme", input_type="code"),
            "chat: 37 % of requests of input_type=code fail, most of them in one slice (tenant=acme)",
        ),
        (
            diagnosis("bad-release", model_version="v3"),
            "chat: 37 % of requests of input_type=code fail, with a new release (model_version=v3)",
        ),
        (diagnosis("error-burst"), "chat: 37 % of requests of input_type=code fail, in all of the traffic"),
    ],
)
def test_where_what_how_bad_and_why(lite, because, called):
    assert title(set_up(lite), finding(evidence=FAILING), diagnose=lambda _: because) == called


def test_it_stays_while_the_share_changes_and_tickets_join(lite):
    alerting = set_up(lite)
    first = title(alerting, finding(evidence=FAILING))
    worse = finding(evidence={**FAILING, "complaint": "all requests of input_type=code fail"})
    assert title(alerting, worse, finding(slo="cost", severity="ticket", since=20), seconds=30) == first
    assert len(alerting.incidents()[0]["alerts"]) == 2


def test_every_cause_has_words_and_no_title_is_too_long(lite):
    assert BECAUSE.keys() == CAUSES.keys()
    long = {"complaint": "x" * 500}
    assert len(title(set_up(lite), finding(evidence=long))) == LONGEST


def test_what_others_post_keeps_its_name(lite):
    labels = {"slo": "", "service": "db"}
    assert title(set_up(lite), finding("DiskFull", **labels)) == "DiskFull: DiskFull of"


def test_the_timeline_tells_alerts_of_one_name_apart(lite):
    alerting = set_up(lite)
    code = finding(slo="a", input_type="code", window="6h", evidence=FAILING)
    posted = finding("DiskFull", slo="", service="chat")
    alerting.apply([code, posted], undiagnosed, at(0))
    for tick in range(1, 3):
        alerting.apply([], undiagnosed, at(60 * tick))
    said = [event["text"] for event in alerting.incident("INC-1")["timeline"] if event["kind"] == "ended"]
    assert sorted(said) == ["DiskFull of chat has ended", "errors-burn of a (input_type=code, window=6h) has ended"]


def test_a_posted_alert_that_only_fires_is_named_once(lite):
    alert = read_posted({"labels": {"alertname": "GPUHot"}}, T0)
    assert title(set_up(lite), alert.finding()) == "GPUHot fires"
