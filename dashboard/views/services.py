"""Services: traffic, errors, latency, tokens and cost of one service, by model."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard import charts, formats, frames, navigation, periods
from dashboard.components import mount
from dashboard.documents.traffic import OneSeries, Service
from dashboard.viewmodels import services
from dashboard.views import page

REFRESH_S = page.SLOW_S
Fetch = Callable[[str, str | None], list[OneSeries]]

BREAKDOWNS = ("model", "operation", "model_version", "input_type", "environment")


def render() -> None:
    """Draw the page."""
    page.head("Services", "What sends telemetry, and how it fares")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    status = page.attempt(page.client().status)
    every = page.attempt(page.client().services) if status else None
    if status is None or every is None:
        return
    names = [one.service for one in sorted(every, key=lambda one: (-one.requests_1h, one.service))]
    asked = st.query_params.get("service")
    if asked is not None and asked not in names:
        page.complain(f"No service named {asked} has sent telemetry lately.")
    chosen = asked if asked in names else names[0] if names else None
    sources = page.attempt(page.client().sources)
    opened = mount.show_grid(services.grid(every, chosen, sources or ()))
    if chosen is not None:
        service = next(one for one in every if one.service == chosen)
        with page.sentences():
            _detail(service, status.now)
    st.caption(page.freshness(status, REFRESH_S))
    navigation.follow(opened)


def _detail(service: Service, now: float) -> None:
    head, operation_box, by_box, span_box = st.columns([4, 2, 2, 4], vertical_alignment="bottom")
    with head:
        page.section(service.service)
    with operation_box:
        operation = st.selectbox(
            "Operation", service.operations, index=None, placeholder="All", key=f"operation-{service.service}"
        )
    with by_box:
        by = st.selectbox("Broken down by", BREAKDOWNS, format_func=formats.words, key="service-by")
    with span_box:
        span = st.segmented_control(
            "Time range", list(periods.RANGES_S), default="1 h", key="service-range", required=True
        )
    period = periods.last(periods.RANGES_S[span or "1 h"], now, most_points=120)

    def fetch(measure: str, by: str | None) -> list[OneSeries]:
        return page.client().series(
            measure,
            start=period.start,
            end=period.end,
            step=period.step,
            service=service.service,
            operation=operation,
            by=by,
        )

    step = f"per {formats.seconds(period.step)}"
    first, second = st.columns(2)
    with page.sentences():
        frame = frames.series(fetch("duration", None), lambda _: "all", period)
        busy = not frame.empty and frame["count"].sum() > 0
        with first:
            page.chart("Requests per minute", charts.traffic(frame) if busy else None, "traffic")
            page.chart("Latency", charts.percentiles(frame, "duration") if busy else None, "latency", step)
        with second:
            page.chart("Requests with errors", charts.error_share(frame) if busy else None, "errors", step)
            with page.sentences():
                _by_series("duration", fetch("duration", by), by, period, ("p99", "p99 latency"))
    _measures(fetch, by, period)


def _measures(fetch: Fetch, by: str, period: periods.Period) -> None:
    left, right = st.columns(2)
    shown = (
        (left, "tokens_in", "p50", "Input tokens, median"),
        (right, "tokens_out", "p50", "Output tokens, median"),
        (left, "ttft", "p95", "p95 time to first token"),
        (right, "cost", "p50", "Cost per request, median"),
    )
    for column, measure, percentile, title in shown:
        with column, page.sentences():
            series = fetch(measure, by)
            if measure == "cost" and any(point.sum is not None for one in series for point in one.points):
                _by_series(measure, series, by, period, ("sum_per_minute", "Cost per minute"))
            else:
                _by_series(measure, series, by, period, (percentile, title))


def _by_series(measure: str, series: list[OneSeries], by: str, period: periods.Period, what: tuple[str, str]) -> None:
    column, title = what
    shown = services.busiest_series(series)
    frame = frames.series(shown, lambda one: services.series_name(one, by), period)
    empty = frame[column].dropna().empty
    tooltip = ".4~g" if measure in {"cost", *formats.DURATION_MEASURES} else ",.0f"
    drawing = None if empty else charts.lines(frame, column, charts.unit_labels(measure), tooltip)
    more = f", the busiest {len(shown)} of {len(series)}" if len(series) > len(shown) else ""
    page.chart(title, drawing, f"by-{measure}-{column}", f"by {formats.words(by)}{more}")
