"""States: which one holds when several could, and outages, lateness and impossible counts through the engine."""

from __future__ import annotations

import pytest

from detectors.slo.engine import Engine
from detectors.slo.parse import parse_slos
from detectors.slo.punctuality import SLACK_NS, Punctuality
from detectors.slo.states import State, state_of
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS, NANOS

MINUTE = 60 * NANOS
START = 28_333_333 * MINUTE
TEXT = "version: 1\nslos:\n- {name: errors, service: chat, objective: 99%, sli: {errors: {}}}\n"
FINE = {
    "alerting": False, "remaining": 1.0, "bad": 0.0, "allowed": 100.0, "min_bad": 5, "silent": False,
    "source_silent": False, "source_late": False, "outage": False, "misconfigured": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "ok"),
        ({"misconfigured": True, "outage": True, "alerting": True}, "misconfigured"),
        ({"outage": True, "alerting": True, "remaining": -1.0, "bad": 10}, "outage"),
        ({"outage": True, "source_silent": True}, "no_telemetry"),
        ({"alerting": True, "source_late": True}, "burning"),
        ({"remaining": -1.0, "bad": 10, "source_late": True}, "exhausted"),
        ({"source_late": True, "source_silent": True, "silent": True}, "late"),
        ({"source_silent": True, "silent": True}, "no_telemetry"),
        ({"silent": True, "remaining": None}, "no_traffic"),
        ({"remaining": None}, "not_enough_data"),
        ({"remaining": -1.0, "bad": 2.0, "allowed": 0.5}, "not_enough_data"),
    ],
)
def test_the_first_state_that_applies_holds(facts: dict[str, object], state: State) -> None:
    assert state_of(**{**FINE, **facts}) == state  # type: ignore[arg-type]


def engine(*rows: tuple[int, int, int]) -> Engine:
    made = Engine(parse_slos([("slos.yaml", TEXT)]))
    rule = made.rules[0].id
    made.ingest_sli([SliDelta(rule, "{}", START + at_s * NANOS, good, total) for at_s, good, total in rows])
    return made


def state(made: Engine, at_s: int, late: frozenset[str] = frozenset()) -> State:
    (group,) = made.step(START + at_s * NANOS, late=late).statuses[0].groups
    return group.state


def test_an_outage_is_when_nothing_succeeds_any_more() -> None:
    before = [(10 * i, 100, 100) for i in range(60)]
    down = [(600 + 10 * i, 0, 100) for i in range(31)]
    assert state(engine(*before, *down[:20]), 800) == "burning"
    assert state(engine(*before, *down), 910) == "outage"
    assert state(engine(*before, *down), 910 + 3600) != "outage"


def test_a_few_failures_of_a_new_service_are_no_outage() -> None:
    assert state(engine((0, 0, 9)), 20) == "burning"
    assert state(engine((0, 0, 10)), 20) == "outage"


def test_counts_that_cannot_be_are_no_good_service() -> None:
    assert state(engine((0, 120, 100)), 20) == "misconfigured"
    assert state(engine((0, 100, 100)), 20) == "ok"


def test_a_late_service_is_neither_silent_nor_ok() -> None:
    assert state(engine((0, 100, 100)), 3600, frozenset({"chat"})) == "late"
    assert state(engine((0, 100, 100)), 3600) == "no_telemetry"


def hear(sources: Punctuality, at_s: float, delay_s: float) -> None:
    now_ns = START + int(at_s * NANOS)
    sources.hear("chat", now_ns - int(delay_s * NANOS) - BUCKET_NS, now_ns)


def test_a_backlog_is_late_until_it_is_worked_off() -> None:
    sources = Punctuality()
    for second in range(0, 3600, 5):
        hear(sources, second, 8)
    assert sources.late(START + 3600 * NANOS) == frozenset()
    for second in range(4200, 4260, 5):  # Ten minutes of nothing, and then what had waited, oldest first.
        hear(sources, second, 590 - (second - 4200) * 5)
    assert sources.late(START + 4260 * NANOS) == {"chat"}
    hear(sources, 4270, 8)
    assert sources.late(START + 4271 * NANOS) == frozenset()


def test_old_records_among_new_ones_are_not_late() -> None:
    sources = Punctuality()
    for second in range(0, 600, 10):
        hear(sources, second, 5)
        hear(sources, second, 500)
    assert sources.late(START + 600 * NANOS) == frozenset()


def test_a_service_that_is_always_slow_is_not_late_and_one_that_is_silent_is_silent() -> None:
    sources = Punctuality()
    for second in range(0, 3600, 10):
        hear(sources, second, 900)
    assert sources.late(START + 3600 * NANOS) == frozenset()
    hear(sources, 3600, 900 + SLACK_NS / NANOS + 11)
    assert sources.late(START + 4000 * NANOS) == frozenset()
