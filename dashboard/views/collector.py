"""The collector: what came in, what was refused and why, whose clock is wrong, and who counts into the database."""

from __future__ import annotations

import streamlit as st

from dashboard import formats
from dashboard.components import mount
from dashboard.viewmodels import collector
from dashboard.views import page

REFRESH_S = page.QUICK_S


def render() -> None:
    """Draw the page."""
    page.head("Collector", "What comes in, what is refused, and whose clock is wrong")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    status = page.attempt(page.client().collector)
    if status is None:
        return
    mount.show_tiles("collector", collector.tiles(status))
    page.problems(status)
    since = f"since the start {formats.ago(status.started_at, status.now)}"
    left, right = st.columns(2)
    with left:
        page.section("Requests", since)
        mount.show_grid(collector.requests_grid(status))
    with right:
        page.section("Data quality", f"records rejected {since}; the rest of their requests was kept")
        mount.show_grid(collector.rejected_grid(status.rejected))
    sources = page.attempt(page.client().sources)
    if sources is not None:
        page.section("Senders and their clocks", _counted(len(sources), "sender") + " to this collector, last hour")
        note = collector.clocks_note(sources)
        if note:
            st.warning(note, icon=":material/schedule:")
        mount.show_grid(collector.sources_grid(sources, status.now))
        st.caption(
            "Lag is arrival minus the end of a batch's newest record. Below zero it proves that the sender's clock is"
            " ahead; above zero it bounds how far the clock is behind or the data late."
        )
    page.section("Collectors on this database", _counted(len(status.collectors), "live collector"))
    mount.show_grid(collector.collectors_grid(status.collectors, status.now))
    st.caption(page.freshness(status, REFRESH_S))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
