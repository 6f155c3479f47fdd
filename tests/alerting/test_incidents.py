"""Which alerts form an incident, what it is about, and what becomes of it; on both kinds of database."""

from __future__ import annotations

import pytest

from alerting.state import AlertTiming
from telemetry.errors import ConflictError, NotFoundError, PayloadError, StorageError
from telemetry.findings import CAUSES
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder, at, diagnosis, finding, run, set_up, undiagnosed

INC_KEYS = [
    "id", "title", "status", "severity", "service", "slo", "cause", "slice", "runbook", "opened_at",
    "acknowledged_at", "acknowledged_by", "assignee", "snoozed_until", "resolved_at",
    "merged_into", "alerts",
]  # fmt: skip


def kinds(alerting, incident_id="INC-1"):
    return [event["kind"] for event in alerting.incident(incident_id)["timeline"]]


def test_an_incident_as_the_http_api_gives_it(database):
    alerting = set_up(database)
    found = finding(since=-30, input_type="code")
    assert alerting.apply([found], lambda _: diagnosis(input_type="code"), at(0)) == ["INC-1"]
    (incident,) = alerting.incidents()
    assert list(incident) == INC_KEYS
    assert incident == {
        "id": "INC-1",
        "title": "chat: errors-burn of request-errors, most of them in one slice (input_type=code)",
        "status": "open", "severity": "page", "service": "chat", "slo": "request-errors",
        "cause": "slice-errors", "slice": {"input_type": "code"}, "runbook": "slice-errors",
        "opened_at": at(0) / 1e9, "acknowledged_at": None, "acknowledged_by": None, "assignee": None,
        "snoozed_until": None, "resolved_at": None, "merged_into": None,
        "alerts": [{"name": "errors-burn", "labels": dict(found.labels), "state": "firing", "since": at(-30) / 1e9}],
    }  # fmt: skip
    whole = alerting.incident("INC-1")
    assert list(whole) == [
        *INC_KEYS,
        "hooks",
        "hook_runs",
        "timeline",
        "evidence",
        "runbook_markdown",
        "runbook_first_step",
    ]
    assert whole["timeline"][0] == {
        "at": at(0) / 1e9, "kind": "opened", "author": "tailwatch",
        "text": "errors-burn fires: errors-burn of request-errors", "origin": None,
    }  # fmt: skip
    assert set(whole["evidence"]) >= {
        "summary", "cause", "confidence", "slice", "budget", "burn", "attribution", "tail", "changes", "exemplars",
        "drift", "report",
    }  # fmt: skip
    assert "## What to do now" in whole["runbook_markdown"]
    assert whole["runbook_first_step"].startswith("Open one of the failed requests above")


def test_slos_that_see_the_same_fault_share_an_incident_and_its_primary_diagnosis(lite):
    alerting = set_up(lite)
    early_ticket = finding("slow-burn", slo="generation-ttft", severity="ticket", since=-100)
    page = finding("wait-burn", slo="queue-wait", since=0)
    late_page = finding("latency-burn", slo="classify-latency", since=200)
    causes = {
        early_ticket.fingerprint: diagnosis("slow-service", 0.95),
        page.fingerprint: diagnosis("queue-saturation", 0.8),
        late_page.fingerprint: diagnosis("tail-spike", 0.85),
    }

    def diagnose(found):
        return causes[found.fingerprint]

    alerting.apply([early_ticket, page], diagnose, at(10))
    alerting.apply([early_ticket, page, late_page], diagnose, at(250))
    (incident,) = alerting.incidents()
    assert (incident["slo"], incident["cause"], incident["severity"]) == ("queue-wait", "queue-saturation", "page")
    assert len(incident["alerts"]) == 3


def test_a_much_surer_diagnosis_replaces_the_first_and_is_told_in_the_timeline(lite):
    alerting = set_up(lite)
    first, second = finding(slo="a"), finding(slo="b", since=60)
    alerting.apply([first], lambda _: diagnosis("error-burst", 0.3), at(0))
    alerting.apply([first, second], lambda _: diagnosis("slice-errors", 0.9, tenant="acme"), at(60))
    incident = alerting.incident("INC-1")
    assert (incident["cause"], incident["slice"], incident["runbook"]) == (
        "slice-errors", {"tenant": "acme"}, "slice-errors",
    )  # fmt: skip
    assert incident["slo"] == "a", "the first page still speaks for it"
    assert kinds(alerting) == ["opened", "diagnosed", "joined", "diagnosed"]


