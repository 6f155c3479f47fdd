"""Figures and noise of a period, from incidents that were opened, told, answered, ended and flapped for real."""

from __future__ import annotations

import pytest

from alerting.figures import Times, figures, figures_by
from alerting.handled import Handled
from alerting.hindsight import last_day, noise_report, response_figures
from alerting.noise import DAY_NS, NoiseBudget, Sent, noise
from alerting.outcomes import Outcome
from storage.revisions import register
from telemetry.errors import ConfigError
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder, at, diagnosis, finding, parse, run, set_up, undiagnosed

HOUR = 3600


def handled(number=1, **changes):
    values = {
        "service": "chat", "severity": "page", "slo": "errors", "opened_ns": at(0), "acknowledged_ns": None,
        "resolved_ns": at(600), "by_itself": True, "withdrawn": False, "acted_on": False, "returns": 0, "told": 2,
    }  # fmt: skip
    return Handled(number, **{**values, **changes})


def sent(day=0.0, *, reason="opened", severity="page", incident=1, receiver="oncall/slack"):
    return Sent(receiver, incident, reason, severity, at(86400 * day))


def report(*, sent_=(), handled_=(), evidence=None, budgets=(), days=7.0, began=None):
    return noise(
        list(sent_), list(handled_), evidence or {}, receivers=["oncall/slack"], budgets=budgets,
        since_ns=at(0), until_ns=at(86400 * days), began_ns=None if began is None else at(86400 * began),
    )  # fmt: skip


def test_times_are_from_the_opening_and_what_was_withdrawn_is_apart(database):
    alerting = set_up(database, Recorder())
    first = finding(slo="a", service="a")
    run(alerting, [first], 0, 200, every=20)
    alerting.acknowledge("INC-1", "Ada", "", at(120))
    alerting.acknowledge("INC-1", "Bob", "", at(180))
    run(alerting, [], 200, 280, every=10)
    wrong, ignored = finding(slo="b", service="b", severity="ticket"), finding(slo="c", service="c")
    run(alerting, [wrong, ignored], 400, 410)
    alerting.apply([ignored], undiagnosed, at(420), withdrawn=[wrong.fingerprint])
    document = response_figures(database, at(0), at(1000))
    assert document["all"] == {
        "name": "", "incidents": 3, "withdrawn": 1, "open": 1, "unacknowledged": 1,
        "to_acknowledge": {"count": 1, "mean_s": 120.0, "median_s": 120.0, "p90_s": 120.0},
        "to_resolve": {"count": 1, "mean_s": 260.0, "median_s": 260.0, "p90_s": 260.0},
    }  # fmt: skip
    assert [one["name"] for one in document["by_service"]] == ["a", "b", "c"]
    assert {one["name"]: one["incidents"] for one in document["by_severity"]} == {"page": 2, "ticket": 1}
    assert response_figures(database, at(300), at(1000))["all"]["incidents"] == 2, "by when they were opened"


def test_the_first_answer_counts_however_often_it_is_opened_again(lite):
    alerting = set_up(lite)
    run(alerting, [finding()], 0, 10)
    alerting.snooze("INC-1", "Ada", "", at(100), at(30))
    alerting.resolve("INC-1", "Ada", "", at(50))
    alerting.reopen("INC-1", "Ada", "", at(60))
    alerting.acknowledge("INC-1", "Bob", "", at(70))
    alerting.resolve("INC-1", "Bob", "", at(90))
    found = response_figures(lite, at(0), at(1000))["all"]
    assert (found["to_acknowledge"]["mean_s"], found["to_resolve"]["mean_s"]) == (30.0, 90.0)


def test_a_merged_incident_counts_once_with_the_answer_to_either(lite):
    alerting = set_up(lite)
    run(alerting, [finding(service="a"), finding(service="b")], 0, 10)
    alerting.acknowledge("INC-2", "Ada", "", at(30))
    alerting.merge("INC-2", "INC-1", "Ada", "", at(40))
    found = response_figures(lite, at(0), at(1000))["all"]
    assert (found["incidents"], found["to_acknowledge"]["mean_s"]) == (1, 30.0)


