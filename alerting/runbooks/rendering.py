"""A runbook filled with an incident's evidence, in a sandbox; a faulty template is shown unfilled, never an error.

A template sees ``incident``, ``evidence`` (every key of the evidence document is there), ``slice``, the tables
``budget``, ``burn``, ``attribution``, ``tail``, ``changes``, ``exemplars`` and ``drift``, the words ``service``,
``trouble`` and ``slo_page``, ``page(text, path, name=value)``, a link into the dashboard, and ``live(question, ...)``,
which :mod:`alerting.runbooks.questions` answers. Filters: ``code``, ``number``, ``percent``, ``seconds``, ``utc``,
``url_part``. What a template prints is escaped for Markdown, whether or not its author thought of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from alerting.runbooks import fragments, wording
from alerting.runbooks.library import Runbook
from alerting.runbooks.live import Live, not_asked
from alerting.runbooks.markdown import Markdown, code, escape, number, percent, seconds, url_part, utc
from alerting.sandbox import FAULTS, Environment, compiled, rendered

_MAX_RENDERED: Final = 200_000
_STEP: Final = re.compile(r"^\s{0,3}1[.)]\s+(.*)$")
_HEADING: Final = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*$")
_REACHES_BEYOND: Final = re.compile(r"{%|{#")
"""Statements and comments of a template: they decide about text beyond themselves."""
_NEXT_ITEM: Final = re.compile(r"^\s{0,3}(\d+[.)]|[-*+])\s+")
_MARKUP: Final = re.compile(r"\[([^\]\[]+)\]\([^)\s]*\)")
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_STRONG: Final = re.compile(r"\*\*(.+?)\*\*")


def render(
    runbook: Runbook,
    incident: Mapping[str, Any],
    evidence: Mapping[str, Any],
    external_url: str,
    live: Live = not_asked,
) -> str:
    """The runbook as Markdown.

    Args:
        runbook: what to render.
        incident: the incident as the HTTP API gives it.
        evidence: its evidence document, complete in its keys.
        external_url: where people reach the dashboard; without it links are names only.
        live: answers the live steps.
    """
    try:
        return fill(runbook.text, incident, evidence, external_url, live)
    except FAULTS as error:
        reason = escape(f"{type(error).__name__}: {error}")
        return f"> This runbook could not be filled in ({reason}); here it is as it was written.\n\n{runbook.text}"


def fill(
    text: str, incident: Mapping[str, Any], evidence: Mapping[str, Any], external_url: str, live: Live = not_asked
) -> str:
    """The template of a runbook filled in.

    Raises:
        FAULTS: it is no template, or asks for what is not there.
    """
    context = _context(text, incident, evidence, external_url) | {"live": live}
    return rendered(compiled(_ENVIRONMENT, text), context, most=_MAX_RENDERED)


def rendered_first_step(
    runbook: Runbook, incident: Mapping[str, Any], evidence: Mapping[str, Any], external_url: str
) -> str:
    """The first step of the runbook as :func:`first_step`, filled in.

    Only that step is filled in, where it stands for itself: a burst of incidents quotes ten thousand.
    """
    step = _step_alone(runbook.text)
    if step:
        with suppress(*FAULTS):
            return first_step(fill(step, incident, evidence, external_url))
    return first_step(render(runbook, incident, evidence, external_url))


@lru_cache(256)
def _step_alone(text: str) -> str:
    """The first step of a template; empty where its statements may reach into it."""
    return "" if _REACHES_BEYOND.search(text) else "\n".join(_first_step_lines(text))


def first_step(markdown: str) -> str:
    """The first numbered step under "What to do now" (or the first at all), as plain text; empty if there is none."""
    first, *rest = _first_step_lines(markdown) or ["1."]
    found = _STEP.match(first)
    return "" if found is None else _plain(" ".join([found[1], *(line.strip() for line in rest)]))


def _first_step_lines(markdown: str) -> list[str]:
    lines = markdown.splitlines()
    start = next((place for place, line in enumerate(lines) if _is_now(line)), 0)
    for place in range(start, len(lines)):
        if _STEP.match(lines[place]):
            return [lines[place], *_continued(lines[place + 1 :])]
    return []


def _is_now(line: str) -> bool:
    heading = _HEADING.match(line)
    return heading is not None and heading[1].lower() == "what to do now"


def _continued(lines: list[str]) -> list[str]:
    wrapped: list[str] = []
    for line in lines:
        if (
            not line.strip()
            or _NEXT_ITEM.match(line)
            or _HEADING.match(line)
            or line.lstrip().startswith(("|", "`" * 3))
        ):
            break
        wrapped.append(line)
    return wrapped


def _plain(markdown: str) -> str:
    return _ESCAPED.sub(r"\1", _STRONG.sub(r"\1", _MARKUP.sub(r"\1", markdown))).strip()


_ENVIRONMENT: Final = Environment(
    finalize=escape, code=code, number=number, percent=percent, seconds=seconds, utc=utc, url_part=url_part
)


def _context(text: str, incident: Mapping[str, Any], evidence: Mapping[str, Any], external_url: str) -> dict[str, Any]:
    page = _pages(external_url)
    made: dict[str, Callable[[], Markdown]] = {
        "slice": lambda: fragments.slice_text(evidence.get("slice") or {}),
        "budget": lambda: wording.budget(incident, evidence),
        "burn": lambda: fragments.burn(evidence),
        "attribution": lambda: fragments.attribution(evidence),
        "tail": lambda: fragments.tail(evidence),
        "changes": lambda: fragments.changes(evidence),
        "exemplars": lambda: fragments.exemplars(evidence, page),
        "drift": lambda: fragments.drift(evidence),
        "service": lambda: wording.service(incident),
        "trouble": lambda: wording.trouble(incident),
        "slo_page": lambda: wording.slo_page(incident, page),
    }
    # A template that asks for one of them holds its name.
    asked = {name: make() for name, make in made.items() if name in text}
    return {"incident": dict(incident), "evidence": dict(evidence), "page": page, **asked}


def _pages(external_url: str) -> Callable[..., Markdown]:
    def page(text: str, path: str, **parameters: Any) -> Markdown:
        """A link to a page of the dashboard, or the page's name where its address is not configured."""
        given = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
        if not external_url:
            return Markdown(f"**{escape(text)}** (dashboard)")
        query = f"?{urlencode(given)}" if given else ""
        return Markdown(f"[{escape(text)}]({external_url.rstrip('/')}/{path.lstrip('/')}{query})")

    return page