def test_an_unknown_cause_gives_way_to_any(lite):
    alerting = set_up(lite)
    first, second = finding(slo="a"), finding(slo="b")
    alerting.apply([first, second], lambda found: diagnosis("cold-start", 0.2) if found is second else None, at(0))
    assert alerting.incidents()[0]["cause"] == "cold-start"


def test_a_page_takes_over_from_a_ticket(lite):
    alerting = set_up(lite)
    ticket, page = finding(slo="cost", severity="ticket"), finding(slo="errors", since=30)
    alerting.apply([ticket], lambda _: diagnosis("cost-explosion", 0.9), at(0))
    alerting.apply([ticket, page], lambda _: diagnosis("error-burst", 0.5), at(30))
    (incident,) = alerting.incidents()
    assert (incident["severity"], incident["slo"], incident["cause"]) == ("page", "errors", "error-burst")
    assert "escalated" in kinds(alerting)


def test_another_time_or_another_service_is_another_incident(lite):
    alerting = set_up(lite)
    here, later, there = finding(slo="a"), finding(slo="b", since=3600), finding(slo="c", service="search")
    alerting.apply([here, there], undiagnosed, at(0))
    alerting.apply([here, there, later], undiagnosed, at(3600))
    assert {incident["slo"] for incident in alerting.incidents()} == {"a", "b", "c"}


@pytest.mark.parametrize(("tenant", "number"), [("acme", 1), ("globex", 2)])
def test_the_same_cause_joins_services_unless_the_slices_contradict(lite, tenant, number):
    alerting = set_up(lite)
    here, there = finding(), finding(service="search", since=20)
    alerting.apply([here], lambda _: diagnosis("slice-errors", tenant="acme"), at(0))
    alerting.apply([here, there], lambda _: diagnosis("slice-errors", tenant=tenant), at(20))
    assert len(alerting.incidents()) == number


def test_one_budget_stays_in_one_incident_however_late_its_slow_alerts_come(lite):
    alerting = set_up(lite)
    fast, slow = finding("1h"), finding("6h", since=5000)
    alerting.apply([fast], undiagnosed, at(0))
    alerting.apply([fast, slow], undiagnosed, at(5000))
    assert len(alerting.incidents()) == 1


def test_resolves_when_every_alert_has_ended_and_reopens_when_one_returns(database):
    alerting = set_up(database)
    one, other = finding(slo="a"), finding(slo="b")
    run(alerting, [one, other], 0, 20)
    run(alerting, [one], 20, 120)
    assert alerting.incidents()[0]["status"] == "open"
    run(alerting, [], 120, 200)
    assert alerting.incidents("resolved")[0]["resolved_at"] == at(180) / 1e9
    assert alerting.apply([one], undiagnosed, at(300)) == ["INC-1"]
    assert alerting.incidents()[0]["status"] == "open"
    assert kinds(alerting) == ["opened", "joined", "ended", "ended", "resolved", "reopened"]


def test_an_alert_that_returns_late_opens_a_new_incident_and_leaves_the_old_one_alone(lite):
    alerting = set_up(lite)
    run(alerting, [finding()], 0, 10)
    run(alerting, [], 10, 90)
    before = alerting.incident("INC-1")
    assert alerting.apply([finding(since=4000)], undiagnosed, at(4000)) == ["INC-2"]
    assert alerting.incident("INC-1") == before


def test_a_ticket_suppressed_by_its_page_counts_to_the_incident_and_outlives_the_page(database):
    alerting = set_up(database)
    page = finding("fast")
    quiet = finding("slow", severity="ticket", suppressed_by=page.fingerprint)
    alone = finding("slow", severity="ticket")
    run(alerting, [page, quiet], 0, 30)
    (incident,) = alerting.incidents()
    assert [(alert["name"], alert["state"]) for alert in incident["alerts"]] == [
        ("fast", "firing"), ("slow", "suppressed"),
    ]  # fmt: skip
    run(alerting, [alone], 30, 200)
    (incident,) = alerting.incidents()
    assert [(alert["name"], alert["state"]) for alert in incident["alerts"]] == [
        ("fast", "resolved"), ("slow", "firing"),
    ]  # fmt: skip
    assert incident["status"] == "open"
    run(alerting, [], 200, 300)
    assert alerting.incidents()[0]["status"] == "resolved"


