"""Traces: the search, or the waterfall of the one that the address names."""

from __future__ import annotations

import streamlit as st

from dashboard import navigation, periods
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.viewmodels import traces
from dashboard.views import page

LIMIT = 200
SPANS_S = {name: seconds for name, seconds in periods.RANGES_S.items() if seconds <= 86400}


def render() -> None:
    """Draw the search, or one trace."""
    wanted = st.query_params.get("trace")
    with page.sentences():
        if wanted:
            _one(wanted)
        else:
            _search()


def _one(trace_id: str) -> None:
    now = page.client().status().now
    trace = page.client().trace(trace_id)
    roots = [span for span in trace.spans if not span.parent_span_id]
    page.head(roots[0].name if roots else "Trace", trace.trace_id)
    with st.container(horizontal=True):
        navigation.link(Place("traces"), "All traces", ":material/arrow_back:")
    if not trace.spans:
        st.info("No span of this trace is stored any more.")
        return
    mount.show_tiles("trace", traces.tiles(trace, now, page.reader_zone()))
    page.section("Spans", "click a span for its attributes")
    mount.show_waterfall(traces.waterfall(trace))


def _search() -> None:
    page.head("Traces", "Single requests, the newest first")
    status = page.client().status()
    services = {one.service: one for one in page.client().services()}
    first, second, third, fourth, fifth = st.columns([3, 3, 3, 2, 2], vertical_alignment="bottom")
    with first:
        known, asked = sorted(services), st.query_params.get("service")
        index = known.index(asked) if asked in services else None
        service = st.selectbox("Service", known, index=index, placeholder="All services", key="trace-service")
    with second:
        chosen = [services[service]] if service in services else list(services.values())
        names = sorted({name for one in chosen for name in one.operations})
        operation = st.selectbox("Operation", names, index=None, placeholder="All operations", key="trace-operation")
    with third:
        span = st.segmented_control("Time range", list(SPANS_S), default="1 h", key="trace-range", required=True)
    with fourth:
        slow = st.number_input("At least (s)", min_value=0.0, value=0.0, step=0.1, format="%g", key="trace-slow")
    with fifth:
        failed = st.toggle("Errors only", key="trace-errors")
    found = page.client().traces(
        service=service,
        operation=operation,
        error=True if failed else None,
        min_duration=slow or None,
        start=status.now - SPANS_S[span or "1 h"],
        end=status.now,
        limit=LIMIT,
    )
    opened = mount.show_grid(traces.grid(found, status.now, page.reader_zone()))
    more = f"the newest {LIMIT} of more" if len(found) >= LIMIT else str(len(found))
    st.caption(f"Showing {more}; search again by changing a filter")
    navigation.follow(opened)
