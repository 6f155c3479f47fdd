"""Silences: who keeps which alerts quiet and until when, a form to make one, and the times when routes are muted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard import formats, navigation
from dashboard.client import ServiceError
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.documents.silences import FiringAlert, Silence
from dashboard.documents.status import Status
from dashboard.viewmodels import silences
from dashboard.views import incident_actions, page

REFRESH_S = page.QUICK_S
SPANS_S = {
    "30 min": 1800, "1 h": 3600, "2 h": 2 * 3600, "4 h": 4 * 3600, "12 h": 12 * 3600, "1 d": 86400, "3 d": 3 * 86400,
    "1 week": 7 * 86400,
}  # fmt: skip
STATES = ("active", "pending", "expired")
MADE = "silences-made"
FAILURE = "failed-silence"


def render() -> None:
    """Draw the page."""
    page.head("Silences", "Who keeps which alerts quiet, and until when")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    client = page.client()
    status = page.attempt(client.status)
    every = page.attempt(client.silences) if status else None
    alerts = page.attempt(client.alerts) if every is not None else None
    if status is None or every is None or alerts is None:
        return
    page.announced()
    zone = page.reader_zone()
    chosen = next((one for one in every if one.id == st.query_params.get("silence")), None)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        opened = None
        for state in STATES:
            some = [one for one in every if one.status.state == state]
            if some or state == "active":
                page.section(state.capitalize(), str(len(some)) if some else "")
                opened = mount.show_grid(silences.grid(some, alerts, status.now, zone, state)) or opened
        page.section("Muted times", "when routes tell nobody")
        mutes = page.attempt(client.mutes)
        if mutes is not None:
            mount.show_grid(silences.mute_grid(mutes, status.now, zone))
    with right:
        aside = _new(status) if chosen is None else _one(chosen, alerts, status)
    st.caption(page.freshness(status, REFRESH_S))
    navigation.follow(opened or aside)


def _one(chosen: Silence, alerts: Sequence[FiringAlert], status: Status) -> Place | None:
    """One silence: what it keeps quiet, longer, or over."""
    zone, state = page.reader_zone(), chosen.status.state
    with st.container(border=True, key="silence"):
        page.section("Silence", state)
        navigation.link(Place("silences"), "Make another", ":material/add:")
        page.facts(
            [
                ("Matchers", ", ".join(map(silences.text, chosen.matchers))),
                ("From", formats.clock(chosen.startsAt.timestamp(), zone, status.now)),
                ("Until", formats.clock(chosen.endsAt.timestamp(), zone, status.now)),
                ("By", chosen.createdBy or formats.ABSENT),
                ("Comment", chosen.comment or formats.ABSENT),
            ]
        )
        if state == "expired":
            again = Place("silences", {"new": silences.texts(chosen.matchers)})
            navigation.link(again, "Make it anew", ":material/replay:")
        else:
            _longer_or_over(chosen)
        _failure(chosen.id)
        page.section("Quiet now")
        quiet = silences.silenced_by(chosen, alerts)
        empty = "No alert fires that it accepts."
        return mount.show_grid(silences.alert_grid(quiet, status.now, zone, "silence", empty))


def _longer_or_over(chosen: Silence) -> None:
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    left.selectbox("Longer by", list(SPANS_S), index=1, key=f"longer-{chosen.id}")
    middle.button("Extend", width="stretch", on_click=_extend, args=(chosen,))
    right.button("Expire", width="stretch", on_click=_expire, args=(chosen,))


def _extend(chosen: Silence) -> None:
    span = st.session_state[f"longer-{chosen.id}"]
    body = silences.body(
        chosen.matchers, start=chosen.startsAt.timestamp(), end=chosen.endsAt.timestamp() + SPANS_S[span],
        author=chosen.createdBy, comment=chosen.comment, silence_id=chosen.id,
    )  # fmt: skip
    _try(chosen.id, f"Extended by {span}", lambda: page.client().put_silence(body))


def _expire(chosen: Silence) -> None:
    _try(chosen.id, "Expired", lambda: page.client().expire_silence(chosen.id))


def _new(status: Status) -> Place | None:
    """The form, with what it would keep quiet as it stands."""
    asked = st.query_params.get("new", "")
    made = st.session_state.setdefault(MADE, 0)  # a new key empties the form after each silence
    with st.container(border=True, key="new-silence"):
        page.section("New silence")
        key = f"{made}-{asked}"
        written = st.text_area(
            "Matchers, one a line", value=asked, key=f"matchers-{key}", height=120,
            placeholder='service="chat"\nslo=~"chat-.*"',
        )  # fmt: skip
        st.selectbox("For", list(SPANS_S), index=2, key=f"span-{key}")
        incident_actions.author_field()
        st.text_input("Comment", key=f"why-{key}", max_chars=1000, placeholder="why, for who wonders later")
        st.button("Silence", type="primary", on_click=_make, args=(key, status.now))
        _failure("")
        try:
            matchers = silences.parse(written or "")
        except ValueError as error:
            page.complain(f"{error}.")
            return None
        if not matchers:
            st.html('<p class="tw-nothing">Write a matcher to see which alerts it would keep quiet.</p>')
            return None
        found = page.attempt(page.client().alerts, list(map(silences.text, matchers)))
        if found is None:
            return None
        page.section("It would keep quiet", f"{len(found)} of the alerts that fire now")
        empty = "None that fires now, but what it accepts and fires until its end."
        return mount.show_grid(silences.alert_grid(found, status.now, page.reader_zone(), "preview", empty))


def _make(key: str, now: float) -> None:
    """Make the silence that the form describes; `key` is what its fields have in common."""
    author, comment = incident_actions.author(), page.entered(f"why-{key}")
    try:
        matchers = silences.parse(page.entered(f"matchers-{key}"))
    except ValueError:
        return  # the form says what is wrong with them
    if not matchers:
        st.session_state[FAILURE] = ("", "Write a matcher first.")
        return
    if not author or not comment:
        st.session_state[FAILURE] = ("", "Enter your name and a comment first; who finds it later must know.")
        return
    span = st.session_state[f"span-{key}"]
    body = silences.body(matchers, start=now, end=now + SPANS_S[span], author=author, comment=comment)
    if _try("", f"Silenced for {span}", lambda: page.client().put_silence(body)):
        st.session_state[MADE] += 1
        st.query_params.clear()


def _try(silence_id: str, done: str, change: Callable[[], object]) -> bool:
    """Change a silence; a failure is kept until the next change, or a refresh would wipe it off before it is read."""
    try:
        change()
    except ServiceError as error:
        st.session_state[FAILURE] = (silence_id, str(error))
        return False
    st.session_state[FAILURE] = ("", "")
    page.announce(done)
    return True


def _failure(silence_id: str) -> None:
    about, failure = st.session_state.get(FAILURE, ("", ""))
    if failure and about == silence_id:
        page.complain(failure)