def test_a_suppressor_that_does_not_speak_suppresses_nothing(lite):
    alerting = set_up(lite)
    absent = finding("fast").fingerprint
    alerting.apply([finding("slow", severity="ticket", suppressed_by=absent)], undiagnosed, at(0))
    assert alerting.incidents()[0]["severity"] == "ticket"
    one, other = finding("x", slo="x").fingerprint, finding("y", slo="y").fingerprint
    circle = [finding("x", slo="x", suppressed_by=other), finding("y", slo="y", suppressed_by=one)]
    alerting.apply(circle, undiagnosed, at(10))
    assert {alert["state"] for alert in alerting.alerts()} == {"firing"}


def test_withdrawn_by_late_data(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    found = finding()
    run(alerting, [found], 0, 10)
    alerting.apply([], undiagnosed, at(10), withdrawn=[found.fingerprint])
    alerting.deliver(at(10))
    incident = alerting.incident("INC-1")
    assert (incident["status"], incident["alerts"][0]["state"]) == ("resolved", "withdrawn")
    assert told.heard[-1].withdrawn


def test_people_acknowledge_comment_assign_resolve_and_reopen(database):
    alerting = set_up(database)
    alerting.apply([finding()], undiagnosed, at(0))
    assert alerting.acknowledge("INC-1", "Ada", "on it", at(1))["acknowledged_at"] == at(1) / 1e9
    alerting.acknowledge("INC-1", "Bob", "me too", at(2))
    alerting.comment("INC-1", "Ada", "rolled back", at(3))
    alerting.assign("INC-1", "Ada", "Bob", at(4))
    assert alerting.assign("INC-1", "Bob", None, at(4))["assignee"] is None
    with pytest.raises(ConflictError, match="nobody is in charge of INC-1"):
        alerting.assign("INC-1", "Bob", None, at(4))
    assert alerting.resolve("INC-1", "Bob", "", at(5))["status"] == "resolved"
    with pytest.raises(ConflictError):
        alerting.acknowledge("INC-1", "Ada", "", at(6))
    with pytest.raises(ConflictError):
        alerting.resolve("INC-1", "Ada", "", at(6))
    again = alerting.reopen("INC-1", "Ada", "not yet", at(7))
    assert (again["status"], again["acknowledged_at"], again["resolved_at"]) == ("open", None, None)
    with pytest.raises(ConflictError):
        alerting.reopen("INC-1", "Ada", "", at(8))
    assert [(event["kind"], event["author"]) for event in alerting.incident("INC-1")["timeline"][1:]] == [
        ("acknowledged", "Ada"), ("acknowledged", "Bob"), ("commented", "Ada"), ("assigned", "Ada"),
        ("assigned", "Bob"), ("resolved", "Bob"), ("reopened", "Ada"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["INC-2", "INC-", "7", "INC-٣", "INC-99999999999999999999", "'; DROP TABLE incidents"])
def test_no_such_incident(lite, text):
    alerting = set_up(lite)
    with pytest.raises(NotFoundError):
        alerting.comment(text, "Ada", "hello", at(0))


def test_who_says_nothing_or_is_nobody_is_refused(lite):
    alerting = set_up(lite)
    alerting.apply([finding()], undiagnosed, at(0))
    with pytest.raises(PayloadError):
        alerting.comment("INC-1", "Ada", "  ", at(0))
    with pytest.raises(PayloadError):
        alerting.acknowledge("INC-1", " \n", "hello", at(0))


def test_unresolved_incidents_are_counted_by_severity_however_many_there_are(database):
    alerting = set_up(database)
    assert alerting.unresolved() == {}
    tickets = [finding(slo=f"cost-{n}", service=f"service-{n}", severity="ticket") for n in range(205)]
    page = finding(slo="errors", service="chat")
    alerting.apply([*tickets, page], undiagnosed, at(0))
    assert alerting.unresolved() == {"ticket": 205, "page": 1}
    numbers = {incident["service"]: incident["id"] for incident in alerting.incidents(limit=300)}
    alerting.acknowledge(numbers["chat"], "Ada", "", at(1))
    alerting.resolve(numbers["service-3"], "Ada", "fine", at(2))
    assert alerting.unresolved() == {"ticket": 204, "page": 1}


def test_what_goes_on_is_listed_whatever_came_and_went_after_it(database):
    alerting = set_up(database)
    alerting.apply([finding(slo="errors", service="chat")], undiagnosed, at(0))
    alerting.apply([finding(slo="cost", service=f"service-{n}") for n in range(5)], undiagnosed, at(1))
    for number in range(2, 7):
        alerting.resolve(f"INC-{number}", "Ada", "", at(2))
    assert [one["id"] for one in alerting.incidents(limit=3)] == ["INC-6", "INC-5", "INC-4", "INC-1"]
    assert [one["id"] for one in alerting.incidents("resolved", limit=3)] == ["INC-6", "INC-5", "INC-4"]


def test_resolved_by_a_person_but_still_firing_comes_back_once(lite):
    alerting = set_up(lite)
    run(alerting, [finding()], 0, 10)
    alerting.resolve("INC-1", "Ada", "looks fine", at(10))
    run(alerting, [finding()], 20, 1800, every=60)
    assert alerting.incidents()[0]["status"] == "resolved"
    run(alerting, [finding()], 1811, 2000, every=60)
    assert alerting.incidents()[0]["status"] == "open"
    assert kinds(alerting).count("reopened") == 1


def test_a_failing_diagnosis_costs_no_page(lite):
    def diagnose(_found):
        raise ZeroDivisionError

    alerting = set_up(lite)
    alerting.apply([finding()], diagnose, at(0))
    assert alerting.incidents()[0]["cause"] == "unknown"


def test_a_diagnosis_without_a_database_costs_one_line_of_the_log(lite, caplog):
    def diagnose(_found):
        raise StorageError("the server cannot be reached", where="postgresql://db")

    alerting = set_up(lite)
    alerting.apply([finding()], diagnose, at(0))
    assert alerting.incidents()[0]["cause"] == "unknown"
    (record,) = caplog.records
    assert record.getMessage().endswith("postgresql://db: the server cannot be reached")
    assert record.exc_info is None


def test_diagnoses_are_limited_and_the_first_of_each_service_comes_first(lite):
    asked = []
    many = [finding(slo=f"slo-{number:02}") for number in range(30)] + [finding(slo="z", service="other")]
    alerting = set_up(lite)
    alerting.apply(many, asked.append, at(0))
    assert len(asked) == 8
    assert {found.labels["service"] for found in asked[:2]} == {"chat", "other"}
    assert len(alerting.incidents()) == 2
    alerting.apply(many, asked.append, at(9))
    assert len(asked) == 8, "only what newly fires is diagnosed"


def test_a_steady_state_writes_nothing(lite):
    alerting = set_up(lite)
    alerting.apply([finding()], undiagnosed, at(0))
    with lite.read() as connection:
        before = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        assert alerting.apply([finding()], undiagnosed, at(10)) == []
        assert connection.exec_driver_sql("PRAGMA data_version").scalar_one() == before


def test_values_that_json_and_postgresql_cannot_hold_are_made_harmless(database):
    odd = {"budget": {"remaining": float("nan")}, "burn": "none", "note\x00": "\ud800\x00", "nested": {1: {2, 3}}}
    alerting = set_up(database)
    alerting.apply([finding(evidence=odd, tenant="a\x00b")], undiagnosed, at(0))
    evidence = alerting.incident("INC-1")["evidence"]
    assert evidence["budget"]["remaining"] is None
    assert evidence["burn"] == []
    assert evidence["note"] == "?"


def test_old_incidents_are_forgotten_with_everything_about_them(database):
    told = Recorder()
    alerting = set_up(database, told)
    run(alerting, [finding()], 0, 10)
    run(alerting, [], 10, 100)
    run(alerting, [finding(since=9000)], 9000, 9010)
    assert alerting.forget(at(5000)) == 1
    assert [incident["id"] for incident in alerting.incidents()] == ["INC-2"]
    assert alerting.forget(at(20000)) == 0, "an open incident stays"


def test_every_known_cause_opens_an_incident_with_its_runbook(lite):
    alerting = set_up(lite)
    findings = [finding(slo=cause, service=cause) for cause in CAUSES]
    for found in findings:
        alerting.apply([found], lambda one: diagnosis(one.labels["slo"], 0.5), found.since_ns)
    assert {incident["cause"]: incident["runbook"] for incident in alerting.incidents()} == {
        cause: cause for cause in CAUSES
    }


def test_an_invented_cause_counts_as_unknown(lite):
    alerting = set_up(lite)
    alerting.apply([finding()], lambda _: diagnosis("gremlins"), at(0))
    incident = alerting.incident("INC-1")
    assert (incident["cause"], incident["runbook"]) == ("unknown", "unknown")


def test_pending_for_delays_the_incident(lite):
    alerting = set_up(lite, timing=AlertTiming(pending_for_ns=30 * NANOS))
    run(alerting, [finding()], 0, 30)
    assert alerting.incidents() == []
    assert alerting.alerts()[0]["state"] == "pending"
    assert alerting.apply([finding()], undiagnosed, at(30)) == ["INC-1"]
