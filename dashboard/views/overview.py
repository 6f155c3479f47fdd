"""The overview: what burns now, and every budget, worst first."""

from __future__ import annotations

import streamlit as st

from dashboard import navigation, periods
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.documents.incidents import IncidentSummary
from dashboard.documents.slos import Slo
from dashboard.viewmodels import incidents as incident_tables
from dashboard.viewmodels import overview, states
from dashboard.views import page

REFRESH_S = page.QUICK_S
SPARK_S = 3600


def render() -> None:
    """Draw the page."""
    page.head("Overview", "Every error budget, worst first")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    # One fragment: a refresh replaces values in place and leaves scrolling, sorting, filter and open groups alone.
    status = page.attempt(page.client().status)
    if status is None:
        return
    slos = page.attempt(page.client().slos)
    incidents = page.attempt(page.client().incidents)
    period = periods.last(SPARK_S, status.now, most_points=60)
    series = page.attempt(page.client().series, "duration", start=period.start, end=period.end, step=period.step)
    traffic = None if series is None else overview.traffic_per_minute(series, period, status.now)
    opened = mount.show_tiles("overview", overview.tiles(status, slos, incidents, traffic))
    page.problems(status)
    opened = _incidents(incidents, status.now) or opened
    opened = _slos(slos) or opened
    st.caption(f"{page.freshness(status, REFRESH_S)}. Tailwatch {status.version}")
    navigation.follow(opened)


def _incidents(incidents: list[IncidentSummary] | None, now: float) -> Place | None:
    going_on = states.incidents_urgent_first(page.taken_by(incidents))
    if not going_on:
        return None
    page.section("Incidents", f"{len(going_on)} not resolved")
    return mount.show_grid(incident_tables.grid(going_on[:5], now, page.reader_zone(), "overview-incidents"))


def _slos(slos: list[Slo] | None) -> Place | None:
    if slos is None:
        return None
    title, search = st.columns([3, 1], vertical_alignment="bottom")
    with title:
        page.section("Service level objectives", f"{len(slos)} SLOs, {sum(len(s.groups) for s in slos)} budgets")
    with search:
        wanted = st.text_input(
            "Filter SLOs",
            key="slo-filter",
            placeholder="Filter by name, service, group, state",
            label_visibility="collapsed",
            icon=":material/search:",
        )
    return mount.show_grid(overview.slo_grid(slos, wanted or ""))
