"""What the page of one SLO shows."""

from __future__ import annotations

import pytest

from dashboard.documents.slos import Slo, SloGroup, SloPeriod
from dashboard.viewmodels import budgets
from tests.dashboard import recorded
from tests.dashboard.viewed import slo, summaries

NOW = recorded.NOW


class TestBudgets:
    @pytest.mark.parametrize(
        ("days", "factors"),
        [
            (30, [14.4, 6.0, 3.0, 1.0]),
            (28, [13.44, 5.6, 2.8, 0.9333]),
            (7, [13.44, 3.5, 1.4, 0.98]),
            (90, [21.6, 10.8, 4.5]),
            (11, []),
        ],
    )
    def test_thresholds_follow_the_default_policy(self, days: int, factors: list[float]) -> None:
        assert [factor for factor, _ in budgets.burn_thresholds(days * 86400)] == pytest.approx(factors, rel=1e-3)

    def test_a_calendar_window_has_no_thresholds(self) -> None:
        assert budgets.burn_thresholds(None) == []

    @pytest.mark.parametrize(
        ("where", "operation"),
        [
            (['operation="chat"'], "chat"),
            (['environment="prod"', "operation = chat"], "chat"),
            (['operation=~"chat|completion"'], None),
            (['operation!="chat"'], None),
            (["tokens_in<=8000"], None),
            ([], None),
        ],
    )
    def test_equality(self, where: list[str], operation: str | None) -> None:
        assert budgets.equality(where, "operation") == operation

    @pytest.mark.parametrize(
        ("name", "measure"),
        [
            ("generation-cost", "cost"),
            ("classify-latency", "duration"),
            ("generation-ttft", "ttft"),
            ("queue-wait", "queue"),
            ("request-errors", "duration"),
        ],
    )
    def test_watched_measure(self, name: str, measure: str) -> None:
        assert budgets.watched_measure(slo(name)) == measure

    def test_a_drift_slo_is_about_its_first_field_with_a_measure(self) -> None:
        group = SloGroup(state="ok", detail={"fields": ["feature.language", "tokens_in"]})
        assert budgets.watched_measure(Slo(name="d", kind="drift", objective=0.9, groups=[group])) == "tokens_in"

    def test_threshold_belongs_to_its_measure(self) -> None:
        assert budgets.threshold(slo("generation-ttft"), "ttft") == 3.0
        assert budgets.threshold(slo("generation-ttft"), "duration") is None
        assert budgets.threshold(slo("request-errors"), "duration") is None

    def test_the_named_group_else_the_worst(self) -> None:
        errors = slo("request-errors")
        assert budgets.choose_group(errors, "input_type=long") == errors.groups[2]
        assert budgets.choose_group(errors, None) == errors.groups[1]
        assert budgets.choose_group(errors, "input_type=gone") == errors.groups[1]
        assert budgets.choose_group(Slo(name="n", objective=0.9, groups=[]), None) is None

    def test_tiles_say_how_long_the_budget_lasts(self) -> None:
        burning = slo("classify-latency")
        tiles = {tile.label: tile for tile in budgets.tiles(burning, burning.groups[0], NOW)}
        # 18 % of 30 days at 7.9 times the sustainable rate are 16.4 hours
        assert tiles["Burn, 1 h"].note == "budget lasts 16 h 24 min at this rate"
        assert tiles["State"].note == "page since 21 min ago"
        assert tiles["Bad events"].note == "48.2 of 48.2k allowed"

    def test_a_calendar_budget_names_its_days_and_how_long_it_lasts_within_them(self) -> None:
        day = 86400.0
        period = SloPeriod(calendar="month", timezone="Europe/Berlin", start=NOW - 10 * day, end=NOW + 20 * day)
        monthly = slo("classify-latency").model_copy(update={"period": period, "budgeting": "timeslices"})
        tiles = {tile.label: tile for tile in budgets.tiles(monthly, monthly.groups[0], NOW)}
        # 18 % of what ten days allowed, at 6.9 times beyond the sustainable rate, are 6.3 hours
        assert tiles["Burn, 1 h"].note == "budget lasts 6 h 15 min at this rate"
        near = monthly.model_copy(update={"period": period.model_copy(update={"end": NOW + 3600})})
        tiles = {tile.label: tile for tile in budgets.tiles(near, near.groups[0], NOW)}
        assert tiles["Burn, 1 h"].note == "budget lasts the month at this rate"
        facts = dict(budgets.definition(monthly))
        assert facts["Objective"] == "99.9 % over calendar month, Europe/Berlin"
        assert (facts["Period"], facts["Budgeting"]) == (budgets.span(monthly), "timeslices")

    def test_definition(self) -> None:
        facts = dict(budgets.definition(slo("classify-latency")))
        assert facts["Where"] == 'operation="classify"'
        assert facts["Objective"] == "99.9 % over 30 d"

    def test_related_incidents(self) -> None:
        assert [one.id for one in budgets.related(slo("request-errors"), summaries())] == ["inc-0042"]

    def test_group_rows_fit_their_columns(self) -> None:
        grid = budgets.group_grid(slo("request-errors"))
        assert all(len(row.cells) == len(grid.columns) for row in grid.rows)
        assert grid.rows[0].cells[-1].text == "108 / 9,120"
