"""The audit log: who changed what, when and from where."""

from __future__ import annotations

import streamlit as st

from dashboard import navigation
from dashboard.components import mount
from dashboard.viewmodels import audit
from dashboard.views import page

REFRESH_S = page.SLOW_S
MOST = 500


def render() -> None:
    """Draw the page."""
    page.head("Audit", "Who changed what, when and from where")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    status = page.attempt(page.client().status)
    entries = page.attempt(page.client().audit, MOST) if status else None
    if status is None or entries is None:
        return
    left, right = st.columns([3, 5], vertical_alignment="bottom")
    with left:
        kind = st.selectbox("What", audit.kinds(entries), index=None, placeholder="Everything", key="audit-kind")
    with right:
        wanted = st.text_input("Search", placeholder="Name, address, subject, action", key="audit-search")
    kept = audit.filtered(entries, kind=kind, wanted=wanted or "")
    opened = mount.show_grid(audit.grid(kept, status.now, page.reader_zone()))
    newest = f"The newest {MOST}; `tailwatch audit` has all." if len(entries) == MOST else ""
    st.caption(" ".join(filter(None, (newest, page.freshness(status, REFRESH_S)))))
    navigation.follow(opened)
