"""Charts of finished frames, in the colours of meaning; they fetch nothing and compute no statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard import formats, palette

HEIGHT = 190
_PADDING = {"left": 0, "top": 4, "right": 6, "bottom": 0}

# Vega expressions: an axis of seconds, dollars or counts reads like the tables beside it.
_SECONDS = (
    "datum.value == 0 ? '0' : abs(datum.value) >= 60 ? format(datum.value / 60, '.3~r') + ' min' : "
    "abs(datum.value) >= 1 ? format(datum.value, '.3~r') + ' s' : "
    "abs(datum.value) >= 0.001 ? format(datum.value * 1000, '.3~r') + ' ms' : format(datum.value * 1e6, '.3~r') + ' µs'"
)
_DOLLARS = "datum.value == 0 ? '$0' : '$' + format(datum.value, '.3~r')"
_COUNTS = "format(datum.value, '.3~s')"
_BYTES = "replace(format(datum.value, '.3~s'), /([^0-9]?)$/, ' $1B')"
_MEBIBYTES = "replace(format(datum.value * 1048576, '.3~s'), /([^0-9]?)$/, ' $1B')"
# A 24-hour clock at every zoom; Vega picks the entry by what a tick stands for.
_TIMES = {
    "milliseconds": "%H:%M:%S",
    "seconds": "%H:%M:%S",
    "minutes": "%H:%M",
    "hours": "%H:%M",
    "day": "%d %b",
    "date": "%d %b",
    "week": "%d %b",
    "month": "%b",
    "quarter": "%b",
    "year": "%Y",
}
_PERCENT = "format(datum.value * 100, '.5~r') + ' %'"


def round_values(low: float, high: float) -> list[float]:
    """The values 1, 2 and 5 of each decade between two positive bounds, for a logarithmic axis."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    return [value for value in every if low <= value <= high]


def unit_labels(measure: str) -> str:
    """The axis expression for one of the API's measures."""
    if measure in formats.DURATION_MEASURES:
        return _SECONDS
    return {"cost": _DOLLARS, "confidence": "format(datum.value, '.2~f')"}.get(measure, _COUNTS)


def quantity_labels(unit: str, role: str) -> str:
    """The axis expression for a metric of this unit."""
    if formats.is_share(unit, role):
        return _PERCENT
    return {"s": _SECONDS, "%": "format(datum.value, '.3~r') + ' %'", "By": _BYTES, "MiBy": _MEBIBYTES}.get(
        unit, _COUNTS
    )


def budget(frame: pd.DataFrame, corrected: pd.DataFrame) -> alt.LayerChart:
    """Budget remaining over time; below zero the area is the overspent part. Times that count in none are shaded."""
    y = _y("budget_remaining", _PERCENT, zero=True)
    halves = [("left", ">= 0", palette.OK), ("overspent", "<= 0", palette.EXHAUSTED)]
    layers: list[alt.Chart] = []
    for name, side, colour in halves:
        value = "datum.budget_remaining"
        half = alt.Chart(frame).transform_calculate(
            **{name: f"isValid({value}) && {value} {side} ? {value} : null"},
        )
        encoding = {"x": _x(), "y": alt.Y(f"{name}:Q", title=None)}
        layers += [
            half.mark_area(color=colour, opacity=0.24, interpolate="step-after").encode(**encoding),
            half.mark_line(color=colour, strokeWidth=2, interpolate="step-after").encode(**encoding),
        ]
    # the whole curve lies below, so that it does not break where it crosses zero
    whole = alt.Chart(frame).mark_line(color=palette.QUIET, strokeWidth=1.2, interpolate="step-after")
    whole = whole.encode(x=_x(), y=y)
    shades = [] if corrected.empty else [_shade(corrected)]
    hover = _hover(frame, [("budget_remaining", "Budget", ".1%")])
    return _finish([whole, *layers, _rule(0, palette.EXHAUSTED), *hover, *shades])


def fan(past: pd.DataFrame, ahead: pd.DataFrame) -> alt.LayerChart:
    """Budget remaining until now, and the interval and median of what may be left of it."""
    y = _y("median", _PERCENT, zero=True)
    known = alt.Chart(past).mark_line(color=palette.QUIET, strokeWidth=1.6, interpolate="step-after")
    band = alt.Chart(ahead).mark_area(color=palette.ACCENT, opacity=0.22)
    middle = alt.Chart(ahead).mark_line(color=palette.ACCENT, strokeWidth=2, strokeDash=[5, 3])
    fields = [("high", "9 in 10 below", ".1%"), ("median", "Median", ".1%"), ("low", "1 in 10 below", ".1%")]
    return _finish(
        [
            known.encode(x=_x(), y=alt.Y("budget_remaining:Q", title=None)),
            band.encode(x=_x(), y=alt.Y("low:Q", title=None), y2="high:Q"),
            middle.encode(x=_x(), y=y),
            _rule(0, palette.EXHAUSTED),
            *_hover(ahead, fields),
        ]
    )


