"""A post-mortem drafted from what an incident left behind, as Markdown; what to think of it is left to people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from alerting.handled import ANSWERS
from alerting.incidents import MACHINE, Incident, TimelineEvent, format_id
from alerting.postmortem_charts import BUDGET_LEFT, Curve, Graphs, Mark, chart
from alerting.runbooks import fragments
from alerting.runbooks.markdown import Markdown, code, escape, percent, table, utc
from alerting.texts import flat
from telemetry.findings import CAUSES
from telemetry.windows import NANOS, format_duration

_QUIET: Final = frozenset({"notified"})
"""Events that only say that somebody was told: they are counted, not listed."""


def draft(
    incident: Incident,
    timeline: Sequence[TimelineEvent],
    curves: Sequence[Curve],
    now_ns: int,
    graphs: Graphs = "mermaid",
) -> str:
    """The draft.

    Args:
        incident: as it stands.
        timeline: its events, the earliest first.
        curves: what to show of the time around it, such as its budget.
        now_ns: how long it has lasted, if it has not ended.
        graphs: how curves are drawn: ``mermaid`` or, within the text, ``svg``.
    """
    marks = _marks(incident, timeline)
    charts = [chart(curve, marks, graphs) for curve in curves]
    impact = _at_the_end(incident, curves)
    return "\n\n".join(part for part in _parts(incident, timeline, charts, impact, now_ns) if part) + "\n"


def _at_the_end(incident: Incident, curves: Sequence[Curve]) -> Mapping[str, Any]:
    """The evidence with what was left of the budget when it ended: what was when it was found is not its impact."""
    end = math.inf if incident.resolved_ns is None else incident.resolved_ns / NANOS
    left = [value for curve in curves if curve.unit == BUDGET_LEFT for at, value in curve.points if at <= end]
    if not left:
        return incident.evidence
    return {**incident.evidence, "budget": {**incident.evidence["budget"], "remaining": left[-1] / 100}}


def _parts(
    incident: Incident,
    timeline: Sequence[TimelineEvent],
    charts: Sequence[str],
    impact: Mapping[str, Any],
    now_ns: int,
) -> Iterator[str]:
    evidence = incident.evidence
    yield f"# {incident.id}: {escape(flat(incident.title))}"
    yield _facts(incident, timeline, now_ns)
    yield f"## Summary\n\n{escape(flat(evidence.get('summary', ''), 1000))}"
    yield f"## Impact\n\n{fragments.budget(impact)}"
    yield from charts
    yield f"## Cause\n\n{escape(CAUSES.get(incident.cause, incident.cause))}{_where(incident)}."
    for title, part in (
        ("Who was hit", fragments.attribution(evidence)),
        ("Where the time went", fragments.tail(evidence)),
        ("What changed when it began", fragments.changes(evidence)),
        ("What drifted", fragments.drift(evidence)),
        ("How fast the budget burned", fragments.burn(evidence)),
    ):
        yield f"### {title}\n\n{part}" if part else ""
    yield _timeline(timeline)
    yield (
        "## For you to write\n\n"
        "- What was the root cause, and why was it not caught before it reached users?\n"
        "- What went well, what went badly, where were you lucky?\n"
        "- Did the page come in time, name the right cause and quote a step that helped? If not, which SLO, alert or "
        "runbook has to change?\n"
        "- Actions, each with an owner and a date:\n\n| action | owner | by when |\n| --- | --- | --- |\n| | | |"
    )


def _facts(incident: Incident, timeline: Sequence[TimelineEvent], now_ns: int) -> str:
    end_ns = now_ns if incident.resolved_ns is None else incident.resolved_ns
    told = sum(event.kind == "notified" for event in timeline)
    rows = {
        "Service": code(incident.service),
        "SLO": code(incident.slo) if incident.slo else "",
        "Severity": incident.severity,
        "Began, as estimated": utc(incident.onset_ns / NANOS),
        "Detected": Markdown(
            f"{utc(incident.opened_ns / NANOS)}, after {_lasted(incident.onset_ns, incident.opened_ns)}"
        ),
        "Acknowledged": _acknowledged(incident, timeline),
        "Merged into": "" if incident.merged_into is None else format_id(incident.merged_into),
        "Resolved": _resolved(incident) if incident.merged_into is None else "",
        "Lasted": _lasted(incident.onset_ns, end_ns),
        "Notifications": str(told),
        "Runbook": code(incident.runbook),
    }
    return table(("", ""), [(name, value) for name, value in rows.items() if value])


def _acknowledged(incident: Incident, timeline: Sequence[TimelineEvent]) -> Markdown:
    first = _answer(timeline)
    if first is None:
        return Markdown("by nobody")
    return Markdown(f"by {escape(first.author)}, after {_lasted(incident.opened_ns, first.at_ns)}")


def _resolved(incident: Incident) -> Markdown:
    if incident.resolved_ns is None:
        return Markdown("not yet")
    return Markdown(f"{utc(incident.resolved_ns / NANOS)}, by {escape(incident.resolved_by or MACHINE)}")


def _where(incident: Incident) -> str:
    where = fragments.slice_text(incident.slice)
    confidence = "" if incident.confidence is None else f" (confidence {percent(incident.confidence)})"
    return f", in {where}{confidence}" if incident.slice else confidence


def _timeline(timeline: Sequence[TimelineEvent]) -> str:
    rows = [
        (utc(event.at_ns / NANOS), event.author, event.kind, flat(event.text, 500))
        for event in timeline if event.kind not in _QUIET
    ]  # fmt: skip
    return f"## Timeline\n\n{table(('when', 'who', 'what', ''), rows)}"


def _marks(incident: Incident, timeline: Sequence[TimelineEvent]) -> list[Mark]:
    """When it began, was detected, was first acknowledged, and ended."""
    answered = _answer(timeline)
    moments = {
        "began": incident.onset_ns,
        "detected": incident.opened_ns,
        "acknowledged": None if answered is None else answered.at_ns,
        "resolved": incident.resolved_ns,
    }
    return [Mark(at_ns / NANOS, text) for text, at_ns in moments.items() if at_ns is not None]


def _answer(timeline: Sequence[TimelineEvent]) -> TimelineEvent | None:
    return next((event for event in timeline if event.kind in ANSWERS), None)


def _lasted(start_ns: int, end_ns: int) -> str:
    return format_duration(max(end_ns - start_ns, 0) // NANOS * NANOS)
