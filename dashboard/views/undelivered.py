"""Notifications that were given up: which, why, and the button that has them tried again."""

from __future__ import annotations

import streamlit as st

from dashboard import prose
from dashboard.client import ServiceError
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.viewmodels import undelivered
from dashboard.views import page
from dashboard.views.incident_actions import author_field

FAILURE = "undelivered-failure"
ASKED = "undelivered-asked"


def render(now: float) -> Place | None:
    """Draw the list with its form, where there is anything; the incident that the reader opens."""
    lost = page.attempt(page.client().undelivered)
    if lost is None:
        return None
    opened = None
    if lost:
        page.section("Undelivered", "given up, and nothing later has told what they said")
        opened = mount.show_grid(undelivered.grid(lost, now, page.reader_zone()))
        choices = undelivered.choices(lost)
        who, which, button = st.columns([2, 3, 1], vertical_alignment="bottom")
        with who:
            author = author_field()
        chosen = which.selectbox("Try again", list(choices), key="undelivered-choice")
        # what the reader saw chosen: if it has just left the list, the choice has fallen back to everything by now
        if button.button(
            "Try again", width="stretch", icon=":material/replay:", on_click=_ask, args=(choices[chosen],)
        ):
            _retry(st.session_state[ASKED], author)
    # shown until the next attempt, or a refresh would wipe it off before it is read
    failure = st.session_state.get(FAILURE)
    if failure:
        page.complain(failure)
    return opened


def _ask(number: int | None) -> None:
    st.session_state[ASKED] = number


def _retry(number: int | None, author: str) -> None:
    st.session_state[FAILURE] = "" if author else "Enter your name first; the timeline records who acted."
    if not author:
        return
    try:
        retried = page.client().retry(number, author=author)
    except ServiceError as error:
        st.session_state[FAILURE] = str(error)
        return
    st.toast(prose.plain(f"{len(retried)} {'is' if len(retried) == 1 else 'are'} told again"))
    st.rerun(scope="fragment")
