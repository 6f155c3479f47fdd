"""What every page does the same way: reach the service, say one sentence on failure, head a page, draw a chart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from typing import ParamSpec, TypeVar

import altair as alt
import streamlit as st

from dashboard import formats, navigation, prose, settings
from dashboard.client import Client, ServiceError
from dashboard.components.place import Place
from dashboard.documents.incidents import IncidentSummary
from dashboard.documents.status import Config, ConfigProblem, Delivery, Overflow, Status

# Read once, at the start of the process: Streamlit fixes a fragment's pace when it is declared.
QUICK_S = settings.from_environment().refresh_s
SLOW_S = 3 * QUICK_S

_MOST_FAULTS = 10
"""Faults of the configuration files that a banner names; the log and the API have them all."""

_ANNOUNCED = "announced"

T = TypeVar("T")
P = ParamSpec("P")


@st.cache_resource
def client() -> Client:
    """The one client of this process."""
    return Client(settings.from_environment())


def entered(key: str) -> str:
    """What stands in a text field as of its last change; empty where the field is not there."""
    return str(st.session_state.get(key) or "").strip()


def announce(sentence: str) -> None:
    """Have `announced` say it: what a callback draws itself takes the place of what the page drew first, its style."""
    st.session_state[_ANNOUNCED] = sentence


def announced() -> None:
    """Say briefly what a callback has done."""
    sentence = st.session_state.pop(_ANNOUNCED, "")
    if sentence:
        st.toast(prose.plain(sentence))


def signed_in() -> str | None:
    """Whom the proxy before the dashboard names as the reader; None where the settings name no such header."""
    header = settings.from_environment().user_header
    return None if header is None else (st.context.headers.get(header) or "").strip()


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
    if status.config.failing_since is not None:
        st.error(config_failure(status.config, reader_zone()), icon=":material/settings_alert:")
    for problem in status.config_problems:
        text = problem if isinstance(problem, str) else _problem(problem)
        st.warning(prose.plain(text), icon=":material/warning:")
    if status.overflow:
        st.warning(prose.plain(overflow_sentence(status.overflow)), icon=":material/dataset_linked:")
    lost = undelivered_sentence(status.receivers or ())
    if lost:
        st.warning(prose.plain(lost), icon=":material/unsubscribe:")
        navigation.link(Place("oncall"), "See which, and try again", ":material/support_agent:")


def config_failure(config: Config, zone: tzinfo) -> str:
    """Since when the files cannot be put in force, what is in force instead, and every fault, as Markdown."""
    assert config.failing_since is not None
    kept = "" if config.in_force_since is None else f" of {formats.clock(config.in_force_since, zone)}"
    head = (
        f"The configuration files hold errors since {formats.clock(config.failing_since, zone)}."
        f" The configuration{kept} stays in force until they are mended."
    )
    faults = [_fault(problem) for problem in config.problems[:_MOST_FAULTS]]
    more = len(config.problems) - len(faults)
    return "\n".join([prose.plain(head), "", *faults, *([f"- and {more} more"] if more else [])])


def _fault(problem: ConfigProblem) -> str:
    place = f"{problem.file}:{problem.line}" if problem.line else problem.file
    field = f" {problem.field}:" if problem.field else ""
    remedy = f" ({problem.remedy})" if problem.remedy else ""
    return f"- {prose.plain(f'{place}:{field} {problem.message}{remedy}')}"


def overflow_sentence(overflow: Sequence[Overflow]) -> str:
    """What does not fit under a cardinality limit, the largest first, and what to do."""
    told = [one.what for one in overflow[:3]]
    more = [f"{len(overflow) - 3} more limits are passed"] if len(overflow) > 3 else []
    return f"{'; '.join([*told, *more])}. What to do: {overflow[0].remedy}."


def undelivered_sentence(receivers: Sequence[Delivery]) -> str:
    """Whom something could not be told for good; empty where everybody knows."""
    missing = [one for one in receivers if one.undelivered]
    total = sum(one.undelivered for one in missing)
    if not total:
        return ""
    names = ", ".join(f"{one.receiver} ({one.undelivered})" for one in missing)
    return f"{total} {'notification was' if total == 1 else 'notifications were'} given up: {names}."


def taken_by(incidents: Sequence[IncidentSummary] | None) -> Sequence[IncidentSummary]:
    """The incidents that are not over."""
    return [one for one in incidents or () if one.status != "resolved"]


def _problem(problem: object) -> str:
    if isinstance(problem, dict):
        parts = [str(problem[key]) for key in ("where", "what", "message", "remedy") if problem.get(key)]
        return ": ".join(parts[:2]) + (f"; {parts[2]}" if len(parts) > 2 else "") if parts else str(problem)
    return str(problem)