def test_means_medians_and_percentiles():
    some = [handled(n, resolved_ns=at(60 * n)) for n in range(1, 11)]
    assert figures(some).to_resolve == Times(10, 330.0, 330.0, pytest.approx(546.0))
    assert figures([]).to_resolve is None
    by = figures_by([*some, handled(11, slo="cost")], "slo")
    assert [(one.name, one.incidents) for one in by] == [("errors", 10), ("cost", 1)]


def test_receivers_by_day_with_what_was_worth_it(database):
    told = Recorder()
    alerting = set_up(database, told, noise_budgets=(NoiseBudget("oncall", pages_per_day=2),))
    for day in range(3):
        for number in range(day + 1):
            one = finding(slo=f"s{number}", service=f"s{number}", since=86400 * day)
            start = 86400 * day + 7200 * number
            run(alerting, [one], start, start + 20)
            run(alerting, [], start + 20, start + 100)
    alerting.comment("INC-1", "Ada", "known", at(50))
    found = noise_report(database, alerting.config, at(0), at(3 * 86400))
    (receiver,) = found.receivers
    assert (receiver.receiver, receiver.notifications, receiver.pages) == ("oncall/recorder", 12, 6)
    assert (receiver.per_day, receiver.pages_per_day) == (4.0, 2.0)
    assert (receiver.incidents, receiver.acted_on) == (6, 1)
    assert (receiver.busiest_day, receiver.busiest) == ("2023-11-17", 4)
    assert (receiver.last_day, receiver.last_day_pages, receiver.over) == (6, 3, True)
    assert last_day(database, alerting.config, at(3 * 86400 - 1)) == {"oncall/recorder": (3, 6, True)}


@pytest.mark.parametrize(
    ("began", "since", "a_day"), [(None, 0.0, 1.0), (-3.0, 0.0, 1.0), (5.0, 5.0, 3.5), (6.5, 6.5, 7.0), (9.0, 7.0, 7.0)]
)
def test_a_day_is_an_average_since_the_installation_began(began, since, a_day):
    found = report(sent_=[sent(6.6)] * 7, began=began)
    assert (found.averaged_since_ns, found.receivers[0].per_day) == (at(86400 * since), a_day)
    assert found.to_json()["averaged_since"] == at(86400 * since) / NANOS


def test_an_installation_began_with_the_first_that_is_known_of_it(database):
    alerting = set_up(database, Recorder())

    def averaged():
        return noise_report(database, alerting.config, at(-30 * 86400), at(2 * 86400)).averaged_since_ns

    assert averaged() == at(-30 * 86400), "nothing is known"
    run(alerting, [finding()], 86400, 86410)
    assert averaged() == at(86400), "its first incident"
    with database.write() as connection:
        register(connection, "errors", "r1", "{}", at(3600))
    assert averaged() == at(3600), "its first SLO, before anything was told"


def test_only_what_was_delivered_counts_and_hooks_are_no_noise(lite):
    told = Recorder(answers=[Outcome("permanent", "gone")])
    alerting = set_up(lite, told)
    run(alerting, [finding()], 0, 10)
    (receiver,) = noise_report(lite, alerting.config, at(0), at(86400)).receivers
    assert (receiver.notifications, receiver.incidents) == (0, 0)


def test_beginnings_of_pages_are_pages_and_days_beyond_the_budget_are_named():
    told = [
        *[sent(0.1, reason=reason) for reason in ("opened", "updated", "reminder", "resolved", "reopened")],
        sent(1.1, severity="ticket"), sent(2.2), sent(2.3, incident=2), sent(2.4, reason="escalated"),
    ]  # fmt: skip
    budget = NoiseBudget("oncall", pages_per_day=2, notifications_per_day=4)
    (receiver,) = report(sent_=told, budgets=[budget]).receivers
    assert (receiver.notifications, receiver.pages) == (9, 5)
    assert receiver.days_over == ("2023-11-15", "2023-11-17"), "by notifications the one, by pages the other"
    assert not receiver.over
    (receiver,) = report(sent_=told, budgets=[budget], days=3.0).receivers
    assert receiver.over


