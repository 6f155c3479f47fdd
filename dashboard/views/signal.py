"""What an SLO looks at, drawn: the gauge of a saturation SLO, arrivals, a composite's parts, else a measure."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, formats, frames, periods
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.documents.slos import Slo
from dashboard.viewmodels import budgets, overview, signals
from dashboard.views import page

# percentiles of a month's window say little; the last day at most keeps the course legible
_LONGEST_S = 86400


def draw(slo: Slo, span_s: float, now: float) -> Place | None:
    """What the SLO looks at over the last ``span_s``; where a click leads, if there was one."""
    period = periods.last(min(span_s, _LONGEST_S), now, most_points=120)
    if slo.kind == "saturation":
        _gauges(slo, period)
    elif slo.kind == "freshness":
        _arrivals(slo, period)
    elif slo.kind == "composite":
        return _components(slo)
    else:
        _measure(slo, period)
    return None


def _gauges(slo: Slo, period: periods.Period) -> None:
    found = signals.gauges(slo, page.client().metrics())
    if not found:
        page.section("Gauge")
        st.html(f'<p class="tw-nothing">No such gauge of {slo.service} has arrived within the last hour.</p>')
    for metric in found:
        course = page.client().metric(
            metric.name, start=period.start, end=period.end, step=period.step,
            service=metric.service, by=signals.gauge_split(slo),
        )  # fmt: skip
        frame = frames.metric(course, signals.gauge_line, period, signals.gauge_column(slo))
        labels = charts.quantity_labels(metric.unit, metric.role)
        empty = frame["value"].dropna().empty
        drawing = None if empty else charts.lines(frame, "value", labels, ".4~g", signals.gauge_bound(slo))
        note = signals.gauge_note(slo, period.step)
        page.chart(metric.title or metric.name, drawing, f"gauge-{metric.name}-{metric.unit}", note)


def _arrivals(slo: Slo, period: periods.Period) -> None:
    operation = budgets.equality(slo.where, "operation")
    series = page.client().series(
        "duration", start=period.start, end=period.end, step=period.step, service=slo.service, operation=operation
    )
    frame = frames.series(series, lambda _: "requests", period)
    drawing = None if frame.empty else charts.lines(frame, "count", charts.quantity_labels("", ""), ",.0f")
    of = f"{operation} requests" if operation else "requests"
    page.chart(f"Arrivals of {of} from {slo.service}", drawing, "arrivals", f"per {formats.seconds(period.step)}")


def _components(slo: Slo) -> Place | None:
    parts = signals.components(slo, page.client().slos())
    page.section("Components", "each has an objective and alerts of its own, which do not matter here")
    return mount.show_grid(overview.slo_grid(parts))


def _measure(slo: Slo, period: periods.Period) -> None:
    watched = budgets.watched_measure(slo)
    left, right = st.columns([8, 2], vertical_alignment="bottom")
    with right:
        measure = st.selectbox(
            "Measure",
            list(budgets.MEASURES),
            index=list(budgets.MEASURES).index(watched),
            format_func=budgets.MEASURES.__getitem__,
            key=f"measure-{slo.name}",
            label_visibility="collapsed",
        )
    operation = budgets.equality(slo.where, "operation")
    of = f"of {operation} requests" if operation else f"of all requests to {slo.service}"
    with left:
        page.section(f"{budgets.MEASURES[measure]} {of}")
    start, end, step, service = period.start, period.end, period.step, slo.service or None
    series = page.client().series(measure, start=start, end=end, step=step, service=service, operation=operation)
    frame = frames.series(series, lambda _: "all", period).dropna(subset=["p50"])
    heat = page.client().heatmap(measure, start=start, end=end, step=step, service=service, operation=operation)
    cells = frames.heatmap(heat, period.step)
    first, second = st.columns(2)
    with first:
        bound = budgets.threshold(slo, measure)
        drawing = None if frame.empty else charts.percentiles(frame, measure, bound)
        page.chart("Percentiles", drawing, "percentiles", f"per {formats.seconds(period.step)}")
    with second:
        page.chart("Distribution", None if cells.empty else charts.heatmap(cells, measure), "heatmap", "logarithmic")
