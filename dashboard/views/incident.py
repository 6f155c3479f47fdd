"""One incident: what happens, why, the evidence, the runbook, the timeline, and the buttons to act."""

from __future__ import annotations

from datetime import tzinfo

import streamlit as st

from dashboard import charts, formats, frames, navigation, prose
from dashboard.components import mount
from dashboard.components.grid import Grid
from dashboard.components.place import Place
from dashboard.documents.evidence import Evidence
from dashboard.documents.incidents import Incident
from dashboard.viewmodels import hearing, incidents, quiet
from dashboard.views import incident_actions, page

REFRESH_S = page.QUICK_S


def render(incident_id: str) -> None:
    """Draw the page of one incident."""
    _live(incident_id)


@st.fragment(run_every=REFRESH_S)
def _live(incident_id: str) -> None:
    status = page.attempt(page.client().status)
    found = page.attempt(page.client().incident, incident_id) if status else None
    if status is None or found is None:
        return
    zone = page.reader_zone()
    page.head(found.title, " · ".join(filter(None, (found.id, found.service, found.slo))))
    _links(found)
    mount.show_tiles(f"incident-{found.id}", incidents.tiles(found, status.now, zone))
    _in_short(found)
    _quiet(found, status.now, zone)
    # on a narrow screen, where one column follows the other, style.css puts acting before evidence
    with st.container(key="incident-body"):
        left, right = st.columns([3, 2], gap="medium")
    with left:
        opened = _evidence(found.id, found.evidence)
        page.section("Alerts")
        mount.show_grid(incidents.alert_grid(found, status.now, zone))
        page.section("Who hears of it", "and why somebody does not")
        mount.show_grid(hearing.grid(found, status.now, zone))
        page.section("Timeline", "latest first")
        mount.show_grid(incidents.timeline_grid(found, status.now, zone))
    with right:
        incident_actions.render(found, status.now)
        _runbook(found)
    st.caption(page.freshness(status, REFRESH_S))
    navigation.follow(opened)


def _in_short(found: Incident) -> None:
    """What is wrong, and what to do first, above everything that explains it."""
    if found.evidence.summary:
        st.html(f'<p class="tw-summary">{prose.escaped(found.evidence.summary)}</p>')
    if found.runbook_first_step and found.status != "resolved":
        st.html(f'<p class="tw-first"><strong>Do first:</strong> {prose.escaped(found.runbook_first_step)}</p>')


def _quiet(found: Incident, now: float, zone: tzinfo) -> None:
    """What keeps alerts quiet, until when, and where to end it."""
    by = quiet.by_others(found)
    if found.suppressed is None or not by:
        return
    told = [prose.plain(quiet.sentence(one, found.suppressed.of, now, zone)) for one in by]
    st.warning("  \n".join(told), icon=":material/notifications_paused:")
    with st.container(horizontal=True, gap="medium"):
        for label, place in quiet.places(by):
            navigation.link(place, label, ":material/arrow_forward:")


def _links(found: Incident) -> None:
    with st.container(horizontal=True, gap="medium"):
        navigation.link(Place("incidents"), "All incidents", ":material/arrow_back:")
        if found.slo:
            navigation.link(Place("slo", {"slo": found.slo}), f"SLO {found.slo}", ":material/show_chart:")
        if found.service:
            navigation.link(Place("services", {"service": found.service}), f"Service {found.service}", ":material/dns:")


def _runbook(found: Incident) -> None:
    with st.container(border=True, key="runbook"):
        page.section("Runbook", found.runbook or "")
        if found.runbook_markdown:
            st.markdown(prose.document(found.runbook_markdown))
        else:
            st.html('<p class="tw-nothing">No runbook matches this cause.</p>')


@st.cache_data(ttl=300, max_entries=20, show_spinner=False)
def _report(incident_id: str) -> bytes:
    """The report, by way of the dashboard: the reader's browser has no token."""
    return page.client().report(incident_id)


def _evidence(incident_id: str, evidence: Evidence) -> Place | None:
    opened: Place | None = None
    if evidence.attribution:
        page.section("Who is to blame", "slices by their share of the excess")
        slices = evidence.attribution
        guilty = [formats.labels(one.slice) for one in slices if one.slice.items() <= evidence.slice.items()]
        st.altair_chart(charts.attribution(frames.attribution(slices), guilty), width="stretch", key="attribution")
        mount.show_grid(incidents.attribution_grid(evidence))
    if evidence.tail:
        page.section("Where the time goes", "the tail before the incident and now")
        st.altair_chart(charts.tail(frames.tail(evidence.tail)), width="stretch", key="tail")
        mount.show_grid(incidents.tail_grid(evidence))
    parts: list[tuple[str, str, bool, Grid]] = [
        ("Burn rate", "when it was diagnosed", bool(evidence.burn), incidents.burn_grid(evidence)),
        ("Drift", "strongest effect first", bool(evidence.drift), incidents.drift_grid(evidence)),
        ("Changes at the onset", "", True, incidents.change_grid(evidence)),
        ("Exemplar traces", "", bool(evidence.exemplars), incidents.exemplar_grid(evidence)),
    ]
    for title, note, present, grid in parts:
        if present:
            page.section(title, note)
            opened = mount.show_grid(grid) or opened
    if evidence.report:
        report = page.attempt(_report, incident_id)
        if report is not None:
            st.download_button(
                "Drift report", report, f"{incident_id}-drift.html", "text/html", icon=":material/description:",
                on_click="ignore",
            )  # fmt: skip
    return opened
