"""A young incident is diagnosed again as its data grow, at fixed ages, once each."""

from __future__ import annotations

from dataclasses import dataclass

from alerting.second_looks import LOOKS_NS, SecondLooks
from telemetry.findings import Diagnosis
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder, at, diagnosis, finding, run, set_up


@dataclass
class Aged:
    number: int
    opened_ns: int
    status: str = "open"


def test_each_look_is_taken_once_and_overdue_ones_together():
    looks = SecondLooks()
    young, old, over = Aged(1, at(0)), Aged(2, at(-500)), Aged(3, at(-500), "resolved")
    assert looks.due([young, old, over], at(0)) == [old]
    assert looks.due([young, old, over], at(0)) == []
    taken = [age for age in range(200) if looks.due([young, old, over], at(age))]
    assert taken == [age_ns // NANOS for age_ns in LOOKS_NS]


def test_a_later_diagnosis_of_the_primary_alert_replaces_the_first(lite):
    receiver = Recorder()
    alerting = set_up(lite, receiver)
    page = finding(input_type="code")
    asked: list[Diagnosis] = []

    def diagnose(_):
        asked.append(diagnosis("error-burst", 0.9) if not asked else diagnosis("slice-errors", 0.9, input_type="code"))
        return asked[-1]

    run(alerting, [page], 0, 9, every=1, diagnose=diagnose)
    assert alerting.incident("INC-1")["cause"] == "error-burst"
    run(alerting, [page], 9, 300, every=1, diagnose=diagnose)
    incident = alerting.incident("INC-1")
    assert (incident["cause"], incident["slice"], incident["runbook"]) == (
        "slice-errors", {"input_type": "code"}, "slice-errors",
    )  # fmt: skip
    assert [event["kind"] for event in incident["timeline"]].count("diagnosed") == 2
    assert len(asked) == 1 + len(LOOKS_NS)


def test_an_unknown_second_look_keeps_the_first_and_a_failing_one_disturbs_nothing(lite):
    alerting = set_up(lite)
    page = finding()
    alerting.apply([page], lambda _: diagnosis("slice-errors"), at(0))
    alerting.apply([page], lambda _: diagnosis("unknown", None), at(11))

    def fail(_):
        raise RuntimeError("no rows")

    alerting.apply([page], fail, at(31))
    assert alerting.incident("INC-1")["cause"] == "slice-errors"


def test_what_has_ended_is_not_looked_at_again(lite):
    alerting = set_up(lite)
    alerting.apply([finding()], lambda _: diagnosis(), at(0))
    asked = []
    alerting.apply([], asked.append, at(11))
    assert asked == []
