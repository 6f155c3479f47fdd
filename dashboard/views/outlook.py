"""The parts of an SLO's page about what may become of its budget, and which times do not count in it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import charts, frames, prose
from dashboard.components import mount
from dashboard.documents.budgets import Correction
from dashboard.documents.slos import Slo, SloGroup
from dashboard.viewmodels import outlook
from dashboard.views import page


def forecast(slo: Slo, group: SloGroup, past: pd.DataFrame) -> None:
    """The sentence, and the fan of what may be left, after what is known."""
    zone = page.reader_zone()
    found = page.client().forecast(slo.name, group=group.group, timezone=str(zone))
    page.section("Forecast", outlook.basis(found, zone))
    st.html(f'<p class="tw-sub">{prose.escaped(found.sentence)}</p>')
    if found.fan:
        drawing = charts.fan(past.dropna(subset=["budget_remaining"]), frames.fan(found.fan))
        st.altair_chart(drawing, width="stretch", key="forecast")


def corrections(slo: Slo, found: Sequence[Correction], now: float) -> None:
    """The table of corrections; nothing where there never was one."""
    if not found:
        return
    page.section("Corrections", "times that count neither good nor bad")
    mount.show_grid(outlook.corrections_grid(found, now, page.reader_zone(), f"corrections-{slo.name}"))
