"""The script that `streamlit run` executes: declares the pages and draws the one that the address names."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import navigation
from dashboard.views import audit, collector, incidents, oncall, overview, saturation, services, silences, slo, traces

STYLE = (Path(__file__).parent / "views" / "style.css").read_text("utf-8")

# a file, since Streamlit would fetch a named icon from a foreign host
ICON = Path(__file__).parent / "views" / "icon.svg"
LOGO = Path(__file__).parent / "views" / "logo.svg"


def main() -> None:
    """Draw the dashboard."""
    st.set_page_config(page_title="Tailwatch", page_icon=ICON, layout="wide")
    st.html(f"<style>{STYLE}</style>")
    pages = {
        "": st.Page(overview.render, title="Overview", icon=":material/dashboard:", url_path="overview", default=True),
        "slo": st.Page(slo.render, title="SLO", icon=":material/show_chart:", url_path="slo"),
        "incidents": st.Page(
            incidents.render, title="Incidents", icon=":material/notifications:", url_path="incidents"
        ),
        "silences": st.Page(
            silences.render, title="Silences", icon=":material/notifications_off:", url_path="silences"
        ),
        "oncall": st.Page(oncall.render, title="On call", icon=":material/support_agent:", url_path="oncall"),
        "traces": st.Page(traces.render, title="Traces", icon=":material/account_tree:", url_path="traces"),
        "services": st.Page(services.render, title="Services", icon=":material/dns:", url_path="services"),
        "saturation": st.Page(saturation.render, title="Saturation", icon=":material/speed:", url_path="saturation"),
        "audit": st.Page(audit.render, title="Audit", icon=":material/history:", url_path="audit"),
        "collector": st.Page(collector.render, title="Collector", icon=":material/input:", url_path="collector"),
    }
    navigation.publish(pages)
    st.logo(LOGO, size="medium")
    st.navigation(list(pages.values()), position="top").run()


main()
