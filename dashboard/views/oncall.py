"""On call: how quickly incidents are answered and ended, how much people are told, and which SLOs cry wolf."""

from __future__ import annotations

import streamlit as st

from dashboard import navigation, prose
from dashboard.components import mount
from dashboard.documents.oncall import Noise
from dashboard.viewmodels import oncall
from dashboard.views import page, undelivered

REFRESH_S = page.SLOW_S
PERIODS = {"24 h": "1d", "7 d": "7d", "30 d": "30d", "90 d": "90d"}
DIMENSIONS = ("Service", "Severity", "SLO")


def render() -> None:
    """Draw the page."""
    page.head("On call", "How quickly incidents are answered, and how much of the noise is worth it")
    _live()


@st.fragment(run_every=REFRESH_S)
def _live() -> None:
    status = page.attempt(page.client().status)
    if status is None:
        return
    chosen = st.segmented_control("Period", list(PERIODS), default="30 d", key="oncall-period") or "30 d"
    figures = page.attempt(page.client().figures, PERIODS[chosen])
    noise = page.attempt(page.client().noise, PERIODS[chosen]) if figures else None
    if figures is None or noise is None:
        return
    mount.show_tiles("oncall", oncall.tiles(figures, noise))
    lost = undelivered.render(status.now)
    _wolves(noise)
    page.section("Receivers", oncall.receiver_note(noise, page.reader_zone(), status.now))
    mount.show_grid(oncall.receiver_grid(noise))
    page.section("SLOs", "who acted on what they opened")
    opened = mount.show_grid(oncall.slo_grid(noise))
    page.section("Answered and ended", "from the opening to the first acknowledgement and to the last resolution")
    by = st.segmented_control("By", DIMENSIONS, default="Service", key="oncall-by") or "Service"
    rows = {"Service": figures.by_service, "Severity": figures.by_severity, "SLO": figures.by_slo}
    mount.show_grid(oncall.figure_grid(rows[by], by))
    st.caption(page.freshness(status, REFRESH_S))
    navigation.follow(lost or opened)


def _wolves(noise: Noise) -> None:
    """What to do about each SLO that cries wolf."""
    for one in noise.slos:
        if not one.cries_wolf:
            continue
        name = prose.plain(one.slo or one.service)
        lines = [f"**{name}** cries wolf: {one.acted_on} of {one.ended} incidents were acted on.", ""]
        lines += [f"- {prose.plain(advice)}" for advice in one.advice]
        st.warning("\n".join(lines), icon=":material/campaign:")