def sli(frame: pd.DataFrame, objective: float) -> alt.LayerChart:
    """SLI of each step with the objective as a line."""
    low = min([objective, *frame["sli"].dropna()])
    margin = max((1 - low) * 0.08, 1e-6)
    y = _y("sli", _PERCENT, zero=False, domain=(max(0.0, low - margin), 1.0))
    line = alt.Chart(frame).mark_line(color=palette.ACCENT, strokeWidth=1.8, point=_lonely(frame)).encode(x=_x(), y=y)
    fields = [("sli", "SLI", ".3%"), ("bad", "Bad", ",.0f"), ("total", "Total", ",.0f")]
    return _finish([line, _rule(objective, palette.EXHAUSTED), *_hover(frame, fields)])


def spent(frame: pd.DataFrame) -> alt.LayerChart:
    """Money that went within each step."""
    y = _y("total", "format(datum.value, '$,.3~r')", zero=True)
    line = alt.Chart(frame).mark_area(
        color=palette.ACCENT, opacity=0.24, line={"color": palette.ACCENT}, interpolate="step-after"
    )  # fmt: skip
    return _finish([line.encode(x=_x(), y=y), *_hover(frame, [("total", "Spent", "$,.4~r")])])


def burn(frame: pd.DataFrame, thresholds: Sequence[tuple[float, str]]) -> alt.LayerChart:
    """Burn rate of each step, with the policy's factors that lie within reach of the curve."""
    top = max([1.0, *frame["burn"].dropna()]) * 1.12
    shown = [(1.0, "1×: the budget just lasts"), *((f, label) for f, label in thresholds if f != 1.0)]
    reached = [(factor, label) for factor, label in shown if factor <= top]
    following = [pair for pair in sorted(shown) if pair[0] > top][:1]
    if following and following[0][0] < top * 4:
        reached += following
        top = following[0][0] * 1.12
    y = _y("burn", "format(datum.value, '.3~r') + '×'", zero=True, domain=(0.0, top))
    line = alt.Chart(frame).mark_line(color=palette.BURNING, strokeWidth=1.8, point=_lonely(frame)).encode(x=_x(), y=y)
    lines = pd.DataFrame(_apart(reached, top), columns=["factor", "label"])
    rule = alt.Chart(lines).mark_rule(color=palette.EXHAUSTED, strokeDash=[4, 4], opacity=0.7).encode(y="factor:Q")
    note = (
        alt.Chart(lines)
        .mark_text(align="left", baseline="bottom", dx=4, dy=-2, fontSize=11, color=palette.EXHAUSTED)
        .encode(y="factor:Q", x=alt.value(0), text="label:N")
    )
    return _finish([line, rule, note, *_hover(frame, [("burn", "Burn", ".2f")])])


def percentiles(frame: pd.DataFrame, measure: str, bound: float | None = None) -> alt.LayerChart:
    """p50, p95 and p99 over time, with the SLO's bound where there is one."""
    y = _y("value", unit_labels(measure), zero=True)
    lines = (
        alt.Chart(frame)
        .transform_fold(["p50", "p95", "p99"], as_=["percentile", "value"])
        .mark_line(strokeWidth=1.8, point=_lonely(frame, "p50"))
        .encode(x=_x(), y=y, color=_colours("percentile", ["p50", "p95", "p99"], palette.SLOW, line=True))
    )
    fields = [(name, name, _tooltip_format(measure)) for name in ("p50", "p95", "p99")]
    bounds = [] if bound is None else [_rule(bound, palette.EXHAUSTED)]
    return _finish([lines, *bounds, *_hover(frame, [*fields, ("count", "Requests", ",.0f")])])


def lines(frame: pd.DataFrame, column: str, labels: str, tooltip: str, bound: float | None = None) -> alt.LayerChart:
    """One line for each series, and the bound that they shall be below, where there is one."""
    names = list(dict.fromkeys(frame["series"]))
    drawn = (
        alt.Chart(frame)
        .mark_line(strokeWidth=1.8, point=_lonely(frame, column))
        .encode(
            x=_x(),
            y=_y(column, labels, zero=True),
            color=alt.Color("series:N", sort=names, legend=_legend(line=True)),
            tooltip=[
                alt.Tooltip("series:N", title="Series"),
                alt.Tooltip("time:T", title="Time", format="%d %b %H:%M:%S"),
                alt.Tooltip(f"{column}:Q", title="Value", format=tooltip),
            ],
        )
    )
    return _finish([drawn, *([] if bound is None else [_rule(bound, palette.EXHAUSTED)])])


