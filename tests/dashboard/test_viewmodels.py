"""What each page shows, computed from recorded documents."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.components.grid import Cell, Grid
from dashboard.components.place import Place, from_json
from dashboard.documents import (
    Evidence,
    Incident,
    IncidentSummary,
    OneSeries,
    Service,
    Slo,
    SloGroup,
    SloPeriod,
    Span,
    Status,
    Trace,
    TraceSummary,
)
from dashboard.periods import Period
from dashboard.viewmodels import budgets, incidents, overview, services, states, traces
from tests.dashboard import recorded

NOW = recorded.NOW


def slos() -> list[Slo]:
    return [Slo.model_validate(one) for one in recorded.slos()]


def slo(name: str) -> Slo:
    return next(one for one in slos() if one.name == name)


def summaries() -> list[IncidentSummary]:
    return [IncidentSummary.model_validate(one) for one in recorded.incidents().values()]


def incident(name: str = "inc-0042") -> Incident:
    return Incident.model_validate(recorded.incidents()[name])


def texts(grid: Grid) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in grid.rows]


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

    def test_definition_and_detail(self) -> None:
        facts = dict(budgets.definition(slo("classify-latency")))
        assert facts["Where"] == 'operation="classify"'
        assert facts["Objective"] == "99.9 % over 30 d"
        detail = {"measure": "duration", "estimate": {"low": 0.123456, "n": 4}, "fields": ["a", "b"], "gone": None}
        assert budgets.detail_facts(detail) == [
            ("measure", "duration"), ("estimate: low", "0.1235"), ("estimate: n", "4"), ("fields", "a, b"),
        ]  # fmt: skip

    def test_related_incidents(self) -> None:
        assert [one.id for one in budgets.related(slo("request-errors"), summaries())] == ["inc-0042"]

    def test_group_rows_fit_their_columns(self) -> None:
        grid = budgets.group_grid(slo("request-errors"))
        assert all(len(row.cells) == len(grid.columns) for row in grid.rows)
        assert grid.rows[0].cells[-1].text == "108 / 9,120"


class TestIncidents:
    @pytest.mark.parametrize(
        ("statuses", "service", "wanted", "found"),
        [
            ([], None, "", ["inc-0042", "inc-0041", "inc-0037"]),
            (["open", "resolved"], None, "", ["inc-0042", "inc-0037"]),
            ([], "reference-inference", "tail-spike", ["inc-0041"]),
            ([], None, "INPUT_TYPE=code errors", ["inc-0042"]),
            ([], "other", "", []),
        ],
    )
    def test_filtered(self, statuses: list[str], service: str | None, wanted: str, found: list[str]) -> None:
        kept = incidents.filtered(summaries(), statuses=statuses, service=service, wanted=wanted)
        assert [one.id for one in kept] == found

    def test_every_table_fits_its_columns(self) -> None:
        full = incident()
        grids = [
            incidents.grid(summaries(), NOW, UTC),
            incidents.burn_grid(full.evidence),
            incidents.attribution_grid(full.evidence),
            incidents.tail_grid(full.evidence),
            incidents.change_grid(full.evidence),
            incidents.exemplar_grid(full.evidence),
            incidents.drift_grid(full.evidence),
            incidents.timeline_grid(full, NOW, UTC),
            incidents.alert_grid(full, NOW, UTC),
        ]
        for grid in grids:
            assert grid.rows
            assert {len(row.cells) for row in grid.rows} == {len(grid.columns)}

    def test_nothing_known_is_no_error(self) -> None:
        empty = Evidence()
        for table in (incidents.burn_grid, incidents.attribution_grid, incidents.tail_grid, incidents.drift_grid):
            assert table(empty).rows == []
            assert table(empty).empty.endswith(".")
        assert incidents.tiles(incident("inc-0037"), NOW, UTC)[2].value == "queue saturation"

    def test_a_rule_holds_only_when_both_windows_exceed_it(self) -> None:
        verdicts = [row.cells[-1].text for row in incidents.burn_grid(incident().evidence).rows]
        assert verdicts == ["exceeded", "exceeded", "not exceeded"]
        unknown = Evidence.model_validate({"burn": [{"long": "1h", "short": "5m", "factor": 14.4}]})
        assert incidents.burn_grid(unknown).rows[0].cells[-1].text == "no data"

    def test_the_guilty_slice_stands_out(self) -> None:
        rows = incidents.attribution_grid(incident().evidence).rows
        assert [row.tone for row in rows] == ["exhausted", None, None, None]
        assert rows[0].cells[3].text == "11.4 %"

    def test_changes_of_any_type_are_readable(self) -> None:
        evidence = Evidence.model_validate(
            {"changes": [{"what": "x", "before": None, "after": 0.123456}, {"what": "y", "before": True, "after": [1]}]}
        )
        assert texts(incidents.change_grid(evidence)) == [["x", "–", "0.1235", ""], ["y", "True", "[1]", ""]]

    def test_timeline_is_latest_first_and_names_who(self) -> None:
        rows = incidents.timeline_grid(incident(), NOW, UTC).rows
        assert [cell.sub for cell in (row.cells[1] for row in rows)] == [
            "alert added · Tailwatch", "notified · Tailwatch", "opened · Tailwatch",
        ]  # fmt: skip

    def test_tiles(self) -> None:
        tiles = {tile.label: tile for tile in incidents.tiles(incident(), NOW, UTC)}
        assert tiles["Status"].note == "nobody has taken it"
        assert tiles["Cause"].note == "confidence 94 %"
        assert tiles["Slice"].value == "input_type=code"
        assert tiles["Lasting"].value == "21 min"
        assert tiles["Budget remaining"].value == "-138 %"


class TestTraces:
    def test_children_follow_their_parents(self) -> None:
        waterfall = traces.waterfall(Trace.model_validate(recorded.trace()))
        assert [(bar.name, bar.depth) for bar in waterfall.bars] == [
            ("POST /v1/chat", 0),
            ("chat smollm2-135m-instruct", 1),
            ("queue", 2),
            ("prefill", 2),
            ("decode", 2),
            ("detokenize", 2),
        ]
        assert [label for _, label in waterfall.ticks] == ["0 s", "460 ms", "920 ms", "1.38 s", "1.84 s"]
        assert waterfall.bars[1].tone == "exhausted"

    @given(
        st.lists(
            st.tuples(st.integers(0, 6), st.integers(0, 8), st.floats(0, 100), st.floats(0, 10)),
            min_size=1,
            max_size=12,
        )
    )
    def test_every_span_is_shown_once_within_the_axis(self, drawn: list[tuple[int, int, float, float]]) -> None:
        # ids may repeat, parents may be missing, name themselves or form a circle
        unique = {str(own): (parent, start, length) for own, parent, start, length in drawn}
        spans = [
            Span(span_id=own, parent_span_id=str(parent), start=start, duration=length)
            for own, (parent, start, length) in unique.items()
        ]
        bars = traces.waterfall(Trace(trace_id="t", spans=spans)).bars
        assert sorted(bar.id for bar in bars) == sorted(unique)
        for bar in bars:
            assert 0 <= bar.offset <= 1
            assert 0 <= bar.width <= 1

    def test_no_span_is_no_error(self) -> None:
        nothing = Trace(trace_id="t", spans=[])
        assert traces.waterfall(nothing).bars == []
        assert traces.tiles(nothing, NOW, UTC)[1].value == "0"

    def test_attributes_become_text(self) -> None:
        span = Span(span_id="a", start=0, duration=1, attributes={"b": [1.5, "x"], "a": True, "c": "ä"})
        assert list(traces.waterfall(Trace(trace_id="t", spans=[span])).bars[0].facts) == [
            ("span id", "a"), ("a", "true"), ("b", '[1.5, "x"]'), ("c", "ä"),
        ]  # fmt: skip

    def test_the_newest_first(self) -> None:
        found = [TraceSummary.model_validate(one) for one in recorded.traces()]
        starts = [row.cells[4].sort for row in traces.grid(found, NOW, UTC).rows]
        assert starts == sorted((one.start for one in found), reverse=True)


class TestServices:
    def test_the_busiest_first_and_the_chosen_marked(self) -> None:
        every = [Service.model_validate(one) for one in recorded.services()]
        rows = services.grid(every, "embedding-batch").rows
        assert [row.id for row in rows] == ["reference-inference", "embedding-batch"]
        assert [row.tone for row in rows] == [None, "accent"]
        assert [cell.text for cell in rows[0].cells[-2:]] == ["1.15 %", "–"]

    def test_a_service_without_requests_divides_nothing(self) -> None:
        assert services.grid([Service(service="idle")], None).rows[0].cells[-1].text == "–"

    def test_many_models_are_cut(self) -> None:
        one = Service(service="s", models=[f"m{i}" for i in range(9)])
        assert services.grid([one], None).rows[0].cells[1].text == "m0, m1, m2, m3, m4, m5 and 3 more models"

    def test_the_busiest_series_are_kept(self) -> None:
        series = [
            OneSeries.model_validate({"labels": {"model": str(i)}, "points": [{"t": 0, "count": i}]}) for i in range(12)
        ]
        kept = services.busiest_series(series)
        assert [services.series_name(one, "model") for one in kept] == [str(i) for i in range(11, 3, -1)]


class TestPlaces:
    def test_addresses_are_quoted(self) -> None:
        assert Place("slo", {"slo": "a b&c"}).href == "slo?slo=a+b%26c"
        assert Place("").href == "./"

    @given(st.text(), st.dictionaries(st.text(), st.text()))
    def test_what_the_browser_sends_back_is_the_place(self, name: str, params: dict[str, str]) -> None:
        assert from_json(Place(name, params).to_json()) == Place(name, params)

    @pytest.mark.parametrize("value", [None, "x", 3, {}, {"page": "slo"}, {"params": []}])
    def test_nonsense_from_the_browser_opens_nothing(self, value: object) -> None:
        assert from_json(value) is None

    def test_a_cell_sorts_by_its_text_unless_told_otherwise(self) -> None:
        assert Cell("Abc").to_json()["sort"] == "abc"
        assert Cell("Abc", sort=None).to_json()["sort"] is None
        assert Cell("Abc", sort=0).to_json()["sort"] == 0
