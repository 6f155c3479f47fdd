"""What the overview shows, and how states read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.components.place import Place
from dashboard.documents.slos import Slo, SloGroup
from dashboard.documents.status import Status
from dashboard.documents.traffic import OneSeries
from dashboard.periods import Period
from dashboard.viewmodels import overview, states
from tests.dashboard import recorded
from tests.dashboard.viewed import slos, summaries

NOW = recorded.NOW


class TestOverview:
    def test_worst_first(self) -> None:
        names = [row.id for row in overview.slo_grid(slos()).rows]
        assert names == [
            "request-errors",
            "classify-latency",
            "queue-wait",
            "generation-ttft",
            "generation-cost",
            "input-drift",
            "confidence-drift",
        ]

    def test_an_slo_shows_its_worst_group_and_expands_to_all(self) -> None:
        row = overview.slo_grid(slos()).rows[0]
        assert [cell.text for cell in row.cells[1:]] == [
            "Exhausted", "99.5 %", "98.81 %", "-138 %", "25.0×", "22.7×", "14.1×",
        ]  # fmt: skip
        assert "worst of 3: input_type=code" in row.cells[0].sub
        assert [child.cells[0].text for child in row.children] == [
            "input_type=code",
            "input_type=chat",
            "input_type=long",
        ]
        assert row.children[1].place == Place("slo", {"slo": "request-errors", "group": "input_type=chat"})

    def test_every_row_has_a_cell_for_every_column(self) -> None:
        empty = Slo(name="new", objective=0.9, groups=[])
        grid = overview.slo_grid([*slos(), empty])
        for row in [*grid.rows, *(child for parent in grid.rows for child in parent.children)]:
            assert len(row.cells) == len(grid.columns)
        assert grid.rows[-1].id == "new"

    def test_no_traffic_is_absent_and_not_zero(self) -> None:
        row = overview.slo_grid(slos()).rows[-1]
        assert [cell.text for cell in row.cells[3:]] == ["–"] * 5
        assert all(cell.sort is None for cell in row.cells[3:])

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ("", 7),
            ("LATENCY", 3),
            ("latency burning", 1),
            ("input_type=code", 1),
            ("inference-team drift", 2),
            ("nothing like it", 0),
        ],
    )
    def test_filter(self, wanted: str, found: int) -> None:
        assert len(overview.slo_grid(slos(), wanted).rows) == found

    def test_an_empty_table_says_why(self) -> None:
        assert "evaluates no SLO" in overview.slo_grid([]).empty
        assert overview.slo_grid(slos(), "zzz").empty == "No SLO matches the filter."

    @pytest.mark.parametrize(
        ("remaining", "text", "tone"),
        [
            (0.8, "80 %", "ok"),
            (0.1, "10 %", "burning"),
            (0.0, "0 %", "exhausted"),
            (-12.34, "-1,234 %", "exhausted"),
            (None, "–", None),
        ],
    )
    def test_budget(self, remaining: float | None, text: str, tone: str | None) -> None:
        cell = overview.budget_cell(SloGroup(state="ok", budget_remaining=remaining))
        assert (cell.text, cell.tone, cell.kind) == (text, tone, "bar")

    def test_burn_tones(self) -> None:
        assert [overview.burn_tone(rate) for rate in (None, 1.0, 1.01, 6.0, 6.01)] == [
            None, None, "burning", "burning", "exhausted",
        ]  # fmt: skip

    def test_the_unfinished_step_does_not_count_as_less_traffic(self) -> None:
        points = [{"t": NOW - 120 + i * 60, "count": 90, "errors": 9} for i in range(3)]
        series = [OneSeries.model_validate({"labels": {}, "points": points})] * 2
        period = Period(NOW - 120, NOW + 60, 60)
        assert overview.traffic_per_minute(series, period, NOW + 30) == ([180.0, 180.0], [18.0, 18.0])

    def test_silence_counts_as_no_traffic(self) -> None:
        series = [OneSeries.model_validate({"points": [{"t": NOW - 240, "count": 90, "errors": 9}]})]
        period = Period(NOW - 240, NOW + 60, 60)
        assert overview.traffic_per_minute(series, period, NOW) == ([90.0, 0, 0, 0], [9.0, 0, 0, 0])
        assert overview.traffic_per_minute([], period, NOW) == ([0.0] * 4, [0.0] * 4)

    def test_a_budget_that_burns_below_zero_counts_as_both(self) -> None:
        group = SloGroup(state="burning", budget_remaining=-84.0)
        tiles = {
            one.label: one
            for one in overview.tiles(Status(now=NOW), [Slo(name="a", objective=0.9, groups=[group])], [], None)
        }
        assert (tiles["SLOs burning"].value, tiles["Budgets exhausted"].value) == ("1", "1")

    def test_tiles(self) -> None:
        status = Status.model_validate(recorded.status())
        tiles = {tile.label: tile for tile in overview.tiles(status, slos(), summaries(), ([60.0] * 9, [6.0] * 9))}
        assert (tiles["Open incidents"].value, tiles["Open incidents"].note) == ("1", "1 acknowledged")
        assert tiles["SLOs burning"].note == "of 7, 1 without telemetry"
        assert tiles["Requests per minute"].value == "60"
        assert tiles["Requests with errors"].value == "10 %"
        assert tiles["Last evaluation"].value == "4 s ago"

    def test_tiles_of_what_could_not_be_read_are_absent(self) -> None:
        tiles = overview.tiles(Status(now=NOW), None, None, None)
        assert {tile.value for tile in tiles} == {"–"}

    def test_a_stale_evaluation_is_loud(self) -> None:
        stale = Status.model_validate({**recorded.status(), "last_evaluation": {"at": NOW - 600}})
        assert overview.tiles(stale, [], [], ([], []))[-1].tone == "exhausted"

    def test_outages_and_late_services_are_told_apart_from_burning_budgets(self) -> None:
        some = [slos()[0].model_copy(update={"groups": [SloGroup(state=state)]}) for state in ("outage", "late", "ok")]
        (tile,) = [one for one in overview.tiles(Status(now=NOW), some, [], None) if one.label == "SLOs burning"]
        assert (tile.value, tile.note) == ("1", "of 3, 1 in outage, 1 late")

    def test_no_traffic_divides_nothing(self) -> None:
        tiles = overview.tiles(Status(now=NOW), [], [], ([0.0], [0.0]))
        assert "no traffic in the last 5 min" in [tile.note for tile in tiles]


class TestStates:
    @given(st.lists(st.sampled_from(states.STATE_ORDER), min_size=1))
    def test_worst_first_puts_the_most_urgent_in_front(self, some: list[states.State]) -> None:
        groups = [SloGroup(state=state, group={"n": str(i)}) for i, state in enumerate(some)]
        ranks = [states.urgency(group.state) for group in states.worst_first(groups)]
        assert ranks == sorted(ranks)

    def test_of_two_urgent_budgets_the_smaller_comes_first(self) -> None:
        burning = SloGroup(state="burning", budget_remaining=-3.0)
        exhausted = SloGroup(state="exhausted", budget_remaining=-0.1)
        assert states.worst_first([exhausted, burning]) == [burning, exhausted]

    def test_every_state_has_words_and_a_colour(self) -> None:
        assert set(states.STATE_ORDER) == set(states.STATE_WORDS) == set(states.STATE_TONES)

    def test_urgent_incidents_first(self) -> None:
        assert [one.status for one in states.incidents_urgent_first(reversed(summaries()))] == [
            "open", "acknowledged", "resolved",
        ]  # fmt: skip
