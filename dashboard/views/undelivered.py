"""Notifications that were given up: which, why, and the button that has them tried again."""

from __future__ import annotations

import streamlit as st

from dashboard.client import ServiceError
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.viewmodels import undelivered
from dashboard.views import page
from dashboard.views.incident_actions import NAMELESS, author, author_field

FAILURE = "undelivered-failure"
CHOICE = "undelivered-choice"


def render(now: float) -> Place | None:
    """Draw the list with its form, where there is anything; the incident that the reader opens."""
    lost = page.attempt(page.client().undelivered)
    if lost is None:
        return None
    page.announced()
    opened = None
    if lost:
        page.section("Undelivered", "given up, and nothing later has told what they said")
        opened = mount.show_grid(undelivered.grid(lost, now, page.reader_zone()))
        who, which, one, every = st.columns([3, 4, 1.6, 1.4], vertical_alignment="bottom")
        with who:
            author_field()
        which.selectbox(
            "Notification", undelivered.choices(lost), index=None, key=CHOICE, placeholder="Which to try again"
        )
        one.button("Try this again", width="stretch", icon=":material/replay:", on_click=_retry_chosen)
        every.button("Try all again", width="stretch", on_click=_retry, args=(None,))
    # shown until the next attempt, or a refresh would wipe it off before it is read
    failure = st.session_state.get(FAILURE)
    if failure:
        page.complain(failure)
    return opened


def _retry_chosen() -> None:
    number = undelivered.number(page.entered(CHOICE))
    if number is None:
        st.session_state[FAILURE] = "Say first which to try again."
    else:
        _retry(number)


def _retry(number: int | None) -> None:
    name = author()
    st.session_state[FAILURE] = "" if name else NAMELESS
    if not name:
        return
    try:
        retried = page.client().retry(number, author=name)
    except ServiceError as error:
        st.session_state[FAILURE] = str(error)
        return
    page.announce(f"{len(retried)} {'is' if len(retried) == 1 else 'are'} told again")
