"""One incident: what happens, why, the evidence, the runbook, the timeline, and the buttons to act."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from dashboard import charts, frames, navigation, prose
from dashboard.client import ServiceError
from dashboard.components import mount
from dashboard.components.grid import Grid
from dashboard.components.place import Place
from dashboard.documents import Evidence, Incident
from dashboard.viewmodels import incidents
from dashboard.views import page

REFRESH_S = page.QUICK_S
AUTHOR = "author-name"
WRITTEN = "comments-written"
FAILURE = "failed-action"


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
    if found.evidence.summary:
        st.html(f'<p class="tw-summary">{prose.escaped(found.evidence.summary)}</p>')
    left, right = st.columns([3, 2], gap="medium")
    with left:
        opened = _evidence(found.id, found.evidence)
        page.section("Alerts")
        mount.show_grid(incidents.alert_grid(found, status.now, zone))
    with right:
        _actions(found)
        _runbook(found)
        page.section("Timeline", "latest first")
        mount.show_grid(incidents.timeline_grid(found, status.now, zone))
    st.caption(page.freshness(status, REFRESH_S))
    navigation.follow(opened)


def _links(found: Incident) -> None:
    with st.container(horizontal=True, gap="medium"):
        navigation.link(Place("incidents"), "All incidents", ":material/arrow_back:")
        if found.slo:
            navigation.link(Place("slo", {"slo": found.slo}), f"SLO {found.slo}", ":material/show_chart:")
        if found.service:
            navigation.link(Place("services", {"service": found.service}), f"Service {found.service}", ":material/dns:")


def _actions(found: Incident) -> None:
    with st.container(border=True):
        page.section("Act")
        # Streamlit forgets a widget's value when its page is left, so the name is kept beside it
        st.session_state.setdefault("author-field", st.session_state.get(AUTHOR, ""))
        author = st.text_input(
            "Your name",
            key="author-field",
            max_chars=100,
            placeholder="goes into the timeline",
            on_change=_remember_author,
        )
        written = st.session_state.setdefault(WRITTEN, 0)  # a new key empties the field after each action
        comment = st.text_area("Comment", key=f"comment-{found.id}-{written}", height=68, max_chars=4000)
        with st.container(horizontal=True, gap="small"):
            acknowledge = st.button(
                "Acknowledge",
                type="primary" if found.status == "open" else "secondary",
                disabled=found.status != "open",
            )
            resolve = st.button("Resolve", disabled=found.status == "resolved")
            say = st.button("Comment")
        if acknowledge:
            _act(found, "acknowledge", "Acknowledged", author, comment)
        elif resolve:
            _act(found, "resolve", "Resolved", author, comment)
        elif say:
            _act(found, "comment", "Commented", author, comment)
        # shown until the next action, or a refresh would wipe it off before it is read
        incident_id, failure = st.session_state.get(FAILURE, ("", ""))
        if incident_id == found.id and failure:
            page.complain(failure)


def _remember_author() -> None:
    st.session_state[AUTHOR] = st.session_state["author-field"]


def _act(found: Incident, action: str, done: str, author: str | None, comment: str | None) -> None:
    name, text = (author or "").strip(), (comment or "").strip()
    failure = ""
    if not name:
        failure = "Enter your name first; the timeline records who acted."
    elif action == "comment" and not text:
        failure = "Write the comment first."
    else:
        try:
            page.client().act(found.id, action, author=name, comment=text)
        except ServiceError as error:
            failure = str(error)
    st.session_state[FAILURE] = (found.id, failure)
    if not failure:
        st.session_state[WRITTEN] += 1
        st.toast(f"{done} as {prose.plain(name)}")
        st.rerun(scope="fragment")


def _runbook(found: Incident) -> None:
    with st.container(border=True, key="runbook"):
        page.section("Runbook", found.runbook or "")
        if found.runbook_markdown:
            st.markdown(prose.document(found.runbook_markdown))
        else:
            st.html('<p class="tw-nothing">No runbook matches this cause.</p>')


def _evidence(incident_id: str, evidence: Evidence) -> Place | None:
    opened: Place | None = None
    if evidence.attribution:
        page.section("Who is to blame", "slices by their share of the excess")
        guilty = [f"{key}={value}" for key, value in evidence.slice.items()]
        st.altair_chart(
            charts.attribution(frames.attribution(evidence.attribution), guilty), width="stretch", key="attribution"
        )
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
        address = f"{page.client().url}/api/v1/incidents/{quote(incident_id, safe='')}/report"
        st.link_button("Open the drift report", address, icon=":material/description:")
    return opened
