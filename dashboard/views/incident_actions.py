"""What a person does about one incident: the form, and what it sends; whether it is allowed the service says."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import navigation, prose
from dashboard.client import ServiceError
from dashboard.components.place import Place
from dashboard.documents.incidents import Incident, OfferedHook
from dashboard.viewmodels import incidents, silences
from dashboard.views import page

AUTHOR = "author-name"
WRITTEN = "comments-written"
FAILURE = "failed-action"

SNOOZES_S = {"30 min": 1800, "1 h": 3600, "4 h": 4 * 3600, "12 h": 12 * 3600, "1 d": 86400, "3 d": 3 * 86400}


def render(found: Incident, now: float) -> None:
    """Draw the form."""
    if found.merged_into:
        with st.container(border=True):
            page.section("Act", f"it was merged into {found.merged_into}")
            navigation.link(
                Place("incidents", {"incident": found.merged_into}), f"Open {found.merged_into}", ":material/merge:"
            )
        return
    with st.container(border=True):
        page.section("Act")
        author = author_field()
        written = st.session_state.setdefault(WRITTEN, 0)  # a new key empties the field after each action
        comment = st.text_area("Comment", key=f"comment-{found.id}-{written}", height=68, max_chars=4000)
        said = (comment or "").strip()
        with st.container(horizontal=True, gap="small"):
            if st.button(
                "Acknowledge",
                type="primary" if found.status == "open" else "secondary",
                disabled=found.status != "open",
            ):
                _act(found, "acknowledge", "Acknowledged", author, comment=said)
            if found.status == "resolved":
                if st.button("Re-open"):
                    _act(found, "reopen", "Re-opened", author, comment=said)
            elif st.button("Resolve"):
                _act(found, "resolve", "Resolved", author, comment=said)
            if st.button("Comment"):
                _act(found, "comment", "Commented", author, comment=said)
        for hook in found.hooks:
            _hook(found, hook, author, said)
        if found.status != "resolved":
            with st.expander("Snooze, assign, change severity, merge"):
                _more(found, now, author, said)
        with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
            place = Place("silences", {"new": silences.for_incident(found)})
            navigation.link(place, "Silence this", ":material/notifications_off:")
            st.download_button(
                "Post-mortem", partial(page.client().postmortem, found.id), f"{found.id}.md", "text/markdown",
                on_click="ignore", type="tertiary", icon=":material/article:",
            )  # fmt: skip
        # shown until the next action, or a refresh would wipe it off before it is read
        incident_id, failure = st.session_state.get(FAILURE, ("", ""))
        if incident_id == found.id and failure:
            page.complain(failure)


def author_field() -> str:
    """Ask for the reader's name, and keep it while the session lasts; where a proxy signs readers in, it says who."""
    signed_in = page.signed_in()
    if signed_in is not None:
        help_ = "as you are signed in" if signed_in else "the proxy before the dashboard does not say who you are"
        st.text_input("Your name", value=signed_in, disabled=True, help=help_)
        return signed_in
    # Streamlit forgets a widget's value when its page is left, so the name is kept beside it
    st.session_state.setdefault("author-field", st.session_state.get(AUTHOR, ""))
    name = st.text_input(
        "Your name",
        key="author-field",
        max_chars=100,
        placeholder="goes into the timeline",
        on_change=_remember_author,
    )
    return (name or "").strip()


def _more(found: Incident, now: float, author: str, said: str) -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    span = left.selectbox("Snooze for", list(SNOOZES_S), index=1, key=f"snooze-{found.id}")
    if right.button("Snooze", width="stretch"):
        _act(found, "snooze", "Snoozed", author, comment=said, until=now + SNOOZES_S[span])
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    assignee = left.text_input("Assign to", value=found.assignee or "", key=f"assignee-{found.id}", max_chars=100)
    if right.button("Assign", width="stretch"):
        _act(found, "assign", "Assigned", author, assignee=(assignee or "").strip())
    other = "ticket" if found.severity == "page" else "page"
    if st.button(f"Make it a {other}", width="stretch"):
        _act(found, "reclassify", f"Made a {other}", author, comment=said, severity=other)
    every = page.attempt(page.client().incidents) or []
    choices = {one.id: f"{one.id}: {one.title}" for one in incidents.others(found, every)}
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    into = left.selectbox(
        "Merge into", list(choices), format_func=choices.__getitem__, index=None, key=f"merge-{found.id}",
        placeholder="Another incident" if choices else "There is no other",
    )  # fmt: skip
    if right.button("Merge", width="stretch", disabled=into is None):
        _act(found, "merge", f"Merged into {into}", author, comment=said, into=into or "")


def _hook(found: Incident, hook: OfferedHook, author: str, said: str) -> None:
    """The button of one response hook."""
    verb = "Approve" if hook.waiting else "Run"
    mark = " (dry run)" if hook.dry_run else ""
    pressed = st.button(
        f"{verb} hook {prose.plain(hook.name)}{mark}", key=f"hook-{found.id}-{hook.name}", disabled=hook.left <= 0,
        type="primary" if hook.waiting else "secondary", icon=":material/bolt:",
        help=prose.plain(hook.target if hook.left > 0 else "it has run for this incident as often as it may"),
    )  # fmt: skip
    if not pressed:
        return
    failure = "" if author else "Enter your name first; the timeline records who acted."
    if not failure:
        try:
            page.client().run_hook(found.id, hook.name, author=author, comment=said)
        except ServiceError as error:
            failure = str(error)
    _done(found, failure, f"Hook {hook.name} runs")


def _remember_author() -> None:
    st.session_state[AUTHOR] = st.session_state["author-field"]


def _act(found: Incident, action: str, done: str, author: str, **said: str | float) -> None:
    failure = ""
    if not author:
        failure = "Enter your name first; the timeline records who acted."
    elif action == "comment" and not said["comment"]:
        failure = "Write the comment first."
    elif action == "assign" and not said["assignee"]:
        failure = "Say first to whom."
    else:
        try:
            page.client().act(found.id, action, author=author, **said)
        except ServiceError as error:
            failure = str(error)
    _done(found, failure, f"{done} as {author}")


def _done(found: Incident, failure: str, done: str) -> None:
    st.session_state[FAILURE] = (found.id, failure)
    if not failure:
        st.session_state[WRITTEN] += 1
        st.toast(prose.plain(done))
        st.rerun(scope="fragment")
