"""Saturation: how full the queues and machines behind a service are, from the metrics that it sends or exposes."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, formats, frames, navigation, periods
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.documents.metrics import Metric
from dashboard.viewmodels import saturation
from dashboard.views import page

REFRESH_S = page.SLOW_S


def render() -> None:
    """Draw the page."""
    page.head("Saturation", "How full the queues and machines behind a service are")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    status = page.attempt(page.client().status)
    metrics = page.attempt(page.client().metrics) if status else None
    if status is None or metrics is None:
        return
    opened = _service(metrics, status.now)
    with page.sentences():
        targets = page.client().targets()
        if targets:
            page.section("Scraped targets")
            mount.show_grid(saturation.target_grid(targets, status.now, page.reader_zone()))
    st.caption(page.freshness(status, REFRESH_S))
    navigation.follow(opened)


def _service(metrics: list[Metric], now: float) -> Place | None:
    names = saturation.services(metrics)
    if not names:
        st.info(saturation.EMPTY)
        return None
    asked, metric = st.query_params.get("service"), st.query_params.get("metric")
    if asked is not None and asked not in names:
        page.complain(f"No service named {asked} has sent metrics within the last hour.")
    left, right = st.columns([4, 4], vertical_alignment="bottom")
    with left:
        service = st.selectbox("Service", names, index=names.index(asked) if asked in names else 0, key=f"of-{asked}")
    with right:
        span = st.segmented_control(
            "Time range", list(periods.RANGES_S), default="1 h", key="saturation-range", required=True
        )
    period = periods.last(periods.RANGES_S[span or "1 h"], now, most_points=60)
    drawn = saturation.shown(metrics, service, metric)
    if not drawn:
        st.info(saturation.NO_SATURATION)
    columns = st.columns(2)
    for place, one in enumerate(drawn):
        with columns[place % 2], page.sentences():
            _chart(one, period)
    page.section("Metrics", "click one to draw it")
    return mount.show_grid(saturation.grid(metrics, service, now, metric))


def _chart(metric: Metric, period: periods.Period) -> None:
    course = page.client().metric(
        metric.name,
        start=period.start,
        end=period.end,
        step=period.step,
        service=metric.service,
        by=saturation.split(metric),
    )
    frame = frames.metric(course, saturation.series_name, period, saturation.gauge_column(metric))
    unit = "" if metric.kind == "sum" else metric.unit
    labels = charts.quantity_labels(unit, metric.role)
    empty = frame["value"].dropna().empty
    drawing = None if empty else charts.lines(frame, "value", labels, ".4~g")
    note = f"{saturation.chart_note(metric)}, {formats.seconds(period.step)} a point"
    page.chart(saturation.title(metric), drawing, f"metric-{metric.name}-{metric.kind}-{metric.unit}", note)