@pytest.mark.parametrize(
    ("changes", "known", "says"),
    [
        ({"withdrawn": True}, {}, "late data proved 4 of 4 wrong"),
        ({"returns": 3}, {}, "came back 12 times in 4 incidents: raise keep_firing_for"),
        ({}, {"total": 12}, "rest on 12 events or fewer"),
        ({}, {"budget": {"remaining": 0.9}}, "90 % of the budget was left"),
        ({"resolved_ns": at(120)}, {}, "half of them were over within 2m"),
        ({"resolved_ns": at(4 * HOUR)}, {"total": 10_000, "budget": {"remaining": -1.0}}, "nobody acted on most"),
    ],
)
def test_who_cries_wolf_is_told_what_to_do(changes, known, says):
    some = [handled(number, **changes) for number in range(1, 5)]
    (slo,) = report(handled_=some, evidence=dict.fromkeys(range(1, 5), known)).slos
    assert slo.cries_wolf
    assert says in slo.advice[0]


def test_who_does_not_cry_wolf():
    few = [handled(number) for number in (1, 2)]
    worth = [handled(number, slo="worth", acted_on=number % 2 == 0) for number in range(10, 14)]
    going_on = [handled(number, slo="on", resolved_ns=None) for number in range(20, 30)]
    assert not any(slo.cries_wolf or slo.advice for slo in report(handled_=[*few, *worth, *going_on]).slos)
    wolves = [handled(number, slo="wolf", acted_on=number == 30) for number in range(30, 33)]
    assert report(handled_=[*few, *worth, *wolves]).slos[0].slo == "wolf", "the worst comes first"


def test_a_flapping_alert_is_one_incident_and_says_so(lite):
    told = Recorder()
    alerting = set_up(lite, told)
    for cycle in range(30):  # two minutes on, four off: three hours
        run(alerting, [finding()], 360 * cycle, 360 * cycle + 120, every=30)
        run(alerting, [], 360 * cycle + 120, 360 * (cycle + 1), every=30)
    (slo,) = noise_report(lite, alerting.config, at(0), at(DAY_NS / NANOS)).slos
    assert (slo.incidents, slo.returns) == (1, 2)
    assert told.reasons == ["opened", "resolved", "reopened"], "thirty times on and off, and held open from the third"


def test_evidence_for_the_advice_is_the_incidents_own(lite):
    alerting = set_up(lite)
    for number in range(3):
        start = 9000 * number
        one = finding(since=start, evidence={"total": 30, "budget": {"remaining": 0.8}})
        run(alerting, [one], start, start + 20, diagnose=lambda _: diagnosis())
        run(alerting, [], start + 20, start + 100)
    (slo,) = noise_report(lite, alerting.config, at(0), at(DAY_NS / NANOS)).slos
    assert slo.cries_wolf
    assert [advice.split(" ")[0] for advice in slo.advice] == ["half", "80", "half", "nobody"]


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        ([{"receiver": "nobody", "pages_per_day": 2}], "names 'nobody', which is no receiver"),
        ([{"receiver": "x"}], "limits nothing"),
        ([{"receiver": "x", "pages_per_day": -1}], "noise_budgets"),
        ([{"receiver": "x", "pages_per_day": 1}, {"receiver": "x", "pages_per_day": 2}], "two noise budgets"),
    ],
)
def test_budgets_that_cannot_be_meant(budgets, said):
    with pytest.raises(ConfigError, match=said):
        parse({"receivers": [{"name": "x", "slack": {"webhook_url_env": "X"}}], "noise_budgets": budgets})
