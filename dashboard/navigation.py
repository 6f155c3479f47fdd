"""The dashboard's pages and the way between them; it knows their addresses, not what they show."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.components.place import Place

_KEY = "tailwatch-pages"


def publish(pages: Mapping[str, st.Page]) -> None:
    """Make the pages, by their paths, known to this session's views."""
    st.session_state[_KEY] = dict(pages)


def follow(place: Place | None) -> None:
    """Open a place within the session, so that nothing the user has typed is lost; None stays here."""
    if place is None:
        return
    pages: Mapping[str, st.Page] = st.session_state[_KEY]
    page = pages.get(place.page)
    if page is not None:
        st.switch_page(page, query_params=dict(place.params))


def link(place: Place, label: str, icon: str | None = None) -> None:
    """A link to a place."""
    pages: Mapping[str, st.Page] = st.session_state[_KEY]
    st.page_link(pages[place.page], label=label, icon=icon, query_params=dict(place.params))
