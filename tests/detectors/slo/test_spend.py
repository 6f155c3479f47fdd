"""Budgets of money: exact sums, burn as other budgets burn, no objective and no gate."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.slo.allowance import Allowance
from detectors.slo.compile import compile_rules, rule_id
from detectors.slo.engine import Engine
from detectors.slo.lint import lint
from detectors.slo.parse import parse_slos
from detectors.slo.spec import Slo, SloSet
from telemetry.columns import columns_of
from telemetry.deltas import SliDelta, group_key
from telemetry.errors import FileProblemsError
from telemetry.rules import DEAREST_USD, MONEY_UNIT, Spent
from telemetry.windows import NANOS

HOUR_NS = 3600 * NANOS
DAY_NS = 24 * HOUR_NS
START_NS = round(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * NANOS
FILE = """
version: 1
slos:
  - name: bill
    service: chat
    sli: {spend: {budget: $720}}
    window: %s
"""


def declared(window: str = "30d", more: str = "") -> SloSet:
    return parse_slos([("slos.yaml", FILE % window + more)])


def spent(slo: Slo, at_ns: int, usd: float, group: str = "{}") -> SliDelta:
    return SliDelta(rule_id(slo), group, at_ns, 0, round(usd * MONEY_UNIT))


def group_of(engine: Engine, now_ns: int) -> dict[str, Any]:
    (status,) = engine.step(now_ns).statuses
    (group,) = status.to_json()["groups"]
    return dict(group)


@pytest.mark.parametrize("seed", range(5))
def test_money_is_summed_exactly_whatever_the_batches(seed: int) -> None:
    random = np.random.default_rng(seed)
    costs = np.round(random.lognormal(-9, 3, 400), 9)
    costs[random.random(400) < 0.1] = np.nan
    times = START_NS + random.integers(0, 1000, 400) * NANOS
    columns = columns_of("span", times, strings={"service": ["chat"] * 400}, numbers={"cost": costs.tolist()})
    main, unpriced = compile_rules(declared().slos[0])
    for pieces in (1, 7, 400):
        deltas = [
            delta for rows in np.array_split(np.arange(400), pieces)
            for delta in roll_up(columns.take(rows), [main, unpriced], CardinalityGuard(), START_NS).sli
        ]  # fmt: skip
        total = sum(delta.total for delta in deltas if delta.rule == main.id)
        assert Decimal(total) / MONEY_UNIT == sum(Decimal(f"{cost:.9f}") for cost in costs if cost == cost)
        assert all(delta.good == 0 for delta in deltas)
        assert sum(delta.total for delta in deltas if delta.rule == unpriced.id) == np.isnan(costs).sum()


def test_no_sender_can_overflow_a_month() -> None:
    columns = columns_of("span", np.asarray([0, 0, 0]), numbers={"cost": [1e300, -5.0, np.inf]})
    most = round(DEAREST_USD * MONEY_UNIT)
    assert Spent().amounts(columns).tolist() == [most, 0, most]


def test_burn_means_what_it_means_for_other_budgets() -> None:
    slos = declared()
    slo = slos.slos[0]
    engine = Engine(slos)
    engine.ingest_sli([spent(slo, START_NS + i * 600 * NANOS, 2.4) for i in range(6)])  # $14.40 within an hour
    group = group_of(engine, START_NS + HOUR_NS - NANOS)
    assert group["burn"]["1h"] == pytest.approx(14.4)  # 2 % of the money, the factor of the first page
    assert group["burn"]["30d"] == pytest.approx(0.02)
    assert group["budget_remaining"] == pytest.approx(0.98)
    assert (group["good"], group["total"]) == (pytest.approx(705.6), 720)
    assert group["state"] == "ok"


@pytest.mark.parametrize(("usd", "pages"), [(14.3, 0), (14.5, 1)])
def test_a_page_comes_when_two_percent_go_within_an_hour_without_any_gate(usd: float, pages: int) -> None:
    slos = declared()
    engine = Engine(slos)
    engine.ingest_sli([spent(slos.slos[0], START_NS + i * 10 * NANOS, usd / 360) for i in range(360)])
    evaluation = engine.step(START_NS + HOUR_NS - NANOS)
    found = [finding for finding in evaluation.findings if finding.labels["window"] == "1h"]
    assert len(found) == pages
    for finding in found:
        assert finding.severity == "page"
        assert finding.labels["alertname"] == "ErrorBudgetBurn"
        assert "money is spent faster than a budget of 720 USD lasts, the budget burns at 14.5x (1h)" in finding.summary
        assert finding.evidence["objective"] is None
        assert finding.evidence["bad"] == pytest.approx(usd)
        assert finding.since_ns == START_NS, "since when more than evenly is spent"


def test_even_spending_never_alerts_and_a_single_dear_request_is_a_fact() -> None:
    slos = declared()
    engine = Engine(slos)
    for hour in range(24 * 29):
        engine.ingest_sli([spent(slos.slos[0], START_NS + hour * HOUR_NS + i * 600 * NANOS, 0.16) for i in range(6)])
        assert engine.step(START_NS + (hour + 1) * HOUR_NS - NANOS).findings == ()
    engine.ingest_sli([spent(slos.slos[0], START_NS + 29 * DAY_NS, 30.0)])
    assert engine.step(START_NS + 29 * DAY_NS + NANOS).findings


@pytest.mark.parametrize(("month", "days"), [(2, 28), (3, 31), (4, 30)])
def test_a_month_has_its_own_days(month: int, days: int) -> None:
    slos = declared("{calendar: month, timezone: UTC}")
    start_ns = round(datetime(2026, month, 1, tzinfo=UTC).timestamp()) * NANOS
    engine = Engine(slos)
    engine.ingest_sli([spent(slos.slos[0], start_ns - HOUR_NS, 500.0), spent(slos.slos[0], start_ns, 360.0)])
    group = group_of(engine, start_ns + 7 * DAY_NS)
    assert group["budget_remaining"] == pytest.approx(0.5), "what was spent before the month is not the month's"
    assert group["burn"]["month"] == pytest.approx(0.5 * days / 7)
    engine.ingest_sli([spent(slos.slos[0], start_ns + 8 * DAY_NS, 400.0)])
    group = group_of(engine, start_ns + 20 * DAY_NS)
    assert group["budget_remaining"] == pytest.approx(1 - 760 / 720)
    assert group["state"] == "exhausted"


def test_money_that_becomes_known_late_counts_when_it_was_spent() -> None:
    slos = declared("1d")
    engine = Engine(slos)
    now_ns = START_NS + 23 * HOUR_NS
    engine.ingest_sli([spent(slos.slos[0], now_ns - NANOS, 72.0)])
    assert group_of(engine, now_ns)["budget_remaining"] == pytest.approx(0.9)
    engine.ingest_sli([spent(slos.slos[0], START_NS + HOUR_NS, 72.0)])
    assert group_of(engine, now_ns)["budget_remaining"] == pytest.approx(0.8)
    assert group_of(engine, START_NS + 26 * HOUR_NS)["budget_remaining"] == pytest.approx(0.9)


def test_silence_is_no_thrift() -> None:
    slos = declared()
    engine = Engine(slos)
    (status,) = engine.step(START_NS).statuses
    assert status.groups[0].state == "no_telemetry"
    assert status.groups[0].budget_remaining is None
    engine.ingest_sli([spent(slos.slos[0], START_NS, 1.0)])
    assert group_of(engine, START_NS + 20 * HOUR_NS)["state"] == "ok", "an hour or ten between requests is no silence"
    heard = {"chat": START_NS + 25 * HOUR_NS}
    (status,) = engine.step(START_NS + 25 * HOUR_NS, heard).statuses
    assert status.groups[0].state == "no_traffic"


def test_requests_without_a_price_are_shown_beside_it() -> None:
    slos = declared()
    rules = compile_rules(slos.slos[0])
    engine = Engine(slos)
    engine.ingest_sli([spent(slos.slos[0], START_NS, 1.0), SliDelta(rules[1].id, "{}", START_NS, 0, 17)])
    assert group_of(engine, START_NS)["detail"] == {"measure": "cost", "budget": 720.0, "unit": "USD", "unpriced": 17}


def test_another_amount_judges_the_same_money() -> None:
    dearer = parse_slos([("slos.yaml", FILE.replace("$720", "$900") % "30d")])
    assert rule_id(dearer.slos[0]) == rule_id(declared().slos[0])


def test_groups_have_an_amount_each() -> None:
    slos = declared(more="    per: [tenant]\n")
    slo = slos.slos[0]
    engine = Engine(slos)
    for tenant, usd in (("acme", 72.0), ("globex", 7.2)):
        engine.ingest_sli([spent(slo, START_NS, usd, group_key({"tenant": tenant}))])
    (status,) = engine.step(START_NS).statuses
    left = {group.group["tenant"]: group.budget_remaining for group in status.groups}
    assert left == {"acme": pytest.approx(0.9), "globex": pytest.approx(0.99)}


def test_the_curve_of_the_money() -> None:
    slos = declared("1d")
    engine = Engine(slos)
    engine.ingest_sli([spent(slos.slos[0], START_NS + i * HOUR_NS, 30.0) for i in range(10)])
    engine.step(START_NS + 10 * HOUR_NS)
    points = engine.budget_curve("bill", {}, start_ns=START_NS, end_ns=START_NS + 10 * HOUR_NS, step_ns=HOUR_NS)
    assert [point.remaining for point in points] == [pytest.approx(1 - 30 * (i + 1) / 720) for i in range(10)]
    assert {round(point.burn or 0, 9) for point in points} == {1.0}
    assert [point.total for point in points] == [30 * MONEY_UNIT] * 10


def test_a_run_begins_where_the_excess_over_even_spending_does() -> None:
    allowance = Allowance(amount=2400, period_ns=24 * HOUR_NS)  # 100 an hour
    starts_ns = START_NS + np.arange(10, dtype=np.int64) * HOUR_NS
    spent_hourly = np.asarray([90, 300, 10, 10, 10, 80, 90, 300, 150, 101], dtype=np.int64)
    assert allowance.onset_ns(starts_ns, spent_hourly) == START_NS + 7 * HOUR_NS
    assert allowance.onset_ns(starts_ns[:1], spent_hourly[:1]) == START_NS


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("    objective: 99%\n", "objective has no meaning for spend"),
        ("    budgeting: ratio-timeslices\n", "budgeting has no meaning for spend"),
        ("    alert: [{sequential: {severity: page}}]\n", "alert has a sequential alert, which tests samples"),
    ],
)
def test_what_makes_no_sense_for_money_is_refused(more: str, message: str) -> None:
    with pytest.raises(FileProblemsError) as caught:
        declared(more=more)
    (problem,) = caught.value.problems
    assert message in f"{problem.field.rpartition('.')[2]} {problem.message}"
    assert problem.remedy


@pytest.mark.parametrize("budget", ["0", "-5", "$0", "500 EUR", "[1]"])
def test_what_is_no_amount_is_refused(budget: str) -> None:
    with pytest.raises(FileProblemsError):
        parse_slos([("slos.yaml", FILE.replace("$720", budget) % "30d")])


def test_other_kinds_still_need_an_objective() -> None:
    text = FILE.replace("{spend: {budget: $720}}", "{errors: {}}") % "30d"
    with pytest.raises(FileProblemsError, match="objective"):
        parse_slos([("slos.yaml", text)])


def test_lint_has_nothing_to_say_about_a_plain_budget() -> None:
    assert lint(declared()) == []


def test_a_group_that_has_left_every_window_is_forgotten_with_the_last_of_its_layout() -> None:
    slos = declared("1d")
    engine = Engine(slos)
    engine.ingest_sli([spent(slos.slos[0], START_NS, 1.0)])
    assert engine.step(START_NS).statuses[0].groups[0].total == 720
    assert engine.step(START_NS + 90 * DAY_NS).statuses[0].groups[0].total == 0


def test_calls_without_a_price_are_no_silence() -> None:
    slos = declared(more="    per: [tenant]\n")
    rules = compile_rules(slos.slos[0])
    engine = Engine(slos)
    engine.ingest_sli([SliDelta(rules[1].id, group_key({"tenant": "acme"}), START_NS, 0, 17)])
    for more in ([], [spent(slos.slos[0], START_NS, 1.0, group_key({"tenant": "globex"}))]):
        engine.ingest_sli(more)
        (status,) = engine.step(START_NS, {"chat": START_NS}).statuses
        (group,) = [one for one in status.groups if one.group == {"tenant": "acme"}]
        assert (group.state, group.budget_remaining, group.detail["unpriced"]) == ("not_enough_data", None, 17)
        assert len(status.groups) == 1 + len(more)
