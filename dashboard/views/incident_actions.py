"""What a person does about one incident: the form, and what it sends; whether it is allowed the service says.

A button acts in its callback, which Streamlit calls before it draws: what was pressed is sent as the reader saw it,
even where a refresh has just changed which buttons there are, and the page is drawn once, with the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st

from dashboard import navigation, prose
from dashboard.client import ServiceError
from dashboard.components.place import Place
from dashboard.documents.incidents import Incident, OfferedHook
from dashboard.viewmodels import incidents, silences
from dashboard.views import page

AUTHOR = "author-name"
AUTHOR_FIELD = "author-field"
NAMELESS = "Enter your name first; the timeline records who acted."
FAILURE = "failed-action"

SNOOZES_S = {"30 min": 1800, "1 h": 3600, "4 h": 4 * 3600, "12 h": 12 * 3600, "1 d": 86400, "3 d": 3 * 86400}


def render(found: Incident, now: float) -> None:
    """Draw the form."""
    page.announced()
    if found.merged_into:
        with st.container(border=True):
            page.section("Act", f"it was merged into {found.merged_into}")
            navigation.link(
                Place("incidents", {"incident": found.merged_into}), f"Open {found.merged_into}", ":material/merge:"
            )
        return
    with st.container(border=True):
        page.section("Act")
        author_field()
        st.text_area("Comment", key=_comment_key(found), height=68, max_chars=4000)
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Acknowledge", on_click=_act, args=(found, "acknowledge", "Acknowledged"),
                type="primary" if found.status == "open" else "secondary", disabled=found.status != "open",
            )  # fmt: skip
            if found.status == "resolved":
                st.button("Re-open", on_click=_act, args=(found, "reopen", "Re-opened"))
            else:
                st.button("Resolve", on_click=_act, args=(found, "resolve", "Resolved"))
            st.button("Comment", on_click=_comment, args=(found,))
        # shown until the next action, or a refresh would wipe it off before it is read
        incident_id, failure = st.session_state.get(FAILURE, ("", ""))
        if incident_id == found.id and failure:
            page.complain(failure)
        _hooks(found)
        if found.status != "resolved":
            _more(found, now)
        with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
            place = Place("silences", {"new": silences.for_incident(found)})
            navigation.link(place, "Silence this", ":material/notifications_off:")
            drafted = page.attempt(_postmortem, found.id, len(found.timeline))
            if drafted is not None:
                st.download_button(
                    "Post-mortem", drafted, f"{found.id}.md", "text/markdown",
                    on_click="ignore", type="tertiary", icon=":material/article:",
                )  # fmt: skip


# It is fetched ahead, once for each thing that happens: what a button would fetch when it is pressed is forgotten by
# Streamlit at the next refresh, and a press in that moment would do nothing.
@st.cache_data(ttl=300, max_entries=50, show_spinner=False)
def _postmortem(incident_id: str, events: int) -> str:  # noqa: ARG001 - a part of the key
    return page.client().postmortem(incident_id)


def author_field() -> None:
    """Ask for the reader's name, and keep it while the session lasts; where a proxy signs readers in, it says who."""
    signed_in = page.signed_in()
    if signed_in is not None:
        help_ = "as you are signed in" if signed_in else "the proxy before the dashboard does not say who you are"
        st.text_input("Your name", value=signed_in, disabled=True, help=help_)
        return
    # Streamlit forgets a field's value when its page is left, so the name is kept beside it. It is the field's default
    # and not its state: state that is set here would be sent over what a reader types while the page is being drawn.
    st.text_input(
        "Your name", value=st.session_state.get(AUTHOR, ""), key=AUTHOR_FIELD, max_chars=100,
        placeholder="goes into the timeline", on_change=_remember_author,
    )  # fmt: skip


def author() -> str:
    """The reader's name as it stands; empty where it is not known."""
    signed_in = page.signed_in()
    return page.entered(AUTHOR_FIELD) if signed_in is None else signed_in


def _remember_author() -> None:
    st.session_state[AUTHOR] = st.session_state[AUTHOR_FIELD]


def _comment_key(found: Incident) -> str:
    return f"comment-{found.id}"


