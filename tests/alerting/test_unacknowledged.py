"""What happens when nobody takes an incident on, or only later: escalations and snoozes."""

from __future__ import annotations

import pytest

from alerting.routing import Escalation, Route
from telemetry.errors import ConfigError, ConflictError
from telemetry.matchers import parse_matchers
from tests.alerting.makers import Recorder, at, finding, parse, run, set_up

PAGES = parse_matchers(["severity=page"])


@pytest.fixture
def told(lite):
    oncall, lead = Recorder("oncall"), Recorder("lead")
    escalations = (Escalation("lead", 900 * 10**9, PAGES),)
    return oncall, lead, set_up(lite, oncall, lead, route=Route("oncall"), escalations=escalations)


def test_a_page_that_nobody_takes_reaches_the_next_and_so_does_its_end(told):
    oncall, lead, alerting = told
    run(alerting, [finding()], 0, 890)
    assert (oncall.reasons, lead.reasons) == (["opened"], [])
    run(alerting, [finding()], 900, 910)
    assert lead.reasons == ["opened"]
    run(alerting, [], 910, 1100)
    assert (oncall.reasons, lead.reasons) == (["opened", "resolved"], ["opened", "resolved"])
    said = [
        (event["text"], event["at"]) for event in alerting.incident("INC-1")["timeline"] if event["kind"] == "escalated"
    ]
    assert said == [("Nobody has acknowledged it: lead/recorder is told too", at(900) / 1e9)]


def test_one_that_somebody_has_taken_does_not(told):
    _oncall, lead, alerting = told
    run(alerting, [finding()], 0, 300)
    alerting.acknowledge("INC-1", "Ada", "", at(300))
    run(alerting, [finding()], 300, 3000, every=60)
    run(alerting, [], 3000, 3200)
    assert lead.reasons == []


def test_a_ticket_does_not(told):
    _oncall, lead, alerting = told
    run(alerting, [finding(severity="ticket")], 0, 3000, every=60)
    assert lead.reasons == []


def test_a_snooze_is_an_acknowledgement_until_it_is_over(told):
    oncall, lead, alerting = told
    run(alerting, [finding()], 0, 60)
    document = alerting.snooze("INC-1", "Ada", "after lunch", at(3600), at(60))
    assert (document["status"], document["snoozed_until"], document["acknowledged_by"]) == (
        "acknowledged", at(3600) / 1e9, "Ada",
    )  # fmt: skip
    run(alerting, [finding()], 60, 3600, every=60)
    assert (oncall.reasons, lead.reasons) == (["opened"], [])
    run(alerting, [finding()], 3600, 3640)
    assert oncall.reasons == ["opened", "reminder"]
    assert lead.reasons == ["opened"], "it has been open for long enough"
    document = alerting.incident("INC-1")
    assert document["status"] == "open"
    kinds = [(event["kind"], event["author"]) for event in document["timeline"]]
    assert kinds.index(("snoozed", "Ada")) < kinds.index(("woken", "tailwatch"))
    run(alerting, [finding()], 3640, 3700)
    assert oncall.reasons == ["opened", "reminder"], "woken once"


def test_what_ended_meanwhile_is_resolved_and_not_woken(told):
    oncall, _lead, alerting = told
    run(alerting, [finding()], 0, 60)
    alerting.snooze("INC-1", "Ada", "", at(3600), at(60))
    run(alerting, [], 60, 4000, every=60)
    assert oncall.reasons == ["opened", "resolved"]
    assert "woken" not in [event["kind"] for event in alerting.incident("INC-1")["timeline"]]


def test_who_acknowledges_a_snoozed_one_keeps_it(told):
    oncall, _lead, alerting = told
    run(alerting, [finding()], 0, 60)
    alerting.snooze("INC-1", "Ada", "", at(600), at(60))
    alerting.acknowledge("INC-1", "Bob", "", at(120))
    run(alerting, [finding()], 120, 2000, every=60)
    assert oncall.reasons == ["opened"]


def test_what_is_over_cannot_be_snoozed(told):
    _oncall, _lead, alerting = told
    run(alerting, [finding()], 0, 60)
    with pytest.raises(ConflictError, match="would be over already"):
        alerting.snooze("INC-1", "Ada", "", at(60), at(60))
    run(alerting, [], 60, 300)
    with pytest.raises(ConflictError, match="INC-1 is resolved"):
        alerting.snooze("INC-1", "Ada", "", at(900), at(300))


def test_the_configuration():
    receivers = [{"name": "a", "webhook": {"url": "http://127.0.0.1/x"}}]
    parsed = parse(
        {"receivers": receivers, "escalations": [{"receiver": "a", "after": "15m", "matchers": ["severity=page"]}]}
    )
    assert parsed.escalations == (Escalation("a", 900 * 10**9, PAGES),)
    with pytest.raises(ConfigError, match=r"escalations\[0\].receiver: this names 'b', which is no receiver \(a\)"):
        parse({"receivers": receivers, "escalations": [{"receiver": "b", "after": "15m"}]})
