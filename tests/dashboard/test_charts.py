"""Frames and charts: the right rows, and drawings that Vega-Lite accepts, also for little or no data."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
import pytest

from dashboard import charts, frames
from dashboard.documents.budgets import Correction, Forecast
from dashboard.documents.evidence import Attribution, TailPart
from dashboard.documents.slos import HistoryPoint
from dashboard.documents.traffic import Heatmap, OneSeries
from dashboard.periods import Period
from tests.dashboard import recorded

START, END = recorded.NOW - 3600, recorded.NOW


def history(points: int = 20) -> pd.DataFrame:
    drawn = recorded.history(START, END, 3600 / points, 0.99)
    return frames.history([HistoryPoint.model_validate(point) for point in drawn])


def series() -> pd.DataFrame:
    found = [OneSeries.model_validate(one) for one in recorded.series("duration", START, END, 60, "model")]
    return frames.series(found, lambda one: one.labels["model"], Period(START, END, 60))


def valid(chart: alt.Chart | alt.LayerChart) -> dict[str, Any]:
    document: dict[str, Any] = chart.to_dict()  # validates against Vega-Lite's schema
    return document


def test_history_frame() -> None:
    frame = frames.history([HistoryPoint(t=0, good=9, total=10, sli=0.9), HistoryPoint(t=60)])
    assert str(frame["time"].dt.tz) == "UTC"
    assert frame["bad"].tolist()[0] == 1
    assert frame["bad"].isna().tolist() == [False, True]
    assert frame["burn"].isna().all()


def test_series_frame_has_rates() -> None:
    one = OneSeries.model_validate(
        {"labels": {}, "points": [{"t": 0, "count": 30, "errors": 3}, {"t": 30, "count": 0}]}
    )
    frame = frames.series([one], lambda _: "all", Period(0, 60, 30))
    assert frame["per_minute"].tolist() == [60.0, 0.0]
    assert frame["error_share"].tolist()[0] == 0.1
    assert frame["error_share"].isna().tolist() == [False, True]


def test_empty_frames_have_their_columns() -> None:
    assert frames.history([]).empty
    assert frames.series([], str, Period(0, 60, 30))["p99"].empty
    assert frames.heatmap(Heatmap(t=[], edges=[], counts=[]), 60).empty
    assert frames.tail([]).empty
    assert frames.attribution([]).empty


def test_heatmap_frame_keeps_filled_bins_and_avoids_zero() -> None:
    heat = Heatmap(t=[0, 60], edges=[0, 0.1, 0.2], counts=[[3, 0], [0, 4]])
    frame = frames.heatmap(heat, 60)
    assert frame[["low", "high", "count"]].values.tolist() == [[0.05, 0.1, 3], [0.1, 0.2, 4]]
    assert (frame["until"] - frame["time"]).dt.total_seconds().tolist() == [60, 60]


@pytest.mark.parametrize(
    "heat",
    [
        Heatmap(t=[0], edges=[0.1], counts=[[]]),
        Heatmap(t=[0], edges=[0.1, 0.2], counts=[[1, 2, 3]]),
        Heatmap(t=[0, 60], edges=[0.1, 0.2], counts=[[1]]),
        Heatmap(t=[0], edges=[-1.0, -0.5, 0.5], counts=[[1, 1]]),
    ],
)
def test_a_ragged_heatmap_is_no_error(heat: Heatmap) -> None:
    assert (frames.heatmap(heat, 60)["low"] > 0).all()


def test_attribution_frame_is_cut_and_ordered() -> None:
    parts = [Attribution(dimension="d", value=str(i), excess_share=i / 20) for i in range(15)]
    frame = frames.attribution(parts)
    assert frame["slice"].tolist()[:2] == ["d=14", "d=13"]
    assert len(frame) == 12


@pytest.mark.parametrize("points", [1, 2, 20])
def test_history_charts(points: int) -> None:
    frame = history(points)
    valid(charts.budget(frame, frames.spans([], START, END)))
    valid(charts.sli(frame, 0.99))
    valid(charts.burn(frame, [(14.4, "page"), (6.0, "page"), (3.0, "ticket"), (1.0, "ticket")]))


def test_a_budget_chart_shades_what_is_corrected_and_in_sight() -> None:
    found = [Correction.model_validate(one) for one in recorded.corrections("a")]
    shaded = frames.spans(found, START, END)
    assert shaded["reason"].tolist() == ["node drain"]
    assert (shaded["until"] - shaded["time"]).dt.total_seconds().tolist() == [END - START]
    marks = [layer["mark"]["type"] for layer in valid(charts.budget(history(), shaded))["layer"]]
    assert marks.count("rect") == 1


def test_a_fan_holds_its_interval() -> None:
    ahead = frames.fan(Forecast.model_validate(recorded.forecast()).fan)
    assert (ahead["low"] < ahead["median"]).all()
    document = valid(charts.fan(history(), ahead))
    assert [layer["mark"]["type"] for layer in document["layer"]][:3] == ["line", "area", "line"]


def burn_lines(highest: float) -> list[float]:
    frame = frames.history([HistoryPoint(t=0, burn=0.1), HistoryPoint(t=60, burn=highest)])
    document = valid(charts.burn(frame, [(14.4, "page"), (6.0, "page"), (3.0, "ticket"), (1.0, "ticket")]))
    tables = [table for table in document["datasets"].values() if "factor" in table[0]]
    return sorted(row["factor"] for row in tables[0])


def test_burn_shows_the_factors_within_reach_and_the_next() -> None:
    assert burn_lines(0.2) == [1.0, 3.0]
    assert burn_lines(2.0) == [1.0, 3.0]
    assert burn_lines(5.0) == [1.0, 3.0, 6.0]
    assert 14.4 in burn_lines(20.0)


def test_series_charts() -> None:
    frame = series()
    valid(charts.percentiles(frame, "duration", 1.0))
    valid(charts.lines(frame, "p99", charts.unit_labels("cost"), ".3~f"))
    valid(charts.traffic(frame))
    valid(charts.error_share(frame))


def test_heatmap_chart_has_round_ticks() -> None:
    heat = Heatmap.model_validate(recorded.heatmap("duration", START, END, 60))
    valid(charts.heatmap(frames.heatmap(heat, 60), "duration"))
    assert charts.round_values(0.02, 3) == pytest.approx([0.02, 0.05, 0.1, 0.2, 0.5, 1, 2])


def test_evidence_charts() -> None:
    evidence = recorded.evidence()
    valid(
        charts.attribution(
            frames.attribution([Attribution.model_validate(a) for a in evidence["attribution"]]), ["input_type=code"]
        )
    )
    valid(charts.attribution(frames.attribution([Attribution.model_validate(a) for a in evidence["attribution"]]), []))
    valid(charts.tail(frames.tail([TailPart.model_validate(part) for part in evidence["tail"]])))