def _more(found: Incident, now: float) -> None:
    # "rerun": what is in it is fetched and drawn once somebody opens it
    unfolded = st.expander("Snooze, assign, change severity, merge", key=f"more-{found.id}", on_change="rerun")
    if not unfolded.open:
        return
    with unfolded:
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        left.selectbox("Snooze for", list(SNOOZES_S), index=1, key=f"snooze-{found.id}")
        right.button("Snooze", width="stretch", on_click=_snooze, args=(found, now))
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        left.text_input("Assign to", value=found.assignee or "", key=f"assignee-{found.id}", max_chars=100)
        right.button("Assign", width="stretch", on_click=_assign, args=(found,))
        other = "ticket" if found.severity == "page" else "page"
        st.button(f"Make it a {other}", width="stretch", on_click=_reclassify, args=(found, other))
        every = page.attempt(page.client().incidents) or []
        choices = {f"{one.id}: {one.title}": one.id for one in incidents.others(found, every)}
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        left.selectbox(
            "Merge into", list(choices), index=None, key=f"merge-{found.id}",
            placeholder="Another incident" if choices else "There is no other",
        )  # fmt: skip
        right.button("Merge", width="stretch", on_click=_merge, args=(found, choices), disabled=not choices)


def _comment(found: Incident) -> None:
    if page.entered(_comment_key(found)):
        _act(found, "comment", "Commented")
    else:
        st.session_state[FAILURE] = (found.id, "Write the comment first.")


def _snooze(found: Incident, now: float) -> None:
    _act(found, "snooze", "Snoozed", until=now + SNOOZES_S[st.session_state[f"snooze-{found.id}"]])


def _assign(found: Incident) -> None:
    assignee = page.entered(f"assignee-{found.id}") or None
    done = f"Assigned to {assignee}" if assignee else "Assigned to nobody"
    _send(found, partial(page.client().act, found.id, "assign", assignee=assignee), done, with_comment=False)


def _reclassify(found: Incident, severity: str) -> None:
    _act(found, "reclassify", f"Made a {severity}", severity=severity)


def _merge(found: Incident, choices: Mapping[str, str]) -> None:
    into = choices.get(page.entered(f"merge-{found.id}"))
    if into is None:
        st.session_state[FAILURE] = (found.id, "Say first into which incident.")
    else:
        _act(found, "merge", f"Merged into {into}", into=into)


def _hooks(found: Incident) -> None:
    """The response hooks: what each calls, and buttons to have it called or not."""
    if found.hooks:
        page.section("Response hooks", "a person may run them, within their limits")
    for hook in found.hooks:
        name, key = prose.plain(hook.name), f"{found.id}-{hook.name}"
        dry = " (dry run)" if hook.dry_run else ""
        state = ", waits for approval" if hook.waiting else "" if hook.left > 0 else ", has run as often as it may"
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.button(
                f"{'Approve' if hook.waiting else 'Run'} {name}", key=f"hook-{key}", disabled=hook.left <= 0,
                icon=":material/bolt:", on_click=_run_hook, args=(found, hook),
            )  # fmt: skip
            if hook.waiting:
                st.button(
                    f"Deny {name}", key=f"deny-{key}", icon=":material/block:", on_click=_deny_hook, args=(found, hook)
                )
            st.html(f'<span class="tw-note">{prose.escaped(hook.target)}{dry}{state}</span>', width="stretch")


def _run_hook(found: Incident, hook: OfferedHook) -> None:
    send = partial(page.client().run_hook, found.id, hook.name)
    _send(found, send, f"Hook {hook.name} {'approved' if hook.waiting else 'asked for'}")


def _deny_hook(found: Incident, hook: OfferedHook) -> None:
    _send(found, partial(page.client().deny_hook, found.id, hook.name), f"Hook {hook.name} denied")


def _act(found: Incident, action: str, done: str, **said: str | float) -> None:
    def send(author: str, comment: str) -> object:
        return page.client().act(found.id, action, author=author, comment=comment, **said)

    _send(found, send, done)


def _send(found: Incident, call: Callable[..., object], done: str, *, with_comment: bool = True) -> None:
    """Send it with who it is that acts, and the comment; a failure is kept, since a refresh would wipe it off."""
    name, comment = author(), page.entered(_comment_key(found))
    failure = "" if name else NAMELESS
    if name:
        try:
            call(author=name, **({"comment": comment} if with_comment else {}))
        except ServiceError as error:
            failure = str(error)
    st.session_state[FAILURE] = (found.id, failure)
    if not failure:
        if comment and with_comment:  # one that was not sent stays: it may have been begun for something else
            st.session_state[_comment_key(found)] = ""
        page.announce(f"{done} as {name}")
