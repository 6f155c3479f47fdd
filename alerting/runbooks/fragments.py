"""The parts of an incident's evidence as Markdown, for runbooks to show in place; a missing part is a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from alerting.runbooks.markdown import Markdown, code, escape, number, percent, seconds, table

_ROWS: Final = 8


def slice_text(slice_: Mapping[str, Any]) -> Markdown:
    """The slice that carries the trouble, as a phrase."""
    if not slice_:
        return Markdown("all of the traffic")
    return Markdown(", ".join(f"{escape(name)} = {code(value)}" for name, value in sorted(slice_.items())))


def budget(evidence: Mapping[str, Any]) -> Markdown:
    """What is left of the error budget, as a sentence."""
    remaining = evidence["budget"].get("remaining")
    objective = evidence["budget"].get("objective")
    if not isinstance(remaining, int | float):
        return Markdown("How much of the error budget is left is not known yet.")
    of = f" (objective {percent(objective)})" if isinstance(objective, int | float) else ""
    if remaining <= 0:
        return Markdown(f"The error budget is **spent**{of}, {number(1 - remaining, 2)} times over.")
    return Markdown(f"**{percent(remaining)}** of the error budget remains{of}.")


def burn(evidence: Mapping[str, Any]) -> Markdown:
    """The burn rates that raised the alert."""
    rows = [
        (
            f"{entry.get('long', '?')} and {entry.get('short', '?')}",
            Markdown(f"{number(entry.get('long_burn'))}x"),
            Markdown(f"{number(entry.get('short_burn'))}x"),
            Markdown(f"{number(entry.get('factor'))}x"),
        )
        for entry in evidence["burn"][:_ROWS]
    ]
    return table(("windows", "burn, long", "burn, short", "alerts above"), rows)


def attribution(evidence: Mapping[str, Any]) -> Markdown:
    """Which slices carry the excess, the worst first."""
    rows = [
        (
            entry.get("dimension"),
            code(entry.get("value")),
            number(entry.get("bad")),
            number(entry.get("total")),
            percent(entry.get("excess_share")),
        )
        for entry in evidence["attribution"][:_ROWS]
    ]
    return table(("dimension", "value", "bad", "of", "share of the excess"), rows) or Markdown(
        "No slice of the traffic stands out."
    )


def tail(evidence: Mapping[str, Any]) -> Markdown:
    """Which part of a request has become slower."""
    rows = [
        (
            entry.get("part"),
            seconds(entry.get("before_s")),
            seconds(entry.get("after_s")),
            percent(entry.get("share")),
        )
        for entry in evidence["tail"][:_ROWS]
    ]
    return table(("part of the request", "before", "now", "share of the slowdown"), rows) or Markdown(
        "The requests do not say which of their parts (queue, prefill, decode) the time goes to."
    )


def changes(evidence: Mapping[str, Any]) -> Markdown:
    """What changed about when it began."""
    lines: list[str] = []
    for entry in evidence["changes"][:_ROWS]:
        text = entry.get("text") or ""
        before, after = entry.get("before"), entry.get("after")
        if not text and (before is not None or after is not None):
            lines.append(f"- {escape(entry.get('what'))} was {code(before)}, is {code(after)}")
        else:
            lines.append(f"- {escape(entry.get('what'))}{': ' if text else ''}{escape(text)}")
    return Markdown("\n".join(lines) or "Nothing that Tailwatch sees changed about when it began.")


def exemplars(evidence: Mapping[str, Any], page: Callable[..., Markdown]) -> Markdown:
    """Requests to look at."""
    lines: list[str] = []
    for entry in evidence["exemplars"][:5]:
        trace_id = str(entry.get("trace_id") or "")
        facts = [page(trace_id[:16], "traces", trace=trace_id)]
        if isinstance(entry.get("duration_s"), int | float):
            facts.append(seconds(entry["duration_s"]))
        if entry.get("error_type"):
            facts.append(code(entry["error_type"]))
        lines.append(f"- {', '.join(facts)}")
    return Markdown("\n".join(lines) or "No single request was kept as an example.")


def drift(evidence: Mapping[str, Any]) -> Markdown:
    """Which fields differ from their reference."""
    rows = [
        (code(entry.get("field")), number(entry.get("effect")), number(entry.get("p_value")), entry.get("method"))
        for entry in evidence["drift"][:_ROWS]
    ]
    return table(("field", "effect size", "p-value", "method"), rows) or Markdown("No field was compared.")