def traffic(frame: pd.DataFrame) -> alt.LayerChart:
    """Requests per minute, those with errors on top."""
    areas = (
        alt.Chart(frame)
        .transform_fold(["ok_per_minute", "errors_per_minute"], as_=["kind", "rate"])
        .transform_calculate(outcome="datum.kind == 'ok_per_minute' ? 'succeeded' : 'failed'")
        .mark_area(opacity=0.75)
        .encode(
            x=_x(),
            y=alt.Y("rate:Q", title=None, stack="zero", axis=alt.Axis(labelExpr=_COUNTS, tickCount=4)),
            color=_colours("outcome", ["succeeded", "failed"], (palette.ACCENT, palette.EXHAUSTED)),
            order=alt.Order("outcome:N", sort="descending"),
        )
    )
    fields = [("per_minute", "Per minute", ",.1f"), ("errors_per_minute", "Failed", ",.1f")]
    return _finish([areas, *_hover(frame, fields)])


def error_share(frame: pd.DataFrame) -> alt.LayerChart:
    """Share of requests with errors."""
    line = (
        alt.Chart(frame)
        .mark_area(color=palette.EXHAUSTED, opacity=0.25, line={"color": palette.EXHAUSTED, "strokeWidth": 1.6})
        .encode(x=_x(), y=_y("error_share", _PERCENT, zero=True))
    )
    fields = [("error_share", "Errors", ".2%"), ("errors", "Failed", ",.0f"), ("count", "Requests", ",.0f")]
    return _finish([line, *_hover(frame, fields)])


def heatmap(frame: pd.DataFrame, measure: str) -> alt.Chart:
    """Requests by time and value; the colour grows with the square root, so that the thin tail shows."""
    low, high = float(frame["low"].min()), float(frame["high"].max())
    cells: alt.Chart = (
        alt.Chart(frame)
        .mark_rect(strokeWidth=0)
        .encode(
            x=_x(),
            x2="until:T",
            y=alt.Y(
                "low:Q",
                title=None,
                scale=alt.Scale(type="log", domain=[low, high], nice=False),
                axis=alt.Axis(labelExpr=unit_labels(measure), values=round_values(low, high), grid=False),
            ),
            y2="high:Q",
            color=alt.Color(
                "count:Q",
                title="requests",
                scale=alt.Scale(type="sqrt"),
                legend=alt.Legend(orient="top", gradientLength=160, gradientThickness=8, titleOrient="left"),
            ),
            tooltip=[
                alt.Tooltip("time:T", title="Time", format="%d %b %H:%M:%S"),
                alt.Tooltip("low:Q", title="From", format=_tooltip_format(measure)),
                alt.Tooltip("high:Q", title="To", format=_tooltip_format(measure)),
                alt.Tooltip("count:Q", title="Requests", format=",.0f"),
            ],
        )
    )
    return _sized(cells, height=220)


def attribution(frame: pd.DataFrame, guilty: Sequence[str]) -> alt.Chart:
    """Share of the excess by slice; the slice that was blamed stands out."""
    shares = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3, height={"band": 0.68})
        .encode(
            y=alt.Y("slice:N", sort=None, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False)),
            x=alt.X("share:Q", title="share of the excess", axis=alt.Axis(labelExpr=_PERCENT, tickCount=5)),
            color=alt.condition(
                alt.FieldOneOfPredicate("slice", list(guilty)), alt.value(palette.EXHAUSTED), alt.value(palette.ACCENT)
            ),
            tooltip=[
                alt.Tooltip("slice:N", title="Slice"),
                alt.Tooltip("share:Q", title="Share of the excess", format=".1%"),
                alt.Tooltip("bad:Q", title="Bad", format=",.0f"),
                alt.Tooltip("total:Q", title="Total", format=",.0f"),
            ],
        )
    )
    return _sized(shares, height=max(90, 26 * len(frame) + 44))


