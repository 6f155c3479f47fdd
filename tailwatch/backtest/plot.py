"""Budgets, would-be alerts and incidents over time as a picture; it computes nothing.

Drawn with Altair, written by vl-convert: no browser, no network, and an HTML file that needs none either.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tailwatch.backtest.outcome import Outcome
from tailwatch.backtest.tables import named
from telemetry.errors import ConfigError
from telemetry.windows import NANOS

FORMATS: Final = (".png", ".svg", ".html")
_WIDTH: Final = 900
_LANE: Final = 18
_SEVERITY_COLOURS: Final = {"page": "#d62728", "ticket": "#f0a202"}
_CLIP: Final = re.compile(r"\bclip\d+\b")
_MS: Final = NANOS // 1000
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {".html": {"inline": True}, ".png": {"scale_factor": 2}}


def check_plot(path: Path) -> None:
    """Make sure, before a long run, that its picture can be drawn.

    Raises:
        ConfigError: no such format, or the libraries are not installed.
    """
    if path.suffix.lower() not in FORMATS:
        remedy = f"name a file that ends in {', '.join(FORMATS)}"
        raise ConfigError(f"{path.suffix or 'no ending'} is no format of a plot", where=str(path), remedy=remedy)
    check_libraries(path)


def check_libraries(path: Path) -> None:
    """Make sure that a picture for ``path`` can be drawn.

    Raises:
        ConfigError: the libraries are not installed.
    """
    for name in ("altair", "vl_convert"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            remedy = "pip install 'tailwatch[plot]'"
            raise ConfigError(f"a plot needs {name}, which is not installed", where=str(path), remedy=remedy) from None


def write_plot(outcome: Outcome, path: Path) -> None:
    """Draw ``outcome`` into ``path``, in the format that its ending says.

    Raises:
        ConfigError: the file cannot be written.
    """
    chart = _chart(outcome)
    options = _OPTIONS.get(path.suffix.lower(), {})
    try:
        chart.save(str(path), **options)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path), remedy="choose another") from None


def svg(outcome: Outcome) -> str:
    """The picture as SVG text, the same for the same outcome."""
    convert = importlib.import_module("vl_convert")
    text: str = convert.vegalite_to_svg(_chart(outcome).to_json())
    # The writer numbers clip paths through all the pictures of a process.
    numbers: dict[str, str] = {}
    return _CLIP.sub(lambda found: numbers.setdefault(found[0], f"clip{len(numbers)}"), text)


def _chart(outcome: Outcome) -> Any:
    alt = importlib.import_module("altair")
    span = alt.Scale(domain=[outcome.start_ns // _MS, outcome.end_ns // _MS], type="utc", nice=False)
    axis = alt.Axis(format="%d %b %H:%M", labelOverlap=True, tickCount=10)
    x = alt.X("t:T", title=None, scale=span, axis=axis)
    x_from = alt.X("start:T", title=None, scale=span, axis=axis)
    shade = (
        alt.Chart(alt.Data(values=_incident_rows(outcome)))
        .mark_rect(color="#7f7f7f", opacity=0.25)
        .encode(x=x_from, x2="end:T", tooltip=["incident:N", "start:T", "end:T"])
    )
    excluded = (
        alt.Chart(alt.Data(values=_correction_rows(outcome)))
        .mark_rect(color="#1f9e89", opacity=0.25)
        .encode(x=x_from, x2="end:T", tooltip=["correction:N", "start:T", "end:T"])
    )
    zero = alt.Chart(alt.Data(values=[{"y": 0}])).mark_rule(color="#555555", strokeDash=[4, 3]).encode(y="y:Q")
    lines = (
        alt.Chart(alt.Data(values=_budget_rows(outcome)))
        .mark_line(interpolate="step-after", clip=True)
        .encode(
            x=x,
            y=alt.Y("budget:Q", title="budget left, %", scale=alt.Scale(domain=_budget_domain(outcome))),
            color=alt.Color("series:N", title="budget", legend=alt.Legend(labelLimit=260)),
            tooltip=["series:N", "t:T", alt.Tooltip("budget:Q", format=".1f")],
        )
    )
    budgets = alt.layer(excluded, shade, zero, lines).properties(width=_WIDTH, height=320, title=_title(outcome))
    lanes = _call_rows(outcome)
    if not lanes:
        return budgets
    colours = alt.Scale(domain=[*_SEVERITY_COLOURS], range=[*_SEVERITY_COLOURS.values()])
    bars = (
        alt.Chart(alt.Data(values=lanes))
        .mark_bar(height=_LANE - 6)
        .encode(
            x=x_from, x2="end:T",
            y=alt.Y("series:N", title=None, axis=alt.Axis(labelLimit=260)),
            color=alt.Color("severity:N", title="alert", scale=colours),
            tooltip=["series:N", "severity:N", "start:T", "end:T", "summary:N"],
        )
    )  # fmt: skip
    height = _LANE * len({row["series"] for row in lanes}) + 8
    alerts = alt.layer(excluded, shade, bars).properties(width=_WIDTH, height=height, title="would-be alerts")
    return alt.vconcat(budgets, alerts).resolve_scale(color="independent")


def _title(outcome: Outcome) -> str:
    shaded = [", incidents grey"] if outcome.incidents else []
    shaded += [", corrected times green"] if outcome.corrections else []
    return f"error budgets, evaluated every {outcome.step_ns // NANOS} s{''.join(shaded)}; times in UTC"


def _budget_domain(outcome: Outcome) -> list[float]:
    """From 100 % down to the lowest budget, but not so far that the others become one line."""
    lowest = min((found[0] for curve in outcome.curves if (found := curve.lowest) is not None), default=0.0)
    return [max(min(100 * lowest - 5, 0.0), -200.0), 100.0]


def _incident_rows(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"incident": one.name, "start": one.start_ns // _MS, "end": min(one.end_ns, outcome.end_ns) // _MS}
        for one in outcome.incidents or ()
    ]


def _correction_rows(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {
            "correction": one.asked.reason, "start": max(one.asked.start_ns, outcome.start_ns) // _MS,
            "end": min(one.asked.end_ns, outcome.end_ns) // _MS,
        }
        for one in outcome.corrections
    ]  # fmt: skip


def _budget_rows(outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"series": _series(curve.slo, named(curve.group)), "t": at_ns // _MS, "budget": 100 * left}
        for curve in outcome.curves
        for at_ns, left in zip(curve.times_ns, curve.remaining, strict=True)
        if left is not None
    ]


def _call_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """A bar for every alert, tickets first, so that pages are drawn over them, and long enough to be seen."""
    shortest = (outcome.end_ns - outcome.start_ns) // _MS // (_WIDTH // 2)
    rows: list[dict[str, Any]] = [
        {
            "series": _series(call.slo, named(call.group)), "severity": episode.severity,
            "start": episode.start_ns // _MS,
            "end": (outcome.end_ns if episode.end_ns is None else episode.end_ns) // _MS, "summary": episode.summary,
        }
        for call in outcome.calls for episode in call.episodes
    ]  # fmt: skip
    for row in rows:
        row["end"] = max(row["end"], row["start"] + shortest)
    return sorted(rows, key=lambda row: bool(row["severity"] == "page"))


def _series(slo: str, group: str) -> str:
    return f"{slo} ({group})" if group else slo
