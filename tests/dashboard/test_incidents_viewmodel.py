"""What the pages of incidents and traces show."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import frames
from dashboard.documents.evidence import Evidence
from dashboard.documents.traces import Span, Trace, TraceSummary
from dashboard.viewmodels import incidents, traces
from tests.dashboard import recorded
from tests.dashboard.viewed import incident, summaries, texts

NOW = recorded.NOW


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

    def test_a_page_stands_before_newer_tickets(self) -> None:
        page, later = summaries()[0], NOW - 1
        tickets = [page.model_copy(update={"id": f"t{n}", "severity": "ticket", "opened_at": later}) for n in range(9)]
        taken = page.model_copy(update={"id": "taken", "status": "acknowledged", "opened_at": later})
        kept = incidents.filtered([*tickets, taken, page], statuses=[], service=None, wanted="")
        assert [one.id for one in kept] == [page.id, *(one.id for one in tickets), "taken"]

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

    def test_a_slice_of_several_labels_is_told_label_by_label(self) -> None:
        labels = {"input_type": "code", "model": "a and b"}
        both = {"dimension": "input_type and model", "value": "code and a and b", "labels": labels}
        one = {"dimension": "input_type", "value": "code", "labels": {"input_type": "code"}}
        evidence = Evidence.model_validate({"slice": {"input_type": "code"}, "attribution": [one, both]})
        rows = incidents.attribution_grid(evidence).rows
        assert [(row.cells[0].text, row.tone) for row in rows] == [
            ("input_type=code", "exhausted"), ("input_type=code, model=a and b", None),
        ]  # fmt: skip
        assert frames.attribution(evidence.attribution)["slice"].tolist() == [row.cells[0].text for row in rows]

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
        assert (tiles["Lasting"].value, tiles["Lasting"].note) == ("21 min", "since 13:52:20")
        assert tiles["Budget remaining"].value == "-138 %"

    def test_tiles_of_a_posted_alert_promise_no_budget(self) -> None:
        posted = incident().model_copy(update={"slo": "", "evidence": Evidence()})
        budget = incidents.tiles(posted, NOW, UTC)[-1]
        assert (budget.label, budget.note) == ("Budget remaining", "the alert belongs to no SLO")

    def test_a_merged_incident_is_called_so_as_in_the_list(self) -> None:
        merged = incident().model_copy(update={"merged_into": "INC-3", "status": "resolved"})
        status = incidents.tiles(merged, NOW, UTC)[0]
        assert (status.value, status.note, status.tone) == ("Merged", "merged into INC-3", "silent")


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