def tail(frame: pd.DataFrame) -> alt.Chart:
    """Seconds of each part of a request, before and now."""
    parts = list(dict.fromkeys(frame["part"]))
    bars = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("part:N", sort=parts, title=None, axis=alt.Axis(ticks=False, domain=False)),
            yOffset=alt.YOffset("when:N", sort=["before", "now"]),
            x=alt.X("seconds:Q", title=None, axis=alt.Axis(labelExpr=_SECONDS, tickCount=5)),
            color=_colours("when", ["before", "now"], (palette.QUIET, palette.BURNING)),
            tooltip=[
                alt.Tooltip("part:N", title="Part"),
                alt.Tooltip("when:N", title="When"),
                alt.Tooltip("seconds:Q", title="Seconds", format=".3~f"),
            ],
        )
    )
    return _sized(bars, height=max(110, 42 * len(parts) + 56))


def _x() -> alt.X:
    return alt.X("time:T", title=None, axis=alt.Axis(format=_TIMES, tickCount=6, grid=False, labelOverlap=True))


def _y(field: str, labels: str, *, zero: bool, domain: tuple[float, float] | None = None) -> alt.Y:
    scale = alt.Scale(zero=zero) if domain is None else alt.Scale(domain=list(domain), nice=False, clamp=True)
    return alt.Y(f"{field}:Q", title=None, scale=scale, axis=alt.Axis(labelExpr=labels, tickCount=4))


def _shade(spans: pd.DataFrame) -> alt.Chart:
    shade = alt.Chart(spans).mark_rect(color=palette.QUIET, opacity=0.3)
    drawn: alt.Chart = shade.encode(
        x=_x(),
        x2="until:T",
        tooltip=[
            alt.Tooltip("reason:N", title="Corrected"),
            alt.Tooltip("author:N", title="By"),
            alt.Tooltip("time:T", title="From", format="%d %b %H:%M:%S"),
            alt.Tooltip("until:T", title="To", format="%d %b %H:%M:%S"),
        ],
    )
    return drawn


def _rule(at: float, colour: str) -> alt.Chart:
    rule = alt.Chart(pd.DataFrame({"at": [at]})).mark_rule(color=colour, strokeDash=[4, 4])
    drawn: alt.Chart = rule.encode(y="at:Q")
    return drawn


def _hover(frame: pd.DataFrame, fields: Sequence[tuple[str, str, str]]) -> list[alt.Chart]:
    nearest = alt.selection_point(nearest=True, on="pointerover", fields=["time"], empty=False, clear="pointerout")
    tooltips = [alt.Tooltip(f"{field}:Q", title=title, format=form) for field, title, form in fields]
    rule = (
        alt.Chart(frame)
        .mark_rule(color=palette.QUIET)
        .encode(
            x=_x(),
            opacity=alt.condition(nearest, alt.value(0.7), alt.value(0)),
            tooltip=[alt.Tooltip("time:T", title="Time", format="%d %b %H:%M:%S"), *tooltips],
        )
        .add_params(nearest)
    )
    return [rule]


def _colours(field: str, names: Sequence[str], colours: Sequence[str], *, line: bool = False) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(colours))
    return alt.Color(f"{field}:N", scale=scale, sort=list(names), legend=_legend(line=line))


def _legend(*, line: bool) -> alt.Legend:
    columns = alt.ExprRef("width < 450 ? 1 : 0")  # on a narrow screen names would run out of the chart
    if line:
        return alt.Legend(orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, offset=2, columns=columns)
    return alt.Legend(
        orient="top", title=None, symbolType="square", symbolSize=90, symbolStrokeWidth=0, offset=2, columns=columns
    )


def _lonely(frame: pd.DataFrame, column: str | None = None) -> bool:
    """Whether the curve is so short that it needs dots to be seen."""
    return len(frame if column is None else frame[column].dropna()) < 3


def _apart(thresholds: Sequence[tuple[float, str]], top: float) -> list[tuple[float, str]]:
    """Thresholds whose labels do not print over each other; the line of a dropped label would confuse, too."""
    kept: list[tuple[float, str]] = []
    for factor, label in sorted(thresholds, reverse=True):
        if not kept or kept[-1][0] - factor > top * 0.13:
            kept.append((factor, label))
    return kept


def _tooltip_format(measure: str) -> str:
    return ".4~f" if measure in formats.DURATION_MEASURES else ".3~g" if measure == "cost" else ",.3~f"


def _finish(layers: Sequence[alt.Chart]) -> alt.LayerChart:
    chart: alt.LayerChart = alt.LayerChart(layer=list(layers)).properties(height=HEIGHT, padding=_PADDING)
    return chart


def _sized(chart: alt.Chart, height: int) -> alt.Chart:
    sized: alt.Chart = chart.properties(height=height, padding=_PADDING)
    return sized
