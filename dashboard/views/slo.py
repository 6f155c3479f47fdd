"""One SLO in depth: its budget over the window, burn, tail, heatmap, groups and definition."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import charts, formats, frames, navigation, periods, prose
from dashboard.components import mount
from dashboard.components.place import Place
from dashboard.documents.budgets import Correction
from dashboard.documents.slos import HistoryPoint, Slo, SloGroup
from dashboard.viewmodels import budgets, details, states
from dashboard.viewmodels import incidents as incident_tables
from dashboard.views import outlook, page, signal

REFRESH_S = page.SLOW_S
WINDOW = "SLO window"


def render() -> None:
    """Draw the page of the SLO that the address names, or offer the choice."""
    with page.sentences():
        names = [slo.name for slo in states.slos_worst_first(page.client().slos())]
        if not names:
            page.head("SLO")
            st.info("The service evaluates no SLO yet; give it a file of SLOs.")
            return
        chosen = _choose(names)
        if chosen is not None:
            _live(chosen)


def _choose(names: list[str]) -> str | None:
    asked = st.query_params.get("slo")
    if asked is None:
        asked = names[0]
    elif asked not in names:
        page.head("SLO")
        page.complain(f"There is no SLO named {asked}; choose one from the overview.")
        return None

    def changed() -> None:
        st.query_params.clear()
        st.query_params["slo"] = st.session_state["slo-choice"]

    st.session_state["slo-choice"] = asked
    head, choice, span = st.columns([5, 3, 4], vertical_alignment="bottom")
    with head:
        page.head(asked)
    with choice:
        st.selectbox("SLO", names, key="slo-choice", on_change=changed)
    with span:
        # Streamlit forgets a widget's value when its page is left, so the range is kept beside it
        st.session_state.setdefault("slo-range", st.session_state.get("slo-range-kept", WINDOW))
        ranges = [*periods.RANGES_S, WINDOW]
        st.session_state["slo-range-kept"] = st.segmented_control("Time range", ranges, key="slo-range", required=True)
    return asked


@st.fragment(run_every=REFRESH_S)
def _live(name: str) -> None:
    status = page.attempt(page.client().status)
    slo = page.attempt(page.client().slo, name) if status else None
    if status is None or slo is None:
        return
    about = " · ".join(filter(None, (slo.service, slo.description or "", page.freshness(status, REFRESH_S))))
    st.html(f'<p class="tw-sub">{prose.escaped(about)}</p>')
    if slo.overflow is not None:
        st.warning(prose.plain(budgets.overflow_sentence(slo.overflow)), icon=":material/dataset_linked:")
    group = budgets.choose_group(slo, st.query_params.get("group"))
    if group is None:
        st.info("No data of this SLO has arrived yet.")
        _definition(slo, None, status.now)
        return
    mount.show_tiles(f"slo-{name}", budgets.tiles(slo, group, status.now))
    span_s = _span_s(slo, status.now)
    corrections = page.attempt(page.client().corrections, slo.name) or []
    with page.sentences():
        shown = _history(slo, group, corrections, status.now)
        span_s = shown.end - shown.start
    opened = None
    with page.sentences():
        opened = signal.draw(slo, span_s, status.now)
    page.section("Groups", f"worst first, by {', '.join(slo.per)}" if slo.per else "one budget for all traffic")
    opened = mount.show_grid(budgets.group_grid(slo)) or opened
    outlook.corrections(slo, corrections, status.now)
    opened = _incidents(slo, status.now) or opened
    _definition(slo, group, status.now)
    navigation.follow(opened)


def _span_s(slo: Slo, now: float) -> float:
    chosen = st.session_state.get("slo-range", WINDOW)
    window_s = slo.window_s if slo.period is None else max(now - slo.period.start, periods.STEPS_S[0])
    return periods.RANGES_S.get(chosen) or window_s or periods.RANGES_S["7 d"]


def _history(slo: Slo, group: SloGroup, corrections: Sequence[Correction], now: float) -> periods.Period:
    points, period = _points(slo, group, periods.last(_span_s(slo, now), now), now)
    frame = frames.history(points)
    of = f"of {formats.labels(group.group)}" if group.group else ""
    empty = frame["budget_remaining"].dropna().empty
    drawing = None if empty else charts.budget(frame, frames.spans(corrections, period.start, period.end))
    page.chart("Budget remaining", drawing, "budget", f"{of} over {budgets.span(slo)}".strip())
    with page.sentences():
        outlook.forecast(slo, group, frame)
    left, right = st.columns(2)
    step = f"per {formats.seconds(period.step)}"
    with left:
        if slo.objective is None:
            page.chart("Spent", None if frame["total"].dropna().empty else charts.spent(frame), "spent", step)
        else:
            blank = frame["sli"].dropna().empty
            drawing = None if blank else charts.sli(frame, slo.objective)
            page.chart("SLI", drawing, "sli", f"{step}, objective {formats.ratio(slo.objective)}")
    with right:
        thresholds = budgets.burn_thresholds(slo.window_s)
        page.chart("Burn rate", None if frame["burn"].dropna().empty else charts.burn(frame, thresholds), "burn", step)
    return period


def _points(
    slo: Slo, group: SloGroup, period: periods.Period, now: float
) -> tuple[Sequence[HistoryPoint], periods.Period]:
    while True:
        points = page.client().history(
            slo.name, start=period.start, end=period.end, step=period.step, group=group.group
        )
        finer = periods.closer(period, points, now)
        if finer is None:
            return [point for point in points if point.t >= period.start], period
        period = finer


def _incidents(slo: Slo, now: float) -> Place | None:
    incidents = page.attempt(page.client().incidents)
    if incidents is None:
        return None
    page.section("Incidents of this SLO")
    found = budgets.related(slo, incidents)
    if not found:
        st.html('<p class="tw-nothing">None so far.</p>')
        return None
    return mount.show_grid(incident_tables.grid(found[:10], now, page.reader_zone(), f"incidents-{slo.name}"))


def _definition(slo: Slo, group: SloGroup | None, now: float) -> None:
    left, right = st.columns(2)
    with left:
        page.section("Definition")
        page.facts(budgets.definition(slo))
    found = details.facts(group.detail, page.reader_zone(), now) if group else []
    if found:
        with right:
            page.section("Detail")
            page.facts(found)
