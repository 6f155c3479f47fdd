"""Incidents: the list, or the one that the address names."""

from __future__ import annotations

import streamlit as st

from dashboard import navigation
from dashboard.components import mount
from dashboard.viewmodels import incidents
from dashboard.views import incident, page

REFRESH_S = page.QUICK_S
STATUSES = ("open", "acknowledged", "resolved")


def render() -> None:
    """Draw the list, or one incident."""
    wanted = st.query_params.get("incident")
    if wanted:
        incident.render(wanted)
        return
    page.head("Incidents", "Alerts that belong together, with their evidence and runbook")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    status = page.attempt(page.client().status)
    every = page.attempt(page.client().incidents) if status else None
    if status is None or every is None:
        return
    first, second, third = st.columns([3, 2, 3], vertical_alignment="bottom")
    with first:
        statuses = st.segmented_control(
            "Status", STATUSES, selection_mode="multi", format_func=str.capitalize, key="incident-statuses"
        )
    with second:
        services = sorted({one.service for one in every if one.service})
        service = st.selectbox("Service", services, index=None, placeholder="All services", key="incident-service")
    with third:
        wanted = st.text_input("Search", placeholder="Title, SLO, cause, slice", key="incident-search")
    kept = incidents.filtered(every, statuses=statuses or [], service=service, wanted=wanted or "")
    opened = mount.show_grid(incidents.grid(kept, status.now, page.reader_zone()))
    plural = "" if len(every) == 1 else "s"
    st.caption(f"{len(kept)} of {len(every)} incident{plural}. {page.freshness(status, REFRESH_S)}")
    navigation.follow(opened)
