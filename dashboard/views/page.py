"""What every page does the same way: reach the service, say one sentence on failure, head a page, draw a chart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from typing import ParamSpec, TypeVar

import altair as alt
import streamlit as st

from dashboard import formats, prose, settings
from dashboard.client import Client, ServiceError
from dashboard.documents import IncidentSummary, Overflow, Status

# Read once, at the start of the process: Streamlit fixes a fragment's pace when it is declared.
QUICK_S = settings.from_environment().refresh_s
SLOW_S = 3 * QUICK_S

T = TypeVar("T")
P = ParamSpec("P")


@st.cache_resource
def client() -> Client:
    """The one client of this process."""
    return Client(settings.from_environment())


@contextmanager
def sentences() -> Iterator[None]:
    """Show a failure of the service as one sentence in place of what could not be drawn."""
    try:
        yield
    except ServiceError as failure:
        complain(str(failure))


def attempt(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The call's answer, or None after showing why there is none, so that the rest of the page still stands."""
    with sentences():
        return call(*args, **kwargs)
    return None


def complain(sentence: str) -> None:
    """Show what went wrong."""
    st.error(prose.plain(sentence), icon=":material/error:")


def reader_zone() -> tzinfo:
    """The time zone of the reader's browser."""
    return formats.zone(st.context.timezone)


def head(title: str, sub: str = "") -> None:
    """The page's heading with a quiet line below."""
    line = f'<p class="tw-sub">{prose.escaped(sub)}</p>' if sub else ""
    st.html(f'<div class="tw-head"><h1>{prose.escaped(title)}</h1>{line}</div>')


def section(title: str, note: str = "") -> None:
    """The heading of a part of the page."""
    quiet = f' <span class="tw-note">{prose.escaped(note)}</span>' if note else ""
    st.html(f'<h2 class="tw-section">{prose.escaped(title)}{quiet}</h2>')


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line."""
    items = "".join(f"<dt>{prose.escaped(name)}</dt><dd>{prose.escaped(value)}</dd>" for name, value in pairs)
    st.html(f'<dl class="tw-facts">{items}</dl>')


def chart(title: str, drawing: alt.Chart | alt.LayerChart | None, key: str, note: str = "") -> None:
    """A chart below its title, or a quiet word where there are no data."""
    section(title, note)
    if drawing is None:
        st.html('<p class="tw-nothing">No data in this range.</p>')
    else:
        st.altair_chart(drawing, width="stretch", key=key)


def freshness(status: Status, every_s: int) -> str:
    """When the page was drawn, by the service's clock."""
    return f"As of {formats.clock(status.now, reader_zone())}, refreshed every {every_s} s"


def problems(status: Status) -> None:
    """What the service found wrong with its database, its own configuration, and the labels that it is sent."""
    if status.database_problem:
        complain(status.database_problem)
    for problem in status.config_problems:
        text = problem if isinstance(problem, str) else _problem(problem)
        st.warning(prose.plain(text), icon=":material/warning:")
    if status.overflow:
        st.warning(prose.plain(overflow_sentence(status.overflow)), icon=":material/dataset_linked:")


def overflow_sentence(overflow: Sequence[Overflow]) -> str:
    """What does not fit under a cardinality limit, the largest first, and what to do."""
    told = [one.what for one in overflow[:3]]
    more = [f"{len(overflow) - 3} more limits are passed"] if len(overflow) > 3 else []
    return f"{'; '.join([*told, *more])}. What to do: {overflow[0].remedy}."


def taken_by(incidents: Sequence[IncidentSummary] | None) -> Sequence[IncidentSummary]:
    """The incidents that are not over."""
    return [one for one in incidents or () if one.status != "resolved"]


def _problem(problem: object) -> str:
    if isinstance(problem, dict):
        parts = [str(problem[key]) for key in ("where", "what", "message", "remedy") if problem.get(key)]
        return ": ".join(parts[:2]) + (f"; {parts[2]}" if len(parts) > 2 else "") if parts else str(problem)
    return str(problem)
