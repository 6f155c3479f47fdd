"""Plots of an outcome: every format is what its ending says, and shows budgets, alerts and incidents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailwatch.backtest.outcome import Outcome
from tailwatch.backtest.plot import check_plot, svg, write_plot
from tailwatch.backtest.scoring import LabelledIncident, calls_of, score
from tailwatch.backtest.tables import headline, tables
from tailwatch.backtest.virtual import BudgetCurve
from telemetry.errors import ConfigError
from tests.tailwatch.backtest.test_scoring import MINUTE_NS, REOPEN_NS, episode

START_NS = 1_767_571_200 * 10**9
END_NS = START_NS + 600 * MINUTE_NS
AT = START_NS / MINUTE_NS


def outcome() -> Outcome:
    calls = calls_of([episode(AT + 103, AT + 125), episode(AT + 400, None, "ticket", slo="b")], REOPEN_NS)
    incidents = (LabelledIncident("deploy", START_NS + 100 * MINUTE_NS, START_NS + 120 * MINUTE_NS),)
    curve = BudgetCurve("a", {"model": "m"}, [START_NS, END_NS], [1.0, -0.5])
    return Outcome(
        START_NS, END_NS, MINUTE_NS, ("a", "b"), calls, (curve,), incidents, score(calls, incidents, 0), ("a note",)
    )


@pytest.mark.parametrize(
    ("name", "begins"), [("p.png", b"\x89PNG"), ("p.svg", b"<svg"), ("p.html", b"<!DOCTYPE html>")]
)
def test_a_plot_is_what_its_ending_says(tmp_path: Path, name: str, begins: bytes):
    path = tmp_path / name
    check_plot(path)
    write_plot(outcome(), path)
    assert path.read_bytes().lstrip().startswith(begins)


def test_a_page_needs_no_network(tmp_path: Path):
    write_plot(outcome(), tmp_path / "p.html")
    assert "cdn.jsdelivr" not in (tmp_path / "p.html").read_text(encoding="utf-8").split("<script>")[0]


def test_a_picture_shows_budgets_alerts_and_their_severities():
    text = svg(outcome())
    for shown in ("a (model=m)", "page", "ticket", "would-be alerts", "budget left, %"):
        assert shown in text


def test_other_formats_are_refused_with_a_sentence(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"is no format of a plot. name a file that ends in .png, .svg, .html"):
        check_plot(tmp_path / "p.pdf")


def test_tables_say_what_happened():
    found = {table.title: table for table in tables(outcome())}
    assert headline(outcome()) == (
        "2026-01-05 00:00 to 2026-01-05 10:00 UTC (10h, evaluated every 1m): 72 pages and 72 tickets per 30 days"
    )
    assert found["Budgets"].rows == (
        ("a", "model=m", "72", "0", "-50.0 %", "2026-01-05 10:00", "-50.0 %"),
        ("b", "(no events)", "0", "72", "", "", ""),
    )  # fmt: skip
    assert found["Would-be alerts"].rows[0][:4] == ("2026-01-05 01:43", "22m", "page", "a")
    assert found["Would-be alerts"].rows[1][1] == "still holds"
    assert found["Incidents"].rows == (("deploy", "2026-01-05 01:40", "20m", "page", "3m", "3m", "5m", "", "", ""),)
    assert found["Score"].rows[0] == ("precision", "50.0 %", "100.0 %")
